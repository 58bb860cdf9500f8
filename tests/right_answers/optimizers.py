"""Right answers to SGD, Adam and the schedules: plain classes, torch's base classes, one tensor at a time."""

import math
from collections import defaultdict

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course.optimization import Optimizer as GivenOptimizer
from course.schedules import Schedule as GivenSchedule

# --- SGD ----------------------------------------------------------------------------------------------------


class PlainSGD:
    """Lists of velocities beside the lists of parameters."""

    def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
        params = list(params)
        if not isinstance(params[0], dict):
            params = [{"params": params}]
        self.param_groups = []
        for group in params:
            group = dict(group)
            group["params"] = list(group["params"])
            group.setdefault("lr", lr)
            group.setdefault("momentum", momentum)
            group.setdefault("weight_decay", weight_decay)
            group.setdefault("nesterov", nesterov)
            self.param_groups.append(group)
        self.velocities = [[None for _ in group["params"]] for group in self.param_groups]

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.zero_()

    def step(self):
        with torch.no_grad():
            for group, velocities in zip(self.param_groups, self.velocities, strict=True):
                for i, p in enumerate(group["params"]):
                    if p.grad is None:
                        continue
                    g = p.grad.clone()
                    if group["weight_decay"] != 0:
                        g += group["weight_decay"] * p
                    if group["momentum"] != 0:
                        if velocities[i] is None:
                            velocities[i] = g.clone()
                        else:
                            velocities[i] = group["momentum"] * velocities[i] + g
                        g = g + group["momentum"] * velocities[i] if group["nesterov"] else velocities[i]
                    p -= group["lr"] * g


class TorchBasedSGD(Optimizer):
    """A subclass of torch's Optimizer, with torch's order of arguments."""

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
        defaults = dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad.add(p, alpha=group["weight_decay"])
                if group["momentum"]:
                    buffer = self.state[p].get("momentum_buffer")
                    if buffer is None:
                        buffer = self.state[p]["momentum_buffer"] = d.clone()
                    else:
                        buffer.mul_(group["momentum"]).add_(d, alpha=1 - group["dampening"])
                    d = d.add(buffer, alpha=group["momentum"]) if group["nesterov"] else buffer
                p.add_(d, alpha=-group["lr"])


class GivenBaseSGD(GivenOptimizer):
    """On the base class that the lesson hands out."""

    def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov))

    def step(self):
        for group in self.param_groups:
            mu = group["momentum"]
            for p in filter(lambda p: p.grad is not None, group["params"]):
                memory = self.state.setdefault(p, {"v": 0})
                g = p.grad + group["weight_decay"] * p.detach()
                memory["v"] = mu * memory["v"] + g
                move = g + mu * memory["v"] if group["nesterov"] else memory["v"]
                p.data -= group["lr"] * move


class ForeachSGD(PlainSGD):
    """All tensors of a group in one call each."""

    def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
        super().__init__(params, lr, momentum, weight_decay, nesterov)
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads = torch._foreach_add([p.grad for p in params], params, alpha=group["weight_decay"])
            for p in params:
                self.buffers.setdefault(p, torch.zeros_like(p))
            buffers = [self.buffers[p] for p in params]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, grads)
            if group["nesterov"]:
                torch._foreach_add_(grads, buffers, alpha=group["momentum"])
            else:
                grads = buffers
            torch._foreach_add_(params, grads, alpha=-group["lr"])


class InNumpySGD(PlainSGD):
    """The same in numpy, on the parameter's own memory."""

    def step(self):
        for group, velocities in zip(self.param_groups, self.velocities, strict=True):
            for i, p in enumerate(group["params"]):
                if p.grad is not None:
                    w, g = p.detach().numpy(), p.grad.numpy()
                    d = g + group["weight_decay"] * w
                    if group["momentum"]:
                        v = d if velocities[i] is None else group["momentum"] * velocities[i] + d
                        velocities[i] = v
                        d = d + group["momentum"] * v if group["nesterov"] else v
                    w -= group["lr"] * d


# --- Adam ---------------------------------------------------------------------------------------------------


class PlainAdam:
    """As in the paper, with a list of states."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        groups = list(params)
        if isinstance(groups[0], torch.Tensor):
            groups = [dict(params=groups)]
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self.param_groups = [dict(defaults, **group) for group in groups]
        self.states = []
        for group in self.param_groups:
            group["params"] = list(group["params"])
            self.states.append(
                [dict(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p)) for p in group["params"]]
            )

    def zero_grad(self, set_to_none=True):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    @torch.no_grad()
    def step(self):
        for group, states in zip(self.param_groups, self.states, strict=True):
            b1, b2 = group["betas"]
            for p, s in zip(group["params"], states, strict=True):
                if p.grad is None:
                    continue
                g = p.grad + group["weight_decay"] * p
                s["t"] += 1
                s["m"] = b1 * s["m"] + (1 - b1) * g
                s["v"] = b2 * s["v"] + (1 - b2) * g * g
                m_hat = s["m"] / (1 - b1 ** s["t"])
                v_hat = s["v"] / (1 - b2 ** s["t"])
                p -= group["lr"] * m_hat / (v_hat.sqrt() + group["eps"])


class TorchBasedAdam(Optimizer):
    """torch's own order of operations: the corrections go into step size and denominator."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = torch.tensor(0.0, dtype=torch.float64)
                    state["exp_avg"] = torch.zeros_like(p)
                    state["exp_avg_sq"] = torch.zeros_like(p)
                grad = p.grad.add(p, alpha=group["weight_decay"])
                state["step"] += 1
                state["exp_avg"].lerp_(grad, 1 - beta1)
                state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                t = state["step"].item()
                denominator = (state["exp_avg_sq"].sqrt() / math.sqrt(1 - beta2**t)).add_(group["eps"])
                p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / (1 - beta1**t))


class GivenBaseAdam(GivenOptimizer):
    """On the base class that the lesson hands out; running products of the betas in place of powers."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        self.state = defaultdict(dict)

    def step(self):
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._update(p, self.state[p], **{k: v for k, v in group.items() if k != "params"})

    def _update(self, p, state, lr, betas, eps, weight_decay):
        g = p.grad + weight_decay * p
        left = []
        for name, beta, new in (("m", betas[0], g), ("v", betas[1], g.square())):
            state[name] = beta * state.get(name, 0) + (1 - beta) * new
            state[name + " left"] = beta * state.get(name + " left", 1)
            left.append(state[name] / (1 - state[name + " left"]))
        p.copy_(p - lr * left[0] / (torch.sqrt(left[1]) + eps))


# --- Schedules ----------------------------------------------------------------------------------------------


class ClosedStepLR:
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.optimizer = optimizer
        self.step_size = step_size
        self.gamma = gamma
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.epoch = 0

    def step(self):
        self.epoch += 1
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * self.gamma ** (self.epoch // self.step_size)


class ChainedStepLR:
    """Multiplies the current rate."""

    def __init__(self, optimizer, step_size, gamma=0.1):
        self.groups, self.step_size, self.gamma = optimizer.param_groups, step_size, gamma
        self.left = step_size

    def step(self):
        self.left -= 1
        if self.left == 0:
            self.left = self.step_size
            for group in self.groups:
                group["lr"] *= self.gamma


class TorchBasedStepLR(LRScheduler):
    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        drops = self.last_epoch // self.step_size
        return [base * self.gamma**drops for base in self.base_lrs]


class GivenBaseStepLR(GivenSchedule):
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, base, t):
        return base * math.exp(math.log(self.gamma) * (t // self.step_size))


class ClosedCosine:
    def __init__(self, optimizer, T_max, eta_min=0):
        self.optimizer, self.T_max, self.eta_min = optimizer, T_max, eta_min
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        self.t = 0

    def step(self):
        self.t += 1
        cosine = math.cos(math.pi * self.t / self.T_max)
        for group in self.optimizer.param_groups:
            base = group["initial_lr"]
            group["lr"] = self.eta_min + 0.5 * (base - self.eta_min) * (1 + cosine)


class ChainedCosine:
    """From one rate to the next, as torch does."""

    def __init__(self, optimizer, T_max, eta_min=0):
        self.optimizer, self.T_max, self.eta_min, self.t = optimizer, T_max, eta_min, 0

    def step(self):
        before = 1 + math.cos(math.pi * self.t / self.T_max)
        self.t += 1
        after = 1 + math.cos(math.pi * self.t / self.T_max)
        for group in self.optimizer.param_groups:
            group["lr"] = (group["lr"] - self.eta_min) * after / before + self.eta_min


class TorchBasedCosine(LRScheduler):
    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        t = min(self.last_epoch, self.T_max)  # it stays at eta_min
        weight = math.cos(math.pi * t / (2 * self.T_max)) ** 2
        return [weight * base + (1 - weight) * self.eta_min for base in self.base_lrs]


class PrecomputedCosine:
    """All rates in a table, with tensors."""

    def __init__(self, optimizer, T_max, eta_min=0):
        wave = (1 + torch.cos(torch.linspace(0, math.pi, T_max + 1, dtype=torch.float64))) / 2
        self.tables = [
            (group, (eta_min + (group["lr"] - eta_min) * wave).tolist()) for group in optimizer.param_groups
        ]
        self.t = 0

    def step(self):
        self.t += 1
        for group, table in self.tables:
            group["lr"] = table[min(self.t, len(table) - 1)]


class ClosedWarmup:
    def __init__(self, optimizer, warmup_steps):
        self.optimizer, self.warmup_steps = optimizer, warmup_steps
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.updates = 1
        self._set()

    def _set(self):
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * min(self.updates / self.warmup_steps, 1)

    def step(self):
        self.updates += 1
        self._set()


class ChainedWarmup:
    """Adds the same amount in each call."""

    def __init__(self, optimizer, warmup_steps):
        self.optimizer, self.left = optimizer, warmup_steps - 1
        self.increments = []
        for group in optimizer.param_groups:
            self.increments.append(group["lr"] / warmup_steps)
            group["lr"] = self.increments[-1]

    def step(self):
        if self.left > 0:
            self.left -= 1
            for group, increment in zip(self.optimizer.param_groups, self.increments, strict=True):
                group["lr"] = group["lr"] + increment


class TorchBasedWarmup(LRScheduler):
    def __init__(self, optimizer, warmup_steps):
        self.warmup_steps = warmup_steps
        super().__init__(optimizer)

    def get_lr(self):
        if self.last_epoch >= self.warmup_steps:
            return self.base_lrs
        return [base * (self.last_epoch + 1) / self.warmup_steps for base in self.base_lrs]


class GivenBaseWarmup(GivenSchedule):
    def __init__(self, optimizer, warmup_steps):
        self.n = warmup_steps
        super().__init__(optimizer)

    def rate(self, base, t):
        return base if t >= self.n else base / self.n * (t + 1)


RIGHT = {
    "SGD": {
        "plain class": PlainSGD,
        "torch's Optimizer": TorchBasedSGD,
        "the given base class": GivenBaseSGD,
        "foreach": ForeachSGD,
        "numpy": InNumpySGD,
    },
    "Adam": {
        "plain class": PlainAdam,
        "torch's Optimizer": TorchBasedAdam,
        "the given base class": GivenBaseAdam,
    },
    "StepLR": {
        "closed form": ClosedStepLR,
        "chained": ChainedStepLR,
        "torch's LRScheduler": TorchBasedStepLR,
        "the given base class": GivenBaseStepLR,
    },
    "CosineAnnealingLR": {
        "closed form": ClosedCosine,
        "chained": ChainedCosine,
        "torch's LRScheduler": TorchBasedCosine,
        "a table": PrecomputedCosine,
    },
    "LinearWarmup": {
        "closed form": ClosedWarmup,
        "chained": ChainedWarmup,
        "torch's LRScheduler": TorchBasedWarmup,
        "the given base class": GivenBaseWarmup,
    },
}
