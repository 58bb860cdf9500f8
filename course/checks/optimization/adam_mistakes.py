"""How students get `Adam` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes
from course.checks.optimization.optimizer_steps import AdamSteps, add_common_mistakes

ADAM = Mistakes()
add_common_mistakes(ADAM, AdamSteps, "averages")


@ADAM.add("the bias correction is missing: the averages start at 0. Divide by 1 - β ** t.")
class NoCorrection(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m, v


@ADAM.add("only v is corrected. Divide m by 1 - β1 ** t as well.")
class OnlySecondCorrected(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m, v / (1 - beta2**t)


@ADAM.add("only m is corrected. Divide v by 1 - β2 ** t as well.")
class OnlyFirstCorrected(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m / (1 - beta1**t), v


@ADAM.add("the correction is always that of the first step: 1 - β. Take 1 - β ** t.")
class CorrectionWithoutPower(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m / (1 - beta1), v / (1 - beta2)


@ADAM.add("both averages are corrected with β1. The second has β2.")
class CorrectedWithBeta1(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m / (1 - beta1**t), v / (1 - beta1**t)


@ADAM.add("the corrections change places: m has β1, v has β2.")
class CorrectionsSwapped(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m / (1 - beta2**t), v / (1 - beta1**t)


@ADAM.add("you multiply by 1 - β ** t. Divide: the averages are too small at first.")
class CorrectionMultiplied(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m * (1 - beta1**t), v * (1 - beta2**t)


@ADAM.add("1 - β * t is not the correction. It is 1 - β ** t, a power.")
class CorrectionTimesT(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return m / (1 - beta1 * t), v / (1 - beta2 * t)


@ADAM.add("the corrected averages are kept and corrected again in the next step. Keep m and v themselves.")
class CorrectedKept(AdamSteps):
    def direction(self, p, g, group, memory):
        d = super().direction(p, g, group, memory)
        beta1, beta2 = group["betas"]
        memory["m"], memory["v"] = self.corrected(memory["m"], memory["v"], beta1, beta2, memory["t"])
        return d


@ADAM.add("t is 0 in the first step: 1 - β ** 0 is 0, and 0/0 is nan. Count it up first.")
class CountsFromZero(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return super().corrected(m, v, beta1, beta2, t - 1)


@ADAM.add("t is 2 in the first step. It starts at 0 and is counted up once, to 1.")
class CountsFromTwo(AdamSteps):
    def corrected(self, m, v, beta1, beta2, t):
        return super().corrected(m, v, beta1, beta2, t + 1)


@ADAM.add("one t counts the steps of the optimizer. A parameter that comes later has its own t, from 1.")
class OneCountForAll(AdamSteps):
    def start(self):
        self.t = 0

    def begin(self):
        self.t += 1

    def count(self, memory, p, group):
        return self.t


@ADAM.add("t is counted up once per parameter, inside the loop. Each parameter has its own t.")
class CountsEveryParameter(AdamSteps):
    def start(self):
        self.t = 0

    def count(self, memory, p, group):
        self.t += 1
        return self.t


@ADAM.add("eps is inside the root: √(v + eps). Add it after the root.")
class EpsInRoot(AdamSteps):
    def ratio(self, m, v, eps):
        return m / (v + eps).sqrt()


@ADAM.add("eps is added to √v before the correction. Correct v first: √v̂ + eps.")
class EpsBeforeCorrection(AdamSteps):
    def direction(self, p, g, group, memory):
        super().direction(p, g, group, memory)
        (beta1, beta2), t = group["betas"], memory["t"]
        scale = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        return scale * memory["m"] / (memory["v"].sqrt() + group["eps"])


@ADAM.add("eps is 1e-8 whatever the argument says. Use the argument.")
class EpsFixed(AdamSteps):
    def ratio(self, m, v, eps):
        return m / (v.sqrt() + 1e-8)


@ADAM.add("eps is missing: a gradient that has always been 0 gives 0/0.")
class NoEps(AdamSteps):
    def ratio(self, m, v, eps):
        return m / v.sqrt()


@ADAM.add("eps is a lower bound (clamp). Add it: √v̂ + eps.")
class EpsAsBound(AdamSteps):
    def ratio(self, m, v, eps):
        return m / v.sqrt().clamp(min=eps)


@ADAM.add("the root is missing: m / (v + eps). Divide by √v̂ + eps.")
class NoRoot(AdamSteps):
    def ratio(self, m, v, eps):
        return m / (v + eps)


@ADAM.add("you multiply by √v̂. Divide by it: large gradients get smaller steps.")
class Multiplied(AdamSteps):
    def ratio(self, m, v, eps):
        return m * (v.sqrt() + eps)


@ADAM.add("the direction is m̂ alone. Divide it by √v̂ + eps.")
class NotDivided(AdamSteps):
    def ratio(self, m, v, eps):
        return m


@ADAM.add("the gradient itself is divided by √v̂ (that is RMSprop). Divide its average m̂.")
class GradientDivided(AdamSteps):
    def direction(self, p, g, group, memory):
        super().direction(p, g, group, memory)
        v = memory["v"] / (1 - group["betas"][1] ** memory["t"])
        return g / (v.sqrt() + group["eps"])


@ADAM.add("the betas change places: β1 belongs to m, β2 to v.")
class BetasSwapped(AdamSteps):
    def betas(self, group):
        return group["betas"][::-1]


@ADAM.add("the betas are 0.9 and 0.999 whatever the argument says. Use group['betas'].")
class BetasFixed(AdamSteps):
    def betas(self, group):
        return 0.9, 0.999


@ADAM.add("the betas of a group are not used: all have the constructor's. Read them from the group.")
class BetasOfConstructor(AdamSteps):
    def betas(self, group):
        return self.defaults["betas"]


@ADAM.add("eps of a group is not used: all have the constructor's. Read it from the group.")
class EpsOfConstructor(AdamSteps):
    def option(self, group, name):
        return self.defaults[name] if name == "eps" else group[name]


@ADAM.add("weight_decay of a group is not used: all have the constructor's. Read it from the group.")
class DecayOfConstructor(AdamSteps):
    def option(self, group, name):
        return self.defaults[name] if name == "weight_decay" else group[name]


@ADAM.add("β weighs the new number: m = (1 - β1) m + β1 g. It weighs the old one: β1 m + (1 - β1) g.")
class BetasReversed(AdamSteps):
    def average(self, m, g, beta1):
        return (1 - beta1) * m + beta1 * g

    def square(self, v, g, beta2, m):
        return (1 - beta2) * v + beta2 * g**2


@ADAM.add("1 - β1 is missing: m = β1 m + g is a velocity. m is an average: β1 m + (1 - β1) g.")
class AverageNotWeighted(AdamSteps):
    def average(self, m, g, beta1):
        return beta1 * m + g


@ADAM.add("1 - β2 is missing in v. It is an average: β2 v + (1 - β2) g².")
class SquareNotWeighted(AdamSteps):
    def square(self, v, g, beta2, m):
        return beta2 * v + g**2


@ADAM.add("the squares are added up (as in Adagrad). v is an average: β2 v + (1 - β2) g².")
class SquaresAddedUp(AdamSteps):
    def square(self, v, g, beta2, m):
        return v + (1 - beta2) * g**2


@ADAM.add("v averages |g|. It averages g².")
class AbsoluteValues(AdamSteps):
    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * g.abs()


@ADAM.add("v averages g without the square: its root is nan where g is negative. Take g².")
class NotSquared(AdamSteps):
    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * g


@ADAM.add("v is made from m². It averages the squares of the gradient itself.")
class SquareOfTheAverage(AdamSteps):
    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * m**2


@ADAM.add("v averages (g - m)², a variance. It averages g².")
class Centred(AdamSteps):
    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * (g - m) ** 2


@ADAM.add("v is one number per parameter tensor (the norm). It has an entry for each entry of g.")
class OneNumberPerTensor(AdamSteps):
    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * (g**2).mean()


@ADAM.add("v keeps its largest value (AMSGrad). Here it may fall: √v̂ of this step.")
class LargestKept(AdamSteps):
    def direction(self, p, g, group, memory):
        super().direction(p, g, group, memory)
        (beta1, beta2), t = group["betas"], memory["t"]
        memory["top"] = torch.maximum(memory.get("top", memory["v"]), memory["v"])
        m, v = self.corrected(memory["m"], memory["top"], beta1, beta2, t)
        return self.ratio(m, v, group["eps"])


@ADAM.add("the direction looks ahead (NAdam). Adam divides m̂ itself.")
class LooksAhead(AdamSteps):
    def direction(self, p, g, group, memory):
        super().direction(p, g, group, memory)
        (beta1, beta2), t = group["betas"], memory["t"]
        m, v = self.corrected(memory["m"], memory["v"], beta1, beta2, t)
        return self.ratio(beta1 * m + (1 - beta1) * g / (1 - beta1**t), v, group["eps"])


@ADAM.add("the averages start at the first gradient. They start at 0; the correction takes care of that.")
class StartsAtTheGradient(AdamSteps):
    def direction(self, p, g, group, memory):
        if "m" not in memory:
            memory["m"], memory["v"] = g.clone(), g**2
        return super().direction(p, g, group, memory)


@ADAM.add("v starts at 1. Both averages start at 0.")
class SquareStartsAtOne(AdamSteps):
    def direction(self, p, g, group, memory):
        memory.setdefault("v", torch.ones_like(p))
        return super().direction(p, g, group, memory)


@ADAM.add("m and v are one tensor: `m = v = zeros_like(p)`, changed in place. Make two.")
class OneTensorForBoth(AdamSteps):
    def direction(self, p, g, group, memory):
        beta1, beta2 = group["betas"]
        both = memory.setdefault("both", torch.zeros_like(p))
        memory["t"] = t = self.count(memory, p, group)
        both.mul_(beta1).add_((1 - beta1) * g)
        both.mul_(beta2).add_((1 - beta2) * g**2)
        return self.ratio(*self.corrected(both, both, beta1, beta2, t), group["eps"])


@ADAM.add("weight decay is decoupled: this is AdamW. Adam adds weight_decay * p to the gradient.")
class Decoupled(AdamSteps):
    def gradient(self, p, group):
        return p.grad

    def move(self, p, d, group):
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.sub_(group["lr"] * d)


@ADAM.add("weight decay is missing in v. Add weight_decay * p to the gradient before both averages.")
class DecayOnlyInFirst(AdamSteps):
    def direction(self, p, g, group, memory):
        memory["raw"] = p.grad
        return super().direction(p, g, group, memory)

    def update(self, p, group, i):
        self.raw_gradient = p.grad
        super().update(p, group, i)

    def square(self, v, g, beta2, m):
        return beta2 * v + (1 - beta2) * self.raw_gradient**2


@ADAM.add("weight decay is missing in m. Add weight_decay * p to the gradient before both averages.")
class DecayOnlyInSecond(AdamSteps):
    def update(self, p, group, i):
        self.raw_gradient = p.grad
        super().update(p, group, i)

    def average(self, m, g, beta1):
        return beta1 * m + (1 - beta1) * self.raw_gradient


@ADAM.add("the step is lr / √t: the rate falls by itself. Leave that to a schedule.")
class FallingRate(AdamSteps):
    def direction(self, p, g, group, memory):
        return super().direction(p, g, group, memory) / memory["t"] ** 0.5


@ADAM.add("the default of lr is not 1e-3.")
class OtherDefaultRate(AdamSteps):
    def __init__(self, params, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, lr, betas, eps, weight_decay)
