"""How students get `smote` wrong: one step of a right answer is changed."""

from __future__ import annotations

import numpy as np
import torch

from course.checks.collect import Mistakes

SMOTE = Mistakes()


class _Smote:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, x, n_new, k=5):
        self.check(x, k)
        near = self.neighbours(x, self.number(x, k))
        rows = self.rows(x, n_new)
        chosen = self.chosen(near, rows)
        return self.new(x, rows, chosen, self.share(x, n_new))

    def check(self, x, k):
        if x.dim() != 2 or len(x) < 2 or k < 1:
            raise ValueError(tuple(x.shape), k)

    def number(self, x, k):
        return min(k, len(x) - 1)

    def distances(self, x):
        return (x[:, None] - x).square().sum(2)

    def neighbours(self, x, k):
        return self.distances(x).argsort(1)[:, 1 : k + 1]

    def rows(self, x, n_new):
        return torch.randint(len(x), (n_new,))

    def chosen(self, near, rows):
        return near[rows, torch.randint(near.shape[1], rows.shape)]

    def share(self, x, n_new):
        return torch.rand(n_new, 1, dtype=x.dtype)

    def new(self, x, rows, chosen, share):
        return x[rows] + share * (x[chosen] - x[rows])


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(x, n_new, k=5):
            return steps(x, n_new, k)

        wrong.__name__ = type(steps).__name__
        return SMOTE.add(message, section)(wrong)

    return collect


# --- Rows ---------------------------------------------------------------------------------------------------


@_mistake(
    "the rows take turns: one new row always starts at row 0. Draw the row: torch.randint(len(x), ...)."
)
class rows_in_turn(_Smote):
    def rows(self, x, n_new):
        return torch.arange(n_new) % len(x)


# --- Neighbours ---------------------------------------------------------------------------------------------


@_mistake("each row is its own nearest neighbour, at distance 0: new rows are copies. Leave it out.")
class itself_among_the_neighbours(_Smote):
    def neighbours(self, x, k):
        return self.distances(x).argsort(1)[:, :k]


@_mistake("k + 1 neighbours are taken, the row itself among them. Leave it out: argsort()[:, 1 : k + 1].")
class itself_and_k(_Smote):
    def neighbours(self, x, k):
        return self.distances(x).argsort(1)[:, : k + 1]


@_mistake("one neighbour is never taken: [1:k] leaves it out (take [1 : k + 1]), and so does randint(k - 1).")
class one_neighbour_too_few(_Smote):
    def neighbours(self, x, k):
        return self.distances(x).argsort(1)[:, 1 : max(k, 2)]


@_mistake("the first neighbour is skipped: you leave out the row itself twice.")
class first_neighbour_skipped(_Smote):
    def neighbours(self, x, k):
        order = self.distances(x).argsort(1)
        return order[:, 2 : k + 2] if order.shape[1] > k + 1 else order[:, -k:]


@_mistake("one neighbour too many is taken. There are k of them.")
class one_neighbour_too_many(_Smote):
    def neighbours(self, x, k):
        return self.distances(x).argsort(1)[:, 1 : k + 2]


@_mistake("always the nearest neighbour is taken. Draw one of the k nearest.")
class nearest_only(_Smote):
    def chosen(self, near, rows):
        return near[rows, 0]


@_mistake("always the k-th neighbour is taken. Draw one of the k nearest.")
class farthest_of_them(_Smote):
    def chosen(self, near, rows):
        return near[rows, -1]


@_mistake("the rows farthest away are taken. Neighbours have the smallest distances.")
class the_farthest(_Smote):
    def neighbours(self, x, k):
        return self.distances(x).argsort(1, descending=True)[:, :k]


@_mistake("any row of the table may be the partner. Draw one of the k nearest.")
class any_row(_Smote):
    def neighbours(self, x, k):
        return self.distances(x).argsort(1)[:, 1:]


@_mistake("the neighbours are those of similar direction (dot product). Take the Euclidean distance.")
class dot_product(_Smote):
    def distances(self, x):
        return (-(x @ x.T)).fill_diagonal_(-torch.inf)


@_mistake("the neighbours are found by cosine similarity. Take the Euclidean distance.")
class cosine(_Smote):
    def distances(self, x):
        unit = x / x.norm(dim=1, keepdim=True)
        return (-(unit @ unit.T)).fill_diagonal_(-torch.inf)


@_mistake("the distances add up absolute differences (Manhattan). Take the Euclidean distance.")
class manhattan(_Smote):
    def distances(self, x):
        return (x[:, None] - x).abs().sum(2)


@_mistake("the largest difference of a feature counts as distance. Take the Euclidean distance.")
class largest_difference(_Smote):
    def distances(self, x):
        return (x[:, None] - x).abs().amax(2)


@_mistake("only the first feature counts for the distance. Use all of them.")
class first_feature_only(_Smote):
    def distances(self, x):
        return (x[:, None, 0] - x[:, 0]).abs()


@_mistake("the features are standardized before distances are taken. The contract leaves that to the caller.")
class standardized(_Smote):
    def distances(self, x):
        return super().distances((x - x.mean(0)) / x.std(0))


@_mistake("the distances are compared along the wrong axis: neighbours of features, or of other rows.")
class neighbours_of_another_row(_Smote):
    def chosen(self, near, rows):
        return near[(rows + 1) % len(near), torch.randint(near.shape[1], rows.shape)]


@_mistake("with fewer than k + 1 rows your code fails. All other rows are neighbours then: min(k, N - 1).")
class too_few_rows_fail(_Smote):
    def number(self, x, k):
        if k > len(x) - 1:
            raise IndexError("index out of range")
        return k


@_mistake("a table of one row is accepted, and has no neighbour. Raise ValueError.")
class one_row_accepted(_Smote):
    def check(self, x, k):
        if k < 1:
            raise ValueError(k)

    def __call__(self, x, n_new, k=5):
        return super().__call__(x, n_new, k) if len(x) > 1 else x.expand(n_new, -1).clone()


@_mistake("k = 0 is accepted. Raise ValueError.")
class no_neighbour_accepted(_Smote):
    def check(self, x, k):
        if len(x) < 2:
            raise ValueError(len(x))

    def number(self, x, k):
        return min(max(k, 1), len(x) - 1)


# --- The new rows -------------------------------------------------------------------------------------------


@_mistake(
    "each feature has a λ of its own: the new rows fill a box around the two. One λ for the whole row keeps "
    "it on the line."
)
class share_of_each_feature(_Smote):
    def share(self, x, n_new):
        return torch.rand(n_new, x.shape[1], dtype=x.dtype)


@_mistake("one λ for all new rows. Draw one for each.")
class one_share_for_all(_Smote):
    def share(self, x, n_new):
        return torch.rand(1, 1, dtype=x.dtype).expand(n_new, 1)


@_mistake("λ is always 1/2: the middle. Draw it between 0 and 1.")
class always_the_middle(_Smote):
    def share(self, x, n_new):
        return torch.full((n_new, 1), 0.5, dtype=x.dtype)


@_mistake(
    "the difference is taken the wrong way round: the new row lies beyond x_i, away from its neighbour."
)
class away_from_the_neighbour(_Smote):
    def new(self, x, rows, chosen, share):
        return x[rows] + share * (x[rows] - x[chosen])


@_mistake("λ goes beyond 1: new rows lie behind the neighbour. Draw it between 0 and 1.")
class beyond_the_neighbour(_Smote):
    def share(self, x, n_new):
        return 2 * super().share(x, n_new)


@_mistake("λ is also negative: new rows lie on both sides of x_i. Draw it between 0 and 1: torch.rand.")
class both_ways(_Smote):
    def share(self, x, n_new):
        return 2 * super().share(x, n_new) - 1


@_mistake("λ is a normal number: new rows lie outside. Draw it between 0 and 1: torch.rand.")
class normal_share(_Smote):
    def share(self, x, n_new):
        return torch.randn(n_new, 1, dtype=x.dtype)


@_mistake("λ stays below 1/2: new rows keep near x_i. Draw it between 0 and 1.")
class half_way_at_most(_Smote):
    def share(self, x, n_new):
        return super().share(x, n_new) / 2


@_mistake("λ keeps away from 0 and 1. Draw it from the whole of [0, 1): torch.rand.")
class away_from_the_ends(_Smote):
    def share(self, x, n_new):
        return 0.1 + 0.8 * super().share(x, n_new)


@_mistake("λ is not uniform: you multiply two draws, or square one.")
class share_squared(_Smote):
    def share(self, x, n_new):
        return super().share(x, n_new) ** 2


@_mistake("the difference is added without x_i: x_i + λ (x_j - x_i).")
class difference_alone(_Smote):
    def new(self, x, rows, chosen, share):
        return share * (x[chosen] - x[rows])


@_mistake("the neighbour is added, not the difference to it: x_i + λ (x_j - x_i).")
class neighbour_added(_Smote):
    def new(self, x, rows, chosen, share):
        return x[rows] + share * x[chosen]


@_mistake("the new rows are copies of old ones. Move each towards a neighbour.")
class copies(_Smote):
    def new(self, x, rows, chosen, share):
        return x[rows]


@_mistake("the new rows are copies with noise. Move each towards a neighbour.")
class copies_with_noise(_Smote):
    def new(self, x, rows, chosen, share):
        return x[rows] + 0.1 * x.std(0) * torch.randn_like(x[rows])


@_mistake("the new rows are the mean of a row and all its neighbours. Go towards one of them.")
class mean_of_the_neighbours(_Smote):
    def __call__(self, x, n_new, k=5):
        self.check(x, k)
        near = self.neighbours(x, self.number(x, k))
        rows = self.rows(x, n_new)
        centre = x[near].mean(1)
        return x[rows] + self.share(x, n_new) * (centre[rows] - x[rows])


# --- Draws, shapes ------------------------------------------------------------------------------------------


@_mistake("all new rows start from the same row. Draw one for each.")
class one_row_for_all(_Smote):
    def rows(self, x, n_new):
        return torch.randint(len(x), (1,)).expand(n_new)


@_mistake("the last row of the table is never chosen: torch.randint leaves its upper end out.")
class last_row_never(_Smote):
    def rows(self, x, n_new):
        return torch.randint(len(x) - 1, (n_new,))


@_mistake("the table comes back with the new rows below it. Return the new ones alone.")
class table_returned_too(_Smote):
    def new(self, x, rows, chosen, share):
        return torch.cat([x, super().new(x, rows, chosen, share)])


@_mistake("you make n_new rows for each row of the table. n_new is their number in total.")
class new_for_each_row(_Smote):
    def __call__(self, x, n_new, k=5):
        return super().__call__(x, n_new * len(x), k)


@_mistake("x itself is changed. Write into a new tensor.")
class in_place(_Smote):
    def new(self, x, rows, chosen, share):
        new = super().new(x, rows, chosen, share)
        x[: len(new)] = new[: len(x)]
        return new


@_mistake("every call gives the same rows: you seed inside. Leave the seed to the caller.")
class seeded_inside(_Smote):
    def rows(self, x, n_new):
        torch.default_generator.manual_seed(n_new)
        return super().rows(x, n_new)


@_mistake("your numbers do not come from torch (numpy, random): torch.manual_seed must decide them.")
class another_generator(_Smote):
    def share(self, x, n_new):
        return torch.from_numpy(np.random.default_rng().random((n_new, 1))).to(x.dtype)


@_mistake("the new rows are float64 or float32 whatever x is. Keep the dtype.")
class other_dtype(_Smote):
    def new(self, x, rows, chosen, share):
        out = super().new(x, rows, chosen, share)
        return out.float() if out.dtype == torch.float64 else out.double()


@SMOTE.add("the default of k is not 5.")
def other_default(x, n_new, k=11):
    return _Smote()(x, n_new, k)
