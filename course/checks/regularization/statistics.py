"""What is compared where the results are random, and how far two right answers may be apart.

A measure takes all that a probe's calls returned, with the batch that went in above it, and reads from it
what was drawn: which window, whether a picture was mirrored, which numbers were dropped. Two kinds follow.

- *Laws* hold exactly: every number is 0 or x / (1 - p), every picture a window of the padded one. A right
  answer obeys them in 100 % of its numbers.
- *Frequencies* are those of some thousand draws, of the student's and of the oracle's. Each tolerance is 6
  standard deviations of the difference of two such, and more, which chance exceeds once in 5e8 comparisons
  (2e-9, two sides of a normal distribution). A check makes fewer than 60 such comparisons: its false-alarm
  rate is below 1e-6. tests/test_regularization_checks.py counts them, and measures the standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from course.checks.framework import Tolerance

Measure = Callable[[Tensor], Tensor]

EXACT = Tolerance(0.0, 1e-9, "a law holds for all draws or it is broken")


def nothing(value: Tensor) -> Tensor:
    """No number at all: shape and dtype are what is compared."""
    return value.new_zeros(())


def share(flags: Tensor) -> Tensor:
    """The share of what is true."""
    return flags.double().mean()


def share_tolerance(count: int, p: float = 0.5) -> Tolerance:
    """Of a share near p among `count` draws."""
    return Tolerance(
        0.0,
        6 * math.sqrt(2 * p * (1 - p) / count),
        f"6 standard deviations of the difference of two shares near {p} of {count:,} draws",
    )


# --- Draws that should be independent -----------------------------------------------------------------------

FEWEST_MEANS = 200


def together(plan: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    """Whether the draws along an axis go together: 0, 0, 0 when they are independent.

    First the variance of their mean, times their number, over the variance of one: 1 for independent draws, n
    for n equal ones, 0 for draws that balance; of that the logarithm, cut at 1e-6. Then the correlation of
    neighbours on the axis, times 2.5, and that of its two halves, times 2: these have the same tolerance, and
    show draws that are there twice.
    """
    axes = (axis,) if isinstance(axis, int) else axis
    centred = plan - plan.mean()
    rows = centred.movedim(axes, tuple(range(-len(axes), 0))).flatten(-len(axes))
    variance = centred.square().mean().clamp_min(1e-300)
    ratio = rows.shape[-1] * rows.mean(-1).square().mean() / variance
    neighbours = (rows[..., 1:] * rows[..., :-1]).mean() / variance
    half = rows.shape[-1] // 2
    halves = (rows[..., :half] * rows[..., half : 2 * half]).mean() / variance
    return torch.stack([ratio.clamp(1e-6, 1e6).log(), 2.5 * neighbours, 2 * halves])


TOGETHER = Tolerance(
    0.0,
    6 * math.sqrt(2 * 2 / FEWEST_MEANS),
    f"the variance of {FEWEST_MEANS} means is known to sqrt(2 / {FEWEST_MEANS}); 4 equal draws: log 4. "
    "750 products know a correlation to 0.037, and 6 * sqrt(2) * 2.5 * 0.037 is 0.78; 500 to 0.045: 0.76",
)

# --- Dropout ------------------------------------------------------------------------------------------------


def outcomes(p: float) -> Measure:
    """The share of outputs that are 0 or x / (1 - p)."""

    def measure(drawn: Tensor) -> Tensor:
        x, outputs = drawn[:1], drawn[1:]
        wanted = x / (1 - p)
        return share((outputs == 0) | ((outputs - wanted).abs() <= 1e-5 * wanted.abs()))

    return measure


def factor(drawn: Tensor) -> Tensor:
    """By how much the numbers that stay are larger than those of the input; 0 when none stays."""
    x, outputs = drawn[:1].expand_as(drawn[1:]), drawn[1:]
    kept = outputs != 0
    return (outputs[kept] / x[kept]).mean() if kept.any() else x.new_zeros(())


def dropped(drawn: Tensor) -> Tensor:
    """The share of zeros."""
    return share(drawn[1:] == 0)


AGAIN = share_tolerance(200)


def masks_together(axis: int | tuple[int, ...]) -> Measure:
    """Whether the masks go together along an axis of (draws, N, ...)."""
    return lambda drawn: together((drawn[1:] != 0).double(), axis)


def same_mask(passes: Tensor) -> Tensor:
    """The share of gradients that are grad_output times output / x: (4, draws, N, ...)."""
    x, output, grad_output, gradient = passes
    wanted = grad_output * output / x
    return share((gradient - wanted).abs() <= 1e-5 * (1 + wanted.abs()))


# --- Batches of pictures ------------------------------------------------------------------------------------


def batches(drawn: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n pictures that went in, (N, C, H, W), and all that came out, (draws, N, C, H, W)."""
    return drawn[:n], drawn[n:].unflatten(0, (-1, n))


def windows(x: Tensor, padding: int) -> Tensor:
    """All windows of the padded pictures, (places, N, C, H, W), row by row."""
    height, width = x.shape[-2:]
    padded = torch.nn.functional.pad(x, (padding,) * 4)
    places = range(2 * padding + 1)
    return torch.stack([padded[..., i : i + height, j : j + width] for i in places for j in places])


def equals(outputs: Tensor, choices: Tensor) -> Tensor:
    """Which of the choices each output is: (draws, N, choices)."""
    return torch.stack([(outputs == choice).flatten(2).all(2) for choice in choices], 2)


def are_windows(n: int, padding: int) -> Measure:
    """The share of pictures that are a window of their own padded picture."""

    def measure(drawn: Tensor) -> Tensor:
        x, outputs = batches(drawn, n)
        return share(equals(outputs, windows(x, padding)).any(2))

    return measure


def places(n: int, padding: int) -> Measure:
    """How often each row of windows is taken, and each column: 2 * (2 * padding + 1) shares."""

    def measure(drawn: Tensor) -> Tensor:
        taken = _grid(drawn, n, padding).mean((0, 1))
        return torch.cat([taken.sum(1), taken.sum(0)])

    return measure


def pairs_of_places(n: int, padding: int) -> Measure:
    """How often each window is taken: (2 * padding + 1)**2 shares."""
    return lambda drawn: _grid(drawn, n, padding).mean((0, 1)).flatten()


def _grid(drawn: Tensor, n: int, padding: int) -> Tensor:
    x, outputs = batches(drawn, n)
    side = 2 * padding + 1
    return equals(outputs, windows(x, padding)).double().unflatten(2, (side, side))


def windows_together(n: int, padding: int, axis: int) -> Measure:
    """Whether the windows' rows and columns go together along an axis of (draws, N)."""

    def measure(drawn: Tensor) -> Tensor:
        grid = _grid(drawn, n, padding)
        steps = torch.arange(grid.shape[-1], dtype=grid.dtype)
        rows, columns = (grid.sum(3) * steps).sum(2), (grid.sum(2) * steps).sum(2)
        return torch.cat([together(rows, axis), together(columns, axis)])

    return measure


def edge(n: int) -> Measure:
    """The mean of the topmost row and the leftmost column."""

    def measure(drawn: Tensor) -> Tensor:
        _, outputs = batches(drawn, n)
        return torch.stack([outputs[..., 0, :].mean(), outputs[..., 0].mean()])

    return measure


EDGE = Tolerance(
    0.0,
    6 * math.sqrt(2 * 18**2 / 1_000),
    "the mean pixel of an edge of 1,000 pictures, whose own standard deviation is below 18",
)


def mirrored_or_not(n: int) -> Measure:
    """The share of pictures that are as they were or mirrored left to right."""

    def measure(drawn: Tensor) -> Tensor:
        x, outputs = batches(drawn, n)
        return share(equals(outputs, torch.stack([x, x.flip(-1)])).any(2))

    return measure


def _changes(x: Tensor) -> Tensor:
    """As it was; left to right, top to bottom, both; channels the other way round; another picture."""
    return torch.stack([x, x.flip(-1), x.flip(-2), x.flip(-1, -2), x.flip(1), x.flip(0)])


def changes(n: int) -> Measure:
    """The share of each kind of change, and of those that are none of them."""

    def measure(drawn: Tensor) -> Tensor:
        x, outputs = batches(drawn, n)
        found = equals(outputs, _changes(x)).double().mean((0, 1))
        return torch.cat([found, 1 - found.sum(0, keepdim=True)])

    return measure


def mirrored_together(n: int, axis: int) -> Measure:
    """Whether pictures are mirrored together along an axis of (draws, N)."""

    def measure(drawn: Tensor) -> Tensor:
        x, outputs = batches(drawn, n)
        return together(equals(outputs, x.flip(-1)[None])[..., 0].double(), axis)

    return measure


# --- Noise --------------------------------------------------------------------------------------------------


def noise(n: int, measure: Measure) -> Measure:
    """A measure of what was added to the pictures, (draws, N, C, H, W)."""

    def of_the_noise(drawn: Tensor) -> Tensor:
        x, outputs = batches(drawn, n)
        return measure(outputs - x)

    return of_the_noise


def noise_at_dark_and_light(n: int) -> Measure:
    """The standard deviation of the noise where pixels are below and above 1/2."""

    def measure(drawn: Tensor) -> Tensor:
        x, outputs = batches(drawn, n)
        added, dark = outputs - x, (x < 0.5).expand_as(outputs)
        return torch.stack([added[dark].std(), added[~dark].std()])

    return measure


HALVES = Tolerance(
    6 / math.sqrt(9_000), 0.0, "the standard deviation of 9,000 normal numbers is known to 1 / sqrt(2 n)"
)

# --- Mixup --------------------------------------------------------------------------------------------------


class Mixed:
    """What `mixup` did to a batch of n examples that begin with the rows of the n x n identity.

    drawn: (draws * n, D + classes): the mixed examples beside their targets. The first n columns say how the
    examples were mixed.
    """

    def __init__(self, drawn: Tensor, n: int, examples: Tensor) -> None:
        width = examples[0].numel()
        self.examples = examples.flatten(1).to(drawn.dtype)
        self.mixed = drawn[:, :width].unflatten(0, (-1, n))  # (draws, n, D)
        self.targets = drawn[:, width:].unflatten(0, (-1, n))
        self.weights = self.mixed[..., :n]  # (draws, n, n)
        self.own = self.weights.diagonal(dim1=1, dim2=2)
        self.others = self.weights - torch.diag_embed(self.own)

    def near(self, one: Tensor, other: Tensor) -> Tensor:
        """Whether rows agree."""
        return ((one - other).abs() <= 1e-5).all(-1)


def _fixed(build: Callable[[Mixed], Tensor], n: int, examples: Tensor) -> Measure:
    return lambda drawn: build(Mixed(drawn, n, examples))


def two_examples(n: int, examples: Tensor) -> Measure:
    """The share of examples that are a mean of themselves and one other, with weights that sum to 1."""

    def build(mixed: Mixed) -> Tensor:
        few = (mixed.others != 0).sum(2) <= 1
        sums = (mixed.weights.sum(2) - 1).abs() <= 1e-5
        return share(few & sums & (mixed.weights >= 0).all(2))

    return _fixed(build, n, examples)


def weight_sums(n: int, examples: Tensor) -> Measure:
    """The mean sum of weights of an example, and the smallest and largest of them."""

    def build(mixed: Mixed) -> Tensor:
        sums = mixed.weights.sum(2)
        return torch.stack([sums.min(), sums.max(), mixed.weights.min().clamp(max=0)])

    return _fixed(build, n, examples)


def one_weight(n: int, examples: Tensor) -> Measure:
    """The share of examples whose pixels are all mixed with the same weights."""
    return _fixed(lambda m: share(m.near(m.mixed, m.weights @ m.examples)), n, examples)


def labels_mixed(n: int, examples: Tensor, onehot: Tensor) -> Measure:
    """The share of examples whose targets are mixed as the examples are."""
    return _fixed(lambda m: share(m.near(m.targets, m.weights @ onehot.to(m.mixed.dtype))), n, examples)


def target_sums(n: int, examples: Tensor) -> Measure:
    """The smallest and the largest sum of a target's entries, and the smallest entry when it is negative."""

    def build(mixed: Mixed) -> Tensor:
        sums = mixed.targets.sum(2)
        return torch.stack([sums.min(), sums.max(), mixed.targets.min().clamp(max=0)])

    return _fixed(build, n, examples)


def mean_targets(n: int, examples: Tensor) -> Measure:
    """The mean of the largest entry of a target."""
    return _fixed(lambda m: m.targets.amax(2).mean(), n, examples)


def weights_of_the_label(n: int, examples: Tensor, onehot: Tensor) -> Measure:
    """The mean of a target's entry for the example's own label."""
    return _fixed(lambda m: (m.targets * onehot).sum(2).mean(), n, examples)


def partners_differ(n: int, examples: Tensor) -> Measure:
    """The share of calls in which no example is the partner of two."""
    return _fixed(lambda m: share(((m.others > 1e-6).sum(1) <= 1).all(1)), n, examples)


def partners(n: int, examples: Tensor) -> Measure:
    """How often each example is the partner of the second; where it stays by itself, its own."""

    def build(mixed: Mixed) -> Tensor:
        second = mixed.others[:, 1]
        chosen = torch.where((second > 0).any(1), second.argmax(1), 1)
        return torch.stack([share(chosen == index) for index in range(n)])

    return _fixed(build, n, examples)


def weights_of_the_own(n: int, examples: Tensor) -> Measure:
    """Mean, variance and share near the ends of λ, of the first example of each call that has a partner."""

    def build(mixed: Mixed) -> Tensor:
        has_partner = mixed.own < 1
        first = has_partner.double().argmax(1)
        share_of_own = mixed.own.gather(1, first[:, None])[:, 0]
        far = (share_of_own - 0.5).abs()
        return torch.stack([share_of_own.mean(), 4 * far.square().mean(), share(far > 0.4)])

    return _fixed(build, n, examples)


def different_weights(n: int, examples: Tensor) -> Measure:
    """The share of calls with a λ that no other call has."""

    def build(mixed: Mixed) -> Tensor:
        smallest = mixed.own.amin(1)
        return torch.tensor(len(smallest.unique()) / len(smallest), dtype=torch.float64)

    return _fixed(build, n, examples)


DIFFERENT = Tolerance(
    0.0, 0.1, "of 250 float32 numbers hardly two are equal; where nobody has a partner, λ is 1"
)
NEARLY = Tolerance(0.0, 1e-5, "a law holds for all draws or it is broken; sums are rounded")
WEIGHTS = Tolerance(
    0.0,
    6 * math.sqrt(2 * 0.25 / 250),
    "numbers between 0 and 1 have at most variance 1/4; 250 calls",
)
WEIGHTS_IN_THE_MIDDLE = Tolerance(
    0.0, 6 * math.sqrt(2 * 0.04 / 250), "λ of Beta(4, 4) has variance 0.028, its spread 0.02; 250 calls"
)
MEAN_TARGET = Tolerance(
    0.0,
    6 * math.sqrt(2 * 0.0225 / 250),
    "max(λ, 1 - λ) of a uniform λ has standard deviation 0.144; 250 calls",
)

# --- SMOTE --------------------------------------------------------------------------------------------------


class Segments:
    """Where new rows lie between the rows of a table: (n + new, D), the table above them.

    Each new row is put down to the two rows whose line it is nearest to.
    """

    def __init__(self, drawn: Tensor, n: int, k: int) -> None:
        x, new = drawn[:n], drawn[n:]
        distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
        nearest = distances.topk(min(k, n - 1), largest=False).indices
        neighbour = torch.zeros(n, n, dtype=torch.bool).scatter_(1, nearest, True)
        low, high = torch.triu_indices(n, n, 1)
        between = x[high] - x[low]
        place = ((new[:, None] - x[low]) * between).sum(2) / between.square().sum(1)
        off = (new[:, None] - x[low] - place[..., None] * between).norm(dim=2) / between.norm(dim=1)
        best = off.argmin(1)
        rows = torch.arange(len(new))
        self.off, self.place = off[rows, best], place[rows, best]
        self.low, self.high = low[best], high[best]
        self.pair = best
        self.pairs = len(low)
        self.forward, self.backward = neighbour[self.low, self.high], neighbour[self.high, self.low]

    @property
    def on_a_line(self) -> Tensor:
        """Which new rows lie on the line of two rows."""
        return self.off <= 1e-5


_FOUND: WeakIdKeyDictionary = WeakIdKeyDictionary()


def _segments(drawn: Tensor, n: int, k: int) -> Segments:
    """The segments of a table, which several measures ask for."""
    if drawn not in _FOUND:
        _FOUND[drawn] = Segments(drawn, n, k)
    found: Segments = _FOUND[drawn]
    return found


def on_segments(n: int, k: int) -> Measure:
    """The share of new rows on the line through two rows, and of those between the two."""

    def measure(drawn: Tensor) -> Tensor:
        found = _segments(drawn, n, k)
        inside = (found.place > -1e-6) & (found.place < 1 + 1e-6)
        return torch.stack([share(found.on_a_line), share(found.on_a_line & inside)])

    return measure


def of_neighbours(n: int, k: int) -> Measure:
    """The share of new rows that lie on the line of a row and one of its neighbours."""

    def measure(drawn: Tensor) -> Tensor:
        found = _segments(drawn, n, k)
        return share(found.on_a_line & (found.forward | found.backward))

    return measure


def pairs_taken(n: int, k: int) -> Measure:
    """How often each pair of rows has a new one between them."""

    def measure(drawn: Tensor) -> Tensor:
        found = _segments(drawn, n, k)
        return torch.bincount(found.pair, minlength=found.pairs).double() / len(found.pair)

    return measure


def steps_taken(n: int, k: int) -> Measure:
    """Mean of λ and shares below 1/4, 1/2, 3/4, where it is clear from which row to which the step goes."""

    def measure(drawn: Tensor) -> Tensor:
        found = _segments(drawn, n, k)
        one_way = found.forward != found.backward
        step = torch.where(found.forward, found.place, 1 - found.place)[one_way]
        if len(step) == 0:
            return drawn.new_full((4,), -1.0)
        return torch.stack([step.mean(), *(share(step < limit) for limit in (0.25, 0.5, 0.75))])

    return measure


def ends(n: int, k: int) -> Measure:
    """The smallest and the largest λ, where it is clear from which row to which the step goes."""

    def measure(drawn: Tensor) -> Tensor:
        found = _segments(drawn, n, k)
        one_way = found.forward != found.backward
        step = torch.where(found.forward, found.place, 1 - found.place)[one_way]
        return torch.stack([step.min(), step.max()]) if len(step) else drawn.new_full((2,), -1.0)

    return measure


ENDS = Tolerance(0.0, 0.02, "of 1,000 uniform numbers none is below 0.02 with probability 0.98**1000, 2e-9")


def different_steps(n: int, k: int) -> Measure:
    """The share of new rows at a place of their own between two rows."""

    def measure(drawn: Tensor) -> Tensor:
        place = _segments(drawn, n, k).place
        place = torch.minimum(place, 1 - place)  # from either of the two rows
        steps = (place * 1e6).round().unique()
        return torch.tensor(len(steps) / len(place), dtype=torch.float64)

    return measure


DIFFERENT_STEPS = Tolerance(0.0, 0.1, "of 3,000 numbers, rounded to 6 digits, some ten are there twice")


def repeated(n: int, k: int) -> Measure:
    """The share of new rows that lie between the same two rows as the one before."""

    def measure(drawn: Tensor) -> Tensor:
        pair = _segments(drawn, n, k).pair
        return share(pair[1:] == pair[:-1])

    return measure


REPEATED = Tolerance(0.0, 0.1, "of 30 pairs the same comes twice in a row in 5 % of 3,000, known to 0.4 %")


def original_rows(n: int) -> Measure:
    """The share of new rows that are a row of the table."""
    return lambda drawn: share((drawn[n:, None] == drawn[:n]).all(2).any(1))


STEPS = share_tolerance(900)
"""At least a third of 3,000 new rows lie where the direction of the step is clear."""
