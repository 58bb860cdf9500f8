"""Schedules that compound, count from 1, or start at a rate of 0."""

import math


class StepLR(Schedule):
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base, t):
        return base * self.gamma ** ((t + 1) // self.step_size)


class CosineAnnealingLR(Schedule):
    def __init__(self, optimizer, T_max, eta_min=0):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer)

    def rate(self, base, t):
        return self.eta_min + base * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearWarmup(Schedule):
    def __init__(self, optimizer, warmup_steps):
        self.warmup_steps = warmup_steps
        super().__init__(optimizer)

    def rate(self, base, t):
        return base * min(1, t / self.warmup_steps)
