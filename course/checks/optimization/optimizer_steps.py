"""Right optimizers in small steps, for a mistake to change one of them.

`Steps` has what SGD and Adam share; the mistakes in that are made once, at the end, for both.
"""

from __future__ import annotations

from typing import Any

import torch

from course.checks.collect import Mistakes


class Steps:
    """Groups, memory, step, zero_grad."""

    def __init__(self, params, **defaults):
        self.defaults = defaults
        self.param_groups = self.make_groups(params)
        self.memory: dict[Any, dict[str, Any]] = {}
        self.start()

    def start(self):
        """More of the constructor."""

    def make_groups(self, params):
        params = list(params)
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        return [{**self.defaults, **group, "params": list(group["params"])} for group in groups]

    def zero_grad(self):
        for p in self.all_parameters():
            p.grad = None

    def all_parameters(self):
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self):
        self.begin()
        for group in self.groups_to_step():
            for i, p in enumerate(group["params"]):
                if not self.skips(p):
                    self.update(p, group, i)

    def begin(self):
        """What comes before the loop."""

    def groups_to_step(self):
        return self.param_groups

    def skips(self, p):
        return p.grad is None

    def update(self, p, group, i):
        self.move(p, self.direction(p, self.gradient(p, group), group, self.remembered(p, group, i)), group)

    def option(self, group, name):
        return group[name]

    def gradient(self, p, group):
        return self.raw(p) + self.option(group, "weight_decay") * p

    def raw(self, p):
        return p.grad

    def remembered(self, p, group, i):
        """The memory of a parameter."""
        return self.memory.setdefault(self.key(p, group, i), {})

    def key(self, p, group, i):
        return p

    def direction(self, p, g, group, memory):
        raise NotImplementedError

    def move(self, p, d, group):
        p.sub_(self.option(group, "lr") * d)


class SGDSteps(Steps):
    """SGD."""

    def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)

    def direction(self, p, g, group, memory):
        mu = self.option(group, "momentum")
        if mu == 0:
            return g
        before = memory.get("v")
        v = memory["v"] = self.velocity(before, g, mu, group)
        return self.ahead(g, v, mu, before) if group["nesterov"] else v

    def velocity(self, before, g, mu, group):
        return g.clone() if before is None else mu * before + g

    def ahead(self, g, v, mu, before):
        return g + mu * v


class AdamSteps(Steps):
    """Adam."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def direction(self, p, g, group, memory):
        beta1, beta2 = self.betas(group)
        memory["t"] = t = self.count(memory, p, group)
        m = memory["m"] = self.average(memory.get("m", torch.zeros_like(p)), g, beta1)
        v = memory["v"] = self.square(memory.get("v", torch.zeros_like(p)), g, beta2, m)
        m, v = self.corrected(m, v, beta1, beta2, t)
        return self.ratio(m, v, self.option(group, "eps"))

    def betas(self, group):
        return self.option(group, "betas")

    def count(self, memory, p, group):
        return memory.get("t", 0) + 1

    def average(self, m, g, beta1):
        return beta1 * m + (1 - beta1) * g

    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * g**2

    def corrected(self, m, v, beta1, beta2, t):
        return m / (1 - beta1**t), v / (1 - beta2**t)

    def ratio(self, m, v, eps):
        return m / (v.sqrt() + eps)


# --- Mistakes that both optimizers can have -----------------------------------------------------------------


def add_common_mistakes(mistakes: Mistakes, base: type, memory: str) -> None:
    """Collect the mistakes that have nothing to do with the formula.

    Args:
        mistakes: where they go.
        base: `SGDSteps` or `AdamSteps`.
        memory: what a student calls the memory of a parameter: "velocity", "averages".
    """

    @mistakes.add("the parameters climb: subtract lr times the direction, down the slope.")
    class Ascent(base):
        def move(self, p, d, group):
            p.add_(group["lr"] * d)

    @mistakes.add("the learning rate is not used. Multiply the direction by lr.")
    class NoRate(base):
        def move(self, p, d, group):
            p.sub_(d)

    @mistakes.add(
        "the parameters never change: `p = p - …` gives the name p to a new tensor. Write p.sub_(…)."
    )
    class NewTensor(base):
        def move(self, p, d, group):
            p = p - group["lr"] * d

    @mistakes.add("`p.data = …` gives the parameter new memory: views of it go stale. Change it in place.")
    class NewMemory(base):
        def move(self, p, d, group):
            p.data = p.data - group["lr"] * d

    @mistakes.add("step() runs with gradients on: autograd refuses to change a leaf. Use torch.no_grad().")
    class WithGradients(base):
        def step(self):
            with torch.enable_grad():
                for group in self.param_groups:
                    for i, p in enumerate(group["params"]):
                        if p.grad is not None:
                            g = p.grad + group["weight_decay"] * p
                            p -= group["lr"] * self.direction(p, g, group, self.remembered(p, group, i))

    @mistakes.add("step() turns gradients off and leaves them off. Use `with torch.no_grad():`.")
    class GradientsLeftOff(base):
        def begin(self):
            torch.set_grad_enabled(False)

        def step(self):
            type(self).__mro__[1].step.__wrapped__(self)

    @mistakes.add("the parameters no longer ask for gradients after a step. Leave requires_grad as it is.")
    class Detached(base):
        def move(self, p, d, group):
            p.requires_grad_(False)
            p.sub_(group["lr"] * d)

    @mistakes.add("a parameter without a gradient is not skipped: its p.grad is None.")
    class NoneNotSkipped(base):
        def skips(self, p):
            return False

    @mistakes.add("a missing gradient counts as 0: the parameter still moves. Skip it, its memory too.")
    class NoneAsZero(base):
        def skips(self, p):
            return False

        def raw(self, p):
            return torch.zeros_like(p) if p.grad is None else p.grad

    @mistakes.add("a gradient of 0 is skipped. Only None means that there is none.")
    class ZerosSkipped(base):
        def skips(self, p):
            return p.grad is None or not p.grad.any()

    @mistakes.add("one parameter without a gradient ends the loop: `return` or `break`. Use `continue`.")
    class StopsAtNone(base):
        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for i, p in enumerate(group["params"]):
                    if p.grad is None:
                        return
                    self.update(p, group, i)

    @mistakes.add("weight_decay is not used. Add weight_decay * p to the gradient.")
    class NoDecay(base):
        def gradient(self, p, group):
            return p.grad

    @mistakes.add(
        "the sign of weight_decay is wrong: the parameters grow. Add weight_decay * p to the gradient."
    )
    class DecayGrows(base):
        def gradient(self, p, group):
            return p.grad - group["weight_decay"] * p

    @mistakes.add("twice the weight decay. Its penalty is λ/2 · p², and the gradient of that λ p.")
    class DecayTwice(base):
        def gradient(self, p, group):
            return p.grad + 2 * group["weight_decay"] * p

    @mistakes.add("weight_decay is added as a number: the parameter is missing. Add weight_decay * p.")
    class DecayWithoutParameter(base):
        def gradient(self, p, group):
            return p.grad + group["weight_decay"]

    @mistakes.add("weight_decay pulls by its sign (an L1 penalty). Add weight_decay * p to the gradient.")
    class DecayBySign(base):
        def gradient(self, p, group):
            return p.grad + group["weight_decay"] * p.sign()

    @mistakes.add("weight_decay multiplies the gradient. Add weight_decay * p to it.")
    class DecayOfGradient(base):
        def gradient(self, p, group):
            return p.grad + group["weight_decay"] * p.grad

    @mistakes.add(
        "weight_decay is not scaled by lr: p.mul_(1 - weight_decay). Add weight_decay * p to the gradient."
    )
    class DecayWithoutRate(base):
        def gradient(self, p, group):
            return p.grad

        def move(self, p, d, group):
            p.sub_(group["lr"] * d + group["weight_decay"] * p)

    @mistakes.add(
        "the gradient is changed in place by weight_decay (`p.grad.add_`). Others read it: make a new tensor."
    )
    class GradientChanged(base):
        def gradient(self, p, group):
            return p.grad.add_(p, alpha=group["weight_decay"])

    @mistakes.add(
        "p.grad is replaced by the gradient with weight_decay. Others still read it: use a new name."
    )
    class GradientReplaced(base):
        def gradient(self, p, group):
            p.grad = p.grad + group["weight_decay"] * p
            return p.grad

    @mistakes.add(
        "step() drops the gradients. Whoever clips or prints them needs them: leave that to zero_grad()."
    )
    class StepZeroes(base):
        def move(self, p, d, group):
            p.sub_(group["lr"] * d)
            p.grad = None

    @mistakes.add("zero_grad() does nothing. Set each p.grad to None, or to zero.")
    class ZeroGradEmpty(base):
        def zero_grad(self):
            pass

    @mistakes.add("zero_grad() calls p.grad.zero_() where there is no gradient: p.grad is None. Ask first.")
    class ZeroGradNeedsGradients(base):
        def zero_grad(self):
            for p in self.all_parameters():
                p.grad.zero_()

    @mistakes.add("zero_grad() reaches the first group only. Go through all of param_groups.")
    class ZeroGradFirstGroup(base):
        def zero_grad(self):
            for p in self.param_groups[0]["params"]:
                p.grad = None

    @mistakes.add("zero_grad() reaches only the first parameter of a group: a `return` or a name too early.")
    class ZeroGradFirstParameter(base):
        def zero_grad(self):
            for group in self.param_groups:
                group["params"][0].grad = None

    @mistakes.add("step() reaches the first group only. Go through all of param_groups.")
    class FirstGroupOnly(base):
        def groups_to_step(self):
            return self.param_groups[:1]

    @mistakes.add("the options of the first group count for all. Read each option from its own group.")
    class OptionsOfFirstGroup(base):
        def update(self, p, group, i):
            super().update(p, self.param_groups[0], i)

        def remembered(self, p, group, i):
            return self.memory.setdefault(p, {})

    @mistakes.add(
        "the options are those of the constructor. A group has its own, and a schedule changes group['lr']."
    )
    class OptionsOfConstructor(base):
        def update(self, p, group, i):
            super().update(p, {**group, **self.defaults}, i)

    @mistakes.add(
        "a group's own options are lost: each group gets the constructor's. Fill in only what it lacks."
    )
    class GroupsOverwritten(base):
        def make_groups(self, params):
            params = list(params)
            groups = params if isinstance(params[0], dict) else [{"params": params}]
            return [{**group, **self.defaults, "params": list(group["params"])} for group in groups]

    @mistakes.add("lr is read once, in the constructor. A schedule writes group['lr']: read it in each step.")
    class RateReadOnce(base):
        def start(self):
            self.rates = [group["lr"] for group in self.param_groups]

        def update(self, p, group, i):
            position = [id(each) for each in self.param_groups].index(id(group))
            super().update(p, {**group, "lr": self.rates[position]}, i)

    @mistakes.add("the groups are put into one: all get the options of the constructor. Keep each dict.")
    class GroupsMerged(base):
        def make_groups(self, params):
            groups = super().make_groups(params)
            return [{**self.defaults, "params": [p for group in groups for p in group["params"]]}]

    @mistakes.add("a generator such as model.parameters() can be walked through once. Keep list(params).")
    class GeneratorKept(base):
        def make_groups(self, params):
            if isinstance(params, list):
                return super().make_groups(params)
            return [{**self.defaults, "params": params}]

        def zero_grad(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = None

    @mistakes.add(f"the {memory} stand under id(p), and a deep copy has other ids. Use p itself as the key.")
    class KeyedById(base):
        def key(self, p, group, i):
            return id(p)

    @mistakes.add(
        f"the {memory} stand under the position in the group: two groups share them. Use p as the key."
    )
    class KeyedByPosition(base):
        def key(self, p, group, i):
            return i

    @mistakes.add(f"parameters of one shape share their {memory}. Each parameter needs its own.")
    class KeyedByShape(base):
        def key(self, p, group, i):
            return p.shape

    @mistakes.add(f"the {memory} start anew in each step. They must be kept from step to step.")
    class Forgetful(base):
        def remembered(self, p, group, i):
            return {}
