"""How students get `mixup` wrong."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes

MIXUP = Mistakes()


class _Mixup:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, x, y, alpha, num_classes):
        self.check(alpha)
        share = self.share(alpha, x)
        partner = self.partner(len(x))
        mixed = self.mix(x, share, partner)
        return mixed, self.mix_labels(self.onehot(y, num_classes, x), share, partner)

    def check(self, alpha):
        if alpha < 0:
            raise ValueError(alpha)

    def share(self, alpha, x):
        return self.beta(alpha, alpha) if alpha > 0 else torch.tensor(1.0)

    def beta(self, a, b):
        # Beta(a, b) of two gamma numbers: torch.distributions.Beta takes ten times as long.
        one, other = torch._standard_gamma(torch.tensor([a, b], dtype=torch.float64))
        return one / (one + other)

    def partner(self, n):
        return torch.randperm(n)

    def onehot(self, y, num_classes, x):
        return F.one_hot(y, num_classes).to(x.dtype)

    def mix(self, x, share, partner):
        return share * x + (1 - share) * x[partner]

    def mix_labels(self, labels, share, partner):
        return self.mix(labels, share, partner)


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(x, y, alpha, num_classes):
            return steps(x, y, alpha, num_classes)

        wrong.__name__ = type(steps).__name__
        return MIXUP.add(message, section)(wrong)

    return collect


# --- Labels -------------------------------------------------------------------------------------------------


@_mistake("the labels are not mixed: y_soft is one-hot. They take the same λ and partner as the pictures.")
class labels_not_mixed(_Mixup):
    def mix_labels(self, labels, share, partner):
        return labels


@_mistake("the labels are those of the partner alone. Mix both, with λ and 1 - λ.")
class labels_of_the_partner(_Mixup):
    def mix_labels(self, labels, share, partner):
        return labels[partner]


@_mistake("the labels have λ and 1 - λ the other way round: the own label has the weight of the own picture.")
class labels_the_other_way_round(_Mixup):
    def mix_labels(self, labels, share, partner):
        return self.mix(labels, 1 - share, partner)


@_mistake("the labels are mixed with another permutation than the pictures. Draw one and use it twice.")
class labels_with_another_partner(_Mixup):
    def mix_labels(self, labels, share, partner):
        return self.mix(labels, share, self.partner(len(labels)))


@_mistake("the labels are mixed with another λ than the pictures. Draw one and use it twice.")
class labels_with_another_share(_Mixup):
    def mix_labels(self, labels, share, partner):
        return self.mix(labels, torch.rand(()), partner)


@_mistake("the labels are mixed half and half. They take the λ of the pictures.")
class labels_half_and_half(_Mixup):
    def mix_labels(self, labels, share, partner):
        return self.mix(labels, 0.5, partner)


@_mistake("the targets have the label of the larger share alone. Keep both shares: y_soft is soft.")
class larger_label_wins(_Mixup):
    def mix_labels(self, labels, share, partner):
        return self.mix(labels, (share >= 0.5).to(labels.dtype), partner)


@_mistake("the two labels both have weight 1: targets sum to 2. Weigh them with λ and 1 - λ.")
class labels_added(_Mixup):
    def mix_labels(self, labels, share, partner):
        return labels + labels[partner]


@_mistake("the partner's label is lost: its weight 1 - λ is missing, and targets do not sum to 1.")
class partners_label_lost(_Mixup):
    def mix_labels(self, labels, share, partner):
        return share * labels


@_mistake("the targets went through a softmax. The mixed one-hot rows are probabilities already.")
class softmax_of_the_labels(_Mixup):
    def mix_labels(self, labels, share, partner):
        return super().mix_labels(labels, share, partner).softmax(1)


@_mistake("the class numbers are mixed: 0.5 · 2 + 0.5 · 0 is not class 1. Mix one-hot rows.")
class numbers_mixed(_Mixup):
    def mix_labels(self, labels, share, partner):
        return self.mix(labels.argmax(1).to(labels.dtype), share, partner).round().long()


@_mistake("the number of classes is counted in the batch: a class may be absent there. Use num_classes.")
class classes_counted(_Mixup):
    def onehot(self, y, num_classes, x):
        return super().onehot(y, int(y.max()) + 1, x)


@_mistake("y_soft is float32 or float64 whatever x is: give the one-hot rows x's dtype.")
class other_dtype(_Mixup):
    def onehot(self, y, num_classes, x):
        other = torch.float64 if x.dtype == torch.float32 else torch.float32
        return super().onehot(y, num_classes, x).to(other)


# --- Pictures -----------------------------------------------------------------------------------------------


@_mistake("the pictures are not mixed, only the labels are.")
class pictures_not_mixed(_Mixup):
    def __call__(self, x, y, alpha, num_classes):
        return x.clone(), super().__call__(x, y, alpha, num_classes)[1]


@_mistake("each pixel has a λ of its own. One λ for the whole picture, or its label means nothing.")
class share_of_each_pixel(_Mixup):
    def __call__(self, x, y, alpha, num_classes):
        _, soft = super().__call__(x, y, alpha, num_classes)
        partner = self.partner(len(x))
        share = torch.rand(x.shape, dtype=x.dtype) if alpha else torch.ones_like(x)
        return self.mix(x, share, partner), soft


@_mistake("the weights do not sum to 1: λ x + x[partner]. The partner has the weight 1 - λ.")
class partner_in_full(_Mixup):
    def mix(self, x, share, partner):
        return share * x + x[partner] * (share < 1)


@_mistake("both have the weight λ. The partner has 1 - λ.")
class both_with_the_same_share(_Mixup):
    def mix(self, x, share, partner):
        return share * x + share * x[partner] if share < 1 else x


@_mistake("the partner is added with a minus sign: λ x - (1 - λ) x[partner].")
class subtracted(_Mixup):
    def mix(self, x, share, partner):
        return share * x - (1 - share) * x[partner]


@_mistake("the batch is mixed with its mean, not with one other picture.")
class mixed_with_the_mean(_Mixup):
    def mix(self, x, share, partner):
        return share * x + (1 - share) * x.mean(0, keepdim=True)


@_mistake("x itself is changed (x *= λ). Write into a new tensor.")
class in_place(_Mixup):
    def __call__(self, x, y, alpha, num_classes):
        mixed, soft = super().__call__(x, y, alpha, num_classes)
        return x.copy_(mixed), soft


# --- Draws --------------------------------------------------------------------------------------------------


@_mistake("λ is uniform whatever alpha is. Draw it from Beta(alpha, alpha).")
class uniform_share(_Mixup):
    def beta(self, a, b):
        return torch.rand(())


@_mistake("λ is fixed at 1/2. Draw it from Beta(alpha, alpha).")
class always_half(_Mixup):
    def beta(self, a, b):
        return torch.tensor(0.5)


@_mistake("λ is alpha itself in your code. It is drawn from Beta(alpha, alpha).")
class alpha_as_share(_Mixup):
    def beta(self, a, b):
        return torch.tensor(min(float(a), 0.9))


@_mistake("λ is drawn from Beta(alpha, 1): on average it is not 1/2. Both arguments are alpha.")
class one_sided_beta(_Mixup):
    def beta(self, a, b):
        return super().beta(a, 1.0)


@_mistake("λ is drawn from Beta(1, alpha): on average it is not 1/2. Both arguments are alpha.")
class other_sided_beta(_Mixup):
    def beta(self, a, b):
        return super().beta(1.0, b)


@_mistake("λ is drawn with 1 / alpha: large alphas mix little, small ones much. It is Beta(alpha, alpha).")
class inverse_alpha(_Mixup):
    def beta(self, a, b):
        return super().beta(1 / a, 1 / b)


@_mistake("you take max(λ, 1 - λ), as MixMatch does: λ is never below 1/2. mixup takes λ as it is drawn.")
class never_below_half(_Mixup):
    def beta(self, a, b):
        share = super().beta(a, b)
        return torch.maximum(share, 1 - share)


@_mistake("λ is normal around 1/2 and cut off. Draw it from Beta(alpha, alpha).")
class normal_share(_Mixup):
    def beta(self, a, b):
        return (0.5 + torch.randn(()) / (2 * (2 * a + 1) ** 0.5)).clamp(0, 1)


@_mistake("λ is the same in each call: it is drawn once. Draw a new one each time.")
class share_kept(_Mixup):
    def beta(self, a, b):
        return torch.tensor(0.3)

    def share(self, alpha, x):
        return self.beta(alpha, alpha) if alpha > 0 else torch.tensor(1.0)


@_mistake("each picture's partner is its neighbour (roll), in each call. Draw a permutation: torch.randperm.")
class partner_is_the_neighbour(_Mixup):
    def partner(self, n):
        return torch.arange(n).roll(1)


@_mistake("the partners are the batch in reverse, in each call. Draw a permutation: torch.randperm.")
class partners_in_reverse(_Mixup):
    def partner(self, n):
        return torch.arange(n).flip(0)


@_mistake(
    "a picture may be the partner of several (randint). With a permutation each is a partner once: "
    "torch.randperm."
)
class partners_with_replacement(_Mixup):
    def partner(self, n):
        return torch.randint(n, (n,))


@_mistake("one picture is the partner of all. Draw a permutation: torch.randperm.")
class one_partner_for_all(_Mixup):
    def partner(self, n):
        return torch.randint(n, (1,)).expand(n)


@_mistake("every call draws the same: you seed inside. Leave the seed to the caller.")
class seeded_inside(_Mixup):
    def partner(self, n):
        torch.default_generator.manual_seed(n)
        return super().partner(n)

    def share(self, alpha, x):
        torch.default_generator.manual_seed(len(x))
        return super().share(alpha, x)


@_mistake("λ does not come from torch (np.random.beta): torch.manual_seed must decide it.")
class another_generator(_Mixup):
    def beta(self, a, b):
        return torch.tensor(np.random.default_rng().beta(a, b), dtype=torch.float32)


@_mistake("alpha = 0 fails: there is no Beta(0, 0). λ is 1 then.")
class zero_fails(_Mixup):
    def check(self, alpha):
        if alpha <= 0:
            raise ValueError(alpha)


@_mistake("alpha = 0 mixes half and half. λ is 1 then: nothing is mixed.")
class zero_mixes(_Mixup):
    def share(self, alpha, x):
        return self.beta(alpha, alpha) if alpha > 0 else torch.tensor(0.5)


@_mistake("a negative alpha is accepted: raise ValueError.")
class negative_accepted(_Mixup):
    def check(self, alpha):
        pass


@_mistake("λ comes back as a third value, or the labels as two. Return x_mixed and y_soft.")
class three_returned(_Mixup):
    def __call__(self, x, y, alpha, num_classes):
        mixed, soft = super().__call__(x, y, alpha, num_classes)
        return mixed, soft, 0.5
