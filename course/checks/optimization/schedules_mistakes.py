"""How students get the schedules wrong: one rate of a right schedule each, or where it is written."""

from __future__ import annotations

import math

from course.checks.collect import Mistakes


class _Schedule:
    """A right schedule in small steps. `bases` are the groups' own rates, t counts the calls."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.bases = self.find_bases([group["lr"] for group in optimizer.param_groups])
        self.t = self.start()
        self.write_first()

    def find_bases(self, rates):
        return rates

    def start(self):
        return 0

    def write_first(self):
        self.write()

    def step(self):
        self.t += 1
        self.write()

    def write(self):
        for group, base in zip(self.groups(), self.bases, strict=False):
            group["lr"] = self.rate(base, group["lr"])

    def groups(self):
        return self.optimizer.param_groups

    def rate(self, base, current):
        raise NotImplementedError


def _first_group_only(schedule):
    return schedule.optimizer.param_groups[:1]


def _attribute_instead(schedule):
    schedule.optimizer.lr = schedule.rate(schedule.bases[0], 0.0)


STEP = Mistakes()


def _steps_the_optimizer(schedule):
    schedule.t += 1
    schedule.write()
    for group in schedule.optimizer.param_groups:  # what optimizer.step() comes to
        for p in group["params"]:
            p.data.sub_(group["lr"] * p.grad)


class _StepLR(_Schedule):
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def drops(self):
        return self.t // self.step_size

    def rate(self, base, current):
        return base * self.gamma ** self.drops()


@STEP.add("gamma is 0.1 whatever the argument says. Use the argument.")
class GammaFixed(_StepLR):
    def rate(self, base, current):
        return base * 0.1 ** self.drops()


@STEP.add("gamma is subtracted from the rate. Multiply: each drop leaves the fraction gamma.")
class GammaSubtracted(_StepLR):
    def rate(self, base, current):
        return base - self.gamma * self.drops()


@STEP.add("the rate is multiplied by 1 - gamma. gamma is the fraction that stays.")
class OneMinusGamma(_StepLR):
    def rate(self, base, current):
        return base * (1 - self.gamma) ** self.drops()


@STEP.add("the rate is divided by gamma and grows. Multiply by gamma.")
class Divided(_StepLR):
    def rate(self, base, current):
        return base / self.gamma ** self.drops()


@STEP.add("the rate falls in every call. It stays for step_size calls, then it drops.")
class EveryCall(_StepLR):
    def drops(self):
        return self.t


@STEP.add("gamma ** (t / step_size) falls a little in every call. Whole drops: t // step_size.")
class NotFloored(_StepLR):
    def drops(self):
        return self.t / self.step_size


@STEP.add(
    "the rate drops one call early: after step_size calls, not before. A step() in the constructor counts."
)
class OneEarly(_StepLR):
    def drops(self):
        return (self.t + 1) // self.step_size


@STEP.add("the rate drops one call too late. The call number step_size is the one that lowers it.")
class OneLate(_StepLR):
    def drops(self):
        return max(0, self.t - 1) // self.step_size


@STEP.add("the rate drops only once. It drops every step_size calls.")
class OnlyOnce(_StepLR):
    def drops(self):
        return int(self.t >= self.step_size)


@STEP.add(
    "gamma ** (t // step_size) multiplies the current rate, which has fallen already. Use the base rate."
)
class Compounding(_StepLR):
    def rate(self, base, current):
        return current * self.gamma ** self.drops()


@STEP.add(
    "once t reaches step_size, the current rate is multiplied in every call. Ask for t % step_size == 0."
)
class EveryCallAfterwards(_StepLR):
    def rate(self, base, current):
        return current * self.gamma if self.t >= self.step_size else current


@STEP.add("0 % step_size is 0: the rate drops before the first call. It starts at the base rate.")
class DropsAtZero(_StepLR):
    def rate(self, base, current):
        return current * self.gamma if self.t % self.step_size == 0 else current


@STEP.add("rate and drops change places: gamma * base ** drops. Take base * gamma ** drops.")
class PowerOfTheBase(_StepLR):
    def rate(self, base, current):
        return base if self.drops() == 0 else self.gamma * base ** self.drops()


@STEP.add("the drops are multiplied: base * gamma * drops. Each drop multiplies again: gamma ** drops.")
class TimesDrops(_StepLR):
    def rate(self, base, current):
        return base if self.drops() == 0 else base * self.gamma * self.drops()


@STEP.add("the schedule calls optimizer.step(). The loop does that: a schedule changes the rates only.")
class StepsTheOptimizer(_StepLR):
    step = _steps_the_optimizer


@STEP.add("only the first group changes. Go through all of optimizer.param_groups.")
class FirstGroupOnly(_StepLR):
    groups = _first_group_only


@STEP.add("all groups get the rate of the first one. Each has a base rate of its own.")
class OneBaseForAll(_StepLR):
    def find_bases(self, rates):
        return [rates[0]] * len(rates)


@STEP.add(
    "the rates in the groups never change. step() writes into each group['lr']; nothing reads optimizer.lr."
)
class AttributeInstead(_StepLR):
    write = _attribute_instead


COSINE = Mistakes()


class _Cosine(_Schedule):
    def __init__(self, optimizer, T_max, eta_min=0):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def angle(self):
        return math.pi * self.t / self.T_max

    def wave(self):
        return (1 + math.cos(self.angle())) / 2

    def rate(self, base, current):
        return self.eta_min + (base - self.eta_min) * self.wave()


@COSINE.add("eta_min is not used. The rate ends there, not at 0.")
class EtaMinIgnored(_Cosine):
    def rate(self, base, current):
        return base * self.wave()


@COSINE.add("eta_min is added on top: the rate starts above the base. Scale base - eta_min.")
class EtaMinOnTop(_Cosine):
    def rate(self, base, current):
        return self.eta_min + base * self.wave()


@COSINE.add("eta_min is a lower bound (max). The whole curve is lifted: scale base - eta_min.")
class EtaMinAsBound(_Cosine):
    def rate(self, base, current):
        return max(self.eta_min, base * self.wave())


@COSINE.add("eta_min is missing in front: base - eta_min falls to 0. Add eta_min to it.")
class EtaMinNotAdded(_Cosine):
    def rate(self, base, current):
        return (base - self.eta_min) * self.wave()


@COSINE.add("the cosine itself falls to -1: rates below 0. Take (1 + cos) / 2, from 1 to 0.")
class CosineAlone(_Cosine):
    def wave(self):
        return math.cos(self.angle())


@COSINE.add("the half is missing: 1 + cos starts at 2, so the rate starts at twice the base.")
class NotHalved(_Cosine):
    def wave(self):
        return 1 + math.cos(self.angle())


@COSINE.add("the rate rises from eta_min to the base: 1 - cos. It falls with 1 + cos.")
class Rising(_Cosine):
    def wave(self):
        return (1 - math.cos(self.angle())) / 2


@COSINE.add("a sine is not a cosine: it starts at 0. Take (1 + cos(π t / T_max)) / 2.")
class Sine(_Cosine):
    def wave(self):
        return (1 + math.sin(self.angle())) / 2


@COSINE.add("the rate goes down and up again: 2π t / T_max is a whole wave. Half of it: π t / T_max.")
class WholeWave(_Cosine):
    def angle(self):
        return 2 * math.pi * self.t / self.T_max


@COSINE.add("the rate is only half way down after T_max calls: π t / (2 T_max). Take π t / T_max.")
class QuarterWave(_Cosine):
    def angle(self):
        return math.pi * self.t / (2 * self.T_max)


@COSINE.add("π is missing: cos(t / T_max) hardly falls. The angle is π t / T_max.")
class NoPi(_Cosine):
    def angle(self):
        return self.t / self.T_max


@COSINE.add("the angle is in degrees. math.cos takes radians: π t / T_max.")
class Degrees(_Cosine):
    def angle(self):
        return 180 * self.t / self.T_max


@COSINE.add("t // T_max is 0 until the end: the rate stays and then drops. Divide with /.")
class IntegerDivision(_Cosine):
    def angle(self):
        return math.pi * (self.t // self.T_max)


@COSINE.add("the rate arrives one call too early: T_max - 1. It ends after T_max calls.")
class OneShort(_Cosine):
    def angle(self):
        return math.pi * self.t / max(1, self.T_max - 1)


@COSINE.add("the rate arrives one call too late: T_max + 1. It ends after T_max calls.")
class OneLong(_Cosine):
    def angle(self):
        return math.pi * self.t / (self.T_max + 1)


@COSINE.add("t is one too large: the first rate is already below the base. t starts at 0.")
class StartsAtOne(_Cosine):
    def start(self):
        return 1


@COSINE.add(
    "t is one too small: the first call leaves the base rate. Count t up before the rate is computed."
)
class CountsAfterwards(_Cosine):
    def step(self):
        self.write()
        self.t += 1


@COSINE.add("the curve multiplies the current rate, which has fallen already. Use the base rate.")
class Compounding(_Cosine):
    def rate(self, base, current):
        return self.eta_min + (current - self.eta_min) * self.wave()


@COSINE.add("this is a straight line. The rate follows half a cosine.")
class Line(_Cosine):
    def wave(self):
        return 1 - self.t / self.T_max


@COSINE.add("the curve is squared. Take (1 + cos) / 2 itself.")
class Squared(_Cosine):
    def wave(self):
        return math.cos(self.angle() / 2) ** 4


@COSINE.add("the schedule calls optimizer.step(). The loop does that: a schedule changes the rates only.")
class StepsTheOptimizer(_Cosine):
    step = _steps_the_optimizer


@COSINE.add("only the first group changes. Go through all of optimizer.param_groups.")
class FirstGroupOnly(_Cosine):
    groups = _first_group_only


@COSINE.add("all groups get the rate of the first one. Each has a base rate of its own.")
class OneBaseForAll(_Cosine):
    def find_bases(self, rates):
        return [rates[0]] * len(rates)


@COSINE.add(
    "the rates in the groups never change. step() writes into each group['lr']; nothing reads optimizer.lr."
)
class AttributeInstead(_Cosine):
    write = _attribute_instead


WARMUP = Mistakes()


class _Warmup(_Schedule):
    def __init__(self, optimizer, warmup_steps):
        self.warmup_steps = warmup_steps
        super().__init__(optimizer)

    def factor(self):
        return min(1.0, (self.t + 1) / self.warmup_steps)

    def rate(self, base, current):
        return base * self.factor()


@WARMUP.add(
    "the first rate is 0: that update is wasted. Begin with base / warmup_steps, (t + 1) / warmup_steps."
)
class StartsAtZero(_Warmup):
    def factor(self):
        return min(1.0, self.t / self.warmup_steps)


@WARMUP.add("the base is reached one update too late: (t + 1) / (warmup_steps + 1).")
class OneLong(_Warmup):
    def factor(self):
        return min(1.0, (self.t + 1) / (self.warmup_steps + 1))


@WARMUP.add("the first rate is 2 / warmup_steps of the base: t starts at 0.")
class StartsAtOne(_Warmup):
    def start(self):
        return 1


@WARMUP.add("the constructor leaves the full rate for the first update. Set base / warmup_steps there.")
class FirstRateLeft(_Warmup):
    def write_first(self):
        pass


@WARMUP.add("the rate grows on beyond the base. After warmup_steps updates it stays: min(1, …).")
class NoBound(_Warmup):
    def factor(self):
        return (self.t + 1) / self.warmup_steps


@WARMUP.add("the factor is bounded by 1, not the rate: min(1, …) belongs around the factor alone.")
class RateBoundedByOne(_Warmup):
    def rate(self, base, current):
        return min(1.0, base * (self.t + 1) / self.warmup_steps)


@WARMUP.add("the rate falls again after the warm-up. Here it stays at the base.")
class FallsAgain(_Warmup):
    def factor(self):
        n = self.warmup_steps
        return (self.t + 1) / n if self.t < n else max(0.0, 2 - (self.t + 1) / n)


@WARMUP.add("the rate is 0 after the warm-up. It stays at the base.")
class ZeroAfterwards(_Warmup):
    def factor(self):
        return (self.t + 1) / self.warmup_steps if self.t < self.warmup_steps else 0.0


@WARMUP.add("the rate falls from the base. A warm-up begins low and rises.")
class Falling(_Warmup):
    def factor(self):
        return max(1, self.warmup_steps - self.t) / self.warmup_steps


@WARMUP.add("the current rate is multiplied, which has changed already. Use the base rate.")
class Compounding(_Warmup):
    def rate(self, base, current):
        return current * self.factor()


@WARMUP.add("the rate grows by a constant factor. It should grow by equal steps of base / warmup_steps.")
class Exponential(_Warmup):
    def factor(self):
        return self.warmup_steps ** min(0.0, (self.t + 1) / self.warmup_steps - 1)


@WARMUP.add("the rate follows a cosine. It should grow along a straight line.")
class Cosine(_Warmup):
    def factor(self):
        return (1 - math.cos(math.pi * min(1.0, (self.t + 1) / self.warmup_steps))) / 2


@WARMUP.add("the rate stays at base / warmup_steps until the end and then jumps. It grows in every call.")
class Jump(_Warmup):
    def factor(self):
        return 1.0 if self.t + 1 >= self.warmup_steps else 1 / self.warmup_steps


@WARMUP.add("(t + 1) // warmup_steps is 0 until the end. Divide with /.")
class IntegerDivision(_Warmup):
    def factor(self):
        return min(1, (self.t + 1) // self.warmup_steps)


@WARMUP.add("warmup_steps is taken as a factor: the rate rises from the base. It ends at the base.")
class AboveTheBase(_Warmup):
    def factor(self):
        return min(self.warmup_steps, self.t + 1)


@WARMUP.add("the schedule calls optimizer.step(). The loop does that: a schedule changes the rates only.")
class StepsTheOptimizer(_Warmup):
    step = _steps_the_optimizer


@WARMUP.add("only the first group changes. Go through all of optimizer.param_groups.")
class FirstGroupOnly(_Warmup):
    groups = _first_group_only


@WARMUP.add("all groups get the rate of the first one. Each has a base rate of its own.")
class OneBaseForAll(_Warmup):
    def find_bases(self, rates):
        return [rates[0]] * len(rates)


@WARMUP.add(
    "the rates in the groups never change. step() writes into each group['lr']; nothing reads optimizer.lr."
)
class AttributeInstead(_Warmup):
    write = _attribute_instead


@WARMUP.add("the base rate is taken to be 1. It is the group's own lr at the start.")
class BaseIsOne(_Warmup):
    def find_bases(self, rates):
        return [1.0] * len(rates)
