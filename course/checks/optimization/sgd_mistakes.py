"""How students get `SGD` wrong."""

from __future__ import annotations

from course.checks.collect import Mistakes
from course.checks.optimization.optimizer_steps import SGDSteps, add_common_mistakes

SGD = Mistakes()
add_common_mistakes(SGD, SGDSteps, "velocities")


@SGD.add("the velocity is an average: v = μ v + (1 - μ) g (a dampening). Here v = μ v + g.")
class Dampened(SGDSteps):
    def velocity(self, before, g, mu, group):
        return (1 - mu) * g if before is None else mu * before + (1 - mu) * g


@SGD.add("v = μ v + (1 - μ) g is dampened after the first step. Here v = μ v + g in all of them.")
class DampenedLater(SGDSteps):
    def velocity(self, before, g, mu, group):
        return g.clone() if before is None else mu * before + (1 - mu) * g


@SGD.add("momentum weighs the new gradient: v = (1 - μ) v + μ g. It weighs the old velocity: v = μ v + g.")
class MomentumReversed(SGDSteps):
    def velocity(self, before, g, mu, group):
        return mu * g if before is None else (1 - mu) * before + mu * g


@SGD.add("the new gradient is multiplied by momentum too: μ (v + g). Here v = μ v + g.")
class GradientTimesMomentum(SGDSteps):
    def velocity(self, before, g, mu, group):
        return mu * g if before is None else mu * (before + g)


@SGD.add("the old velocity is kept whole: v = v + g. Multiply it by momentum.")
class NothingForgotten(SGDSteps):
    def velocity(self, before, g, mu, group):
        return g.clone() if before is None else before + g


@SGD.add("the velocity is subtracted: v = g - μ v. Add it: v = μ v + g.")
class VelocitySubtracted(SGDSteps):
    def velocity(self, before, g, mu, group):
        return g.clone() if before is None else g - mu * before


@SGD.add("only the last gradient is remembered: g + μ g_before. The velocity holds all of them: v = μ v + g.")
class OnlyTheLastGradient(SGDSteps):
    def direction(self, p, g, group, memory):
        before, memory["v"] = memory.get("v", 0 * g), g.clone()
        v = group["momentum"] * before + g
        return g + group["momentum"] * v if group["nesterov"] else v


@SGD.add("the first step does not move: v was 0 before g was added. Update the velocity, then move.")
class MovesByTheOldVelocity(SGDSteps):
    def direction(self, p, g, group, memory):
        mu = group["momentum"]
        if mu == 0:
            return g
        before = memory.get("v", 0 * g)
        memory["v"] = mu * before + g
        return g + mu * before if group["nesterov"] else before


@SGD.add("lr is inside of the velocity: v = μ v + lr g. When lr falls, the old part keeps the old rate.")
class RateInVelocity(SGDSteps):
    def velocity(self, before, g, mu, group):
        return group["lr"] * g if before is None else mu * before + group["lr"] * g

    def ahead(self, g, v, mu, before):
        return v + mu * v - mu * (0 if before is None else before)

    def direction(self, p, g, group, memory):
        if group["momentum"] == 0:
            return group["lr"] * g
        d = super().direction(p, g, group, memory)
        return group["lr"] * g + group["momentum"] * memory["v"] if group["nesterov"] else d

    def move(self, p, d, group):
        p.sub_(d)


@SGD.add(
    "nesterov changes nothing: with the old velocity, g + μ v is v itself. Update v first, then use g + μ v."
)
class NesterovIgnored(SGDSteps):
    def ahead(self, g, v, mu, before):
        return v


@SGD.add("Nesterov's form is always on. It is asked for with nesterov=True.")
class NesterovAlways(SGDSteps):
    def direction(self, p, g, group, memory):
        d = super().direction(p, g, {**group, "nesterov": False}, memory)
        return g + group["momentum"] * d if group["momentum"] else d


@SGD.add("Nesterov's form is v + μ g here. It is g + μ v: the gradient, and the velocity looked ahead.")
class NesterovSwapped(SGDSteps):
    def ahead(self, g, v, mu, before):
        return v + mu * g


@SGD.add("Nesterov's form adds the whole velocity: g + v. Multiply it by momentum.")
class NesterovWithoutMomentum(SGDSteps):
    def ahead(self, g, v, mu, before):
        return g + v


@SGD.add("Nesterov's form leaves the gradient out: μ v. Move by g + μ v.")
class NesterovWithoutGradient(SGDSteps):
    def ahead(self, g, v, mu, before):
        return mu * v


@SGD.add("Nesterov's form takes p.grad without its weight decay. Take g: weight_decay * p is part of it.")
class NesterovWithoutDecay(SGDSteps):
    def update(self, p, group, i):
        self.raw_gradient = p.grad
        super().update(p, group, i)

    def ahead(self, g, v, mu, before):
        return self.raw_gradient + mu * v


@SGD.add("Nesterov's direction is kept as the velocity. Keep v itself, and use g + μ v for this step only.")
class NesterovKept(SGDSteps):
    def direction(self, p, g, group, memory):
        d = super().direction(p, g, group, memory)
        if group["nesterov"]:
            memory["v"] = d
        return d


@SGD.add("Nesterov's form adds the velocity twice: v + μ v. Move by g + μ v.")
class NesterovOfTheVelocity(SGDSteps):
    def ahead(self, g, v, mu, before):
        return v + mu * v


@SGD.add("the first velocity is p.grad itself, not a copy: later steps write into it. Use clone().")
class VelocityIsTheGradient(SGDSteps):
    def gradient(self, p, group):
        # As torch's: without weight decay there is no new tensor.
        return p.grad + group["weight_decay"] * p if group["weight_decay"] else p.grad

    def velocity(self, before, g, mu, group):
        return g if before is None else before.mul_(mu).add_(g)


@SGD.add("p.grad becomes the velocity: the update is computed in place, in the gradient. Use a new tensor.")
class GradientHoldsTheVelocity(SGDSteps):
    def direction(self, p, g, group, memory):
        d = super().direction(p, g, group, memory)
        p.grad.copy_(d)
        return d


@SGD.add("a step without a gradient empties the velocity. It stays as it is until the next gradient comes.")
class VelocityEmptied(SGDSteps):
    def skips(self, p):
        if p.grad is None:
            self.memory.pop(p, None)
        return super().skips(p)


@SGD.add("a step without a gradient still shrinks the velocity. It stays as it is until a gradient comes.")
class VelocityShrinks(SGDSteps):
    def skips(self, p):
        if p.grad is None and "v" in self.memory.get(p, {}):
            self.memory[p]["v"] *= self.defaults["momentum"]
        return super().skips(p)


@SGD.add("weight decay stays out of the velocity (as in SGDW). Add weight_decay * p to g before v = μ v + g.")
class DecayOutsideVelocity(SGDSteps):
    def gradient(self, p, group):
        return p.grad

    def move(self, p, d, group):
        p.sub_(group["lr"] * (d + group["weight_decay"] * p))


@SGD.add("weight decay is applied after the step, to the moved parameter. Add it to the gradient before.")
class DecayAfterTheStep(SGDSteps):
    def gradient(self, p, group):
        return p.grad

    def move(self, p, d, group):
        p.sub_(group["lr"] * d)
        p.sub_(group["lr"] * group["weight_decay"] * p)


@SGD.add("momentum of a group is not used: all have the constructor's. Read it from the group.")
class MomentumOfConstructor(SGDSteps):
    def option(self, group, name):
        return self.defaults[name] if name == "momentum" else group[name]


@SGD.add("nesterov of a group is not used: all have the constructor's. Read it from the group.")
class NesterovOfConstructor(SGDSteps):
    def direction(self, p, g, group, memory):
        return super().direction(p, g, {**group, "nesterov": self.defaults["nesterov"]}, memory)


@SGD.add("weight_decay of a group is not used: all have the constructor's. Read it from the group.")
class DecayOfConstructor(SGDSteps):
    def option(self, group, name):
        return self.defaults[name] if name == "weight_decay" else group[name]


@SGD.add("momentum is 0.9 whatever the argument says. Use the argument.")
class MomentumFixed(SGDSteps):
    def option(self, group, name):
        return 0.9 if name == "momentum" and group["momentum"] else group[name]


@SGD.add("the step has the length lr whatever the gradient: it is divided by its norm. Use it as it is.")
class Normalized(SGDSteps):
    def gradient(self, p, group):
        g = super().gradient(p, group)
        return g / (g.norm() + 1e-12)


@SGD.add("only the sign of the gradient is used. Multiply lr by the gradient itself.")
class SignOnly(SGDSteps):
    def gradient(self, p, group):
        return super().gradient(p, group).sign()
