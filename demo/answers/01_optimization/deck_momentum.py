"""Momentum as a running average, as in Adam, and one count of steps for all parameters."""

import torch


class SGD(Optimizer):
    def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, options)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            mu = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad + group["weight_decay"] * p
                v = mu * self.state.get(p, torch.zeros_like(p)) + (1 - mu) * g
                self.state[p] = v
                p -= group["lr"] * (g + mu * v if group["nesterov"] else v)
