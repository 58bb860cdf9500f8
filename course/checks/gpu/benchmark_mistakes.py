"""How students get `benchmark_step` wrong."""

from __future__ import annotations

import statistics
import time

import torch

from course.checks.collect import Mistakes
from course.device import synchronize

BENCHMARK_STEP = Mistakes()


class Recipe:
    """A right measurement, one step a method; each mistake overrides one of them."""

    def __call__(self, step, device, warmup=3, repeats=10):
        self.warm_up(step, device, warmup)
        times = [self.measure(step, device) for _ in range(self.count(repeats))]
        return self.result(times)

    def warm_up(self, step, device, warmup):
        for _ in range(warmup):
            step()

    def count(self, repeats):
        return repeats

    def wait(self, device):
        synchronize(device)

    def wait_before(self, device):
        self.wait(device)

    def wait_after(self, device):
        self.wait(device)

    def clock(self):
        return time.perf_counter()

    def measure(self, step, device):
        self.wait_before(device)
        start = self.clock()
        step()
        self.wait_after(device)
        return self.clock() - start

    def result(self, times):
        return statistics.median(times)


def _collect(message, section=None):
    """Collect a recipe with one wrong step; a student would have written it as a function."""

    def collect(recipe):
        run = recipe()

        def benchmark_step(step, device, warmup=3, repeats=10):
            return run(step, device, warmup, repeats)

        benchmark_step.__name__ = recipe.__name__
        BENCHMARK_STEP.add(message, section)(benchmark_step)
        return recipe

    return collect


# --- warm-up and repeats ------------------------------------------------------------------------------------


@_collect(
    "there is no warm-up: the first calls are slow for reasons of their own. Call step warmup times first."
)
class no_warmup(Recipe):
    def warm_up(self, step, device, warmup):
        pass


@_collect("the warm-up calls are among the measured ones. Call them without a clock, and forget them.")
class warmup_measured(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        return self.result([self.measure(step, device) for _ in range(warmup + repeats)])


@_collect("only repeats - warmup calls are measured. step is called warmup + repeats times in all.")
class warmup_taken_from_repeats(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        times = [self.measure(step, device) for _ in range(max(repeats, warmup + 1))]
        return self.result(times[warmup:])


@_collect("the warm-up has a fixed length. It is the argument warmup.")
class warmup_fixed(Recipe):
    def warm_up(self, step, device, warmup):
        super().warm_up(step, device, 3)


@_collect("there is one warm-up call only, whatever warmup says.")
class warmup_once(Recipe):
    def warm_up(self, step, device, warmup):
        super().warm_up(step, device, 1)


@_collect("the number of measurements is fixed. It is the argument repeats.")
class repeats_fixed(Recipe):
    def count(self, repeats):
        return 10


@_collect("you throw the first measurement away. The warm-up is for that; all repeats count.")
class first_thrown_away(Recipe):
    def result(self, times):
        return super().result(times[1:] or times)


@_collect("you warm up again before each measurement. Once, before all of them, is what is asked for.")
class warmup_each_time(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        times = []
        for _ in range(repeats):
            self.warm_up(step, device, warmup)
            times.append(self.measure(step, device))
        return self.result(times)


@_collect("one measurement less than repeats is made. range(1, repeats) has repeats - 1 numbers.")
class one_repeat_less(Recipe):
    def count(self, repeats):
        return max(1, repeats - 1)


@_collect(
    "warm-up and measurement are the wrong way round: warmup calls are measured, repeats calls are not."
)
class arguments_swapped(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        return super().__call__(step, device, repeats, max(1, warmup))


# --- the clock and the queue --------------------------------------------------------------------------------


@_collect(
    "the clock stops while the GPU still works: what you see is how fast Python fills the queue. "
    "Synchronize, then read the clock."
)
class no_wait_after(Recipe):
    def wait_after(self, device):
        pass


@_collect(
    "the clock starts while the warm-up is still in the queue, so the first time is too long. "
    "Synchronize before you start it."
)
class no_wait_before(Recipe):
    def wait_before(self, device):
        pass


@_collect(
    "one clock runs over all the calls, and the total is divided. One interrupted call then spoils it: "
    "measure each call, take the median."
)
class total_divided(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        self.warm_up(step, device, warmup)
        self.wait(device)
        start = self.clock()
        for _ in range(repeats):
            step()
        self.wait(device)
        return (self.clock() - start) / repeats


@_collect("the clock is not started anew for each call: the times add up. Read it before every step.")
class clock_started_once(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        self.warm_up(step, device, warmup)
        self.wait(device)
        start = self.clock()
        times = []
        for _ in range(repeats):
            step()
            self.wait(device)
            times.append(self.clock() - start)
        return self.result(times)


@_collect("the warm-up runs inside of the measurement. Start the clock after it.")
class warmup_inside(Recipe):
    def __call__(self, step, device, warmup=3, repeats=10):
        times = []
        for repeat in range(repeats):
            self.wait(device)
            start = self.clock()
            if repeat == 0:
                self.warm_up(step, device, warmup)
            step()
            self.wait(device)
            times.append(self.clock() - start)
        return self.result(times)


@_collect(
    "time.time() is the date, which the system may correct while you measure. Take time.perf_counter()."
)
class date_as_clock(Recipe):
    def clock(self):
        return time.time()


@_collect(
    "time.process_time() counts the work of all cores and no waiting. How long it takes is what "
    "time.perf_counter() shows."
)
class processor_time(Recipe):
    def clock(self):
        return time.process_time()


@_collect("the difference is the wrong way round: the later time minus the earlier one.")
class negative(Recipe):
    def result(self, times):
        return -super().result(times)


# --- the summary --------------------------------------------------------------------------------------------


@_collect("you take the mean: one interrupted call moves it. The median stays.")
class mean(Recipe):
    def result(self, times):
        return statistics.mean(times)


@_collect("you take the shortest time. Asked for is the typical one, the median.")
class shortest(Recipe):
    def result(self, times):
        return min(times)


@_collect("you take the longest time. Asked for is the typical one, the median.")
class longest(Recipe):
    def result(self, times):
        return max(times)


@_collect("you return the total of all times. One call is what is asked for: the median.")
class total(Recipe):
    def result(self, times):
        return sum(times)


@_collect("for an even number you take the upper of the two in the middle. The median is their mean.")
class upper_median(Recipe):
    def result(self, times):
        return sorted(times)[len(times) // 2]


@_collect(
    "for an even number you take the lower of the two in the middle (as torch.median does). "
    "The median is their mean."
)
class lower_median(Recipe):
    def result(self, times):
        return sorted(times)[(len(times) - 1) // 2]


@_collect("you take the time in the middle of the list without sorting it. The median is the middle by size.")
class middle_unsorted(Recipe):
    def result(self, times):
        return times[len(times) // 2]


@_collect("the result is in milliseconds. Return seconds.")
class milliseconds(Recipe):
    def result(self, times):
        return 1000 * super().result(times)


@_collect("the result is in nanoseconds. Return seconds.")
class nanoseconds(Recipe):
    def result(self, times):
        return 1e9 * super().result(times)


@_collect("you return calls per second. Return seconds per call.")
class calls_per_second(Recipe):
    def result(self, times):
        return 1 / super().result(times)


@_collect("the result is rounded to milliseconds, and a short step becomes 0. Return the number as it is.")
class rounded(Recipe):
    def result(self, times):
        return round(super().result(times), 3)


@_collect("you return the list of all times. Return one number, their median.")
class all_times(Recipe):
    def result(self, times):
        return times


@_collect("you return several numbers. Return one, the median.")
class median_and_spread(Recipe):
    def result(self, times):
        return statistics.median(times), min(times), max(times)


@_collect("you return a tensor. Return a number: statistics.median(times).")
class as_tensor(Recipe):
    def result(self, times):
        return torch.tensor(times, dtype=torch.float64).quantile(0.5)


# --- which device -------------------------------------------------------------------------------------------


@_collect(
    "torch.cuda.synchronize() is called for every device. Use synchronize(device), which asks which it is."
)
class cuda_always(Recipe):
    def wait(self, device):
        torch.cuda.synchronize()


@_collect("Apple's GPU is forgotten: it has a queue too. Use synchronize(device).")
class cuda_only(Recipe):
    def wait(self, device):
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)


@_collect(
    'torch.device("cuda") == "cuda" is False. Use synchronize(device), or compare torch.device(device).type.'
)
class compared_with_text(Recipe):
    def wait(self, device):
        if device == "cuda":
            torch.cuda.synchronize()


@_collect(
    "the device may be text as well. torch.device(device) makes one of both; synchronize(device) does that."
)
class attribute_of_text(Recipe):
    def wait(self, device):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()


@_collect(
    "you wait for the first GPU, and the work is on the second one. Pass the device: synchronize(device)."
)
class first_gpu_only(Recipe):
    def wait(self, device):
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize()
        else:
            synchronize(device)
