"""How students get `Dropout` wrong: one step of a right layer is changed."""

from __future__ import annotations

import torch
from torch import nn

from course.checks.collect import Mistakes

DROPOUT = Mistakes()


class _Dropout(nn.Module):
    """A right layer, in steps; a mistake overrides one of them."""

    def __init__(self, p=0.5):
        super().__init__()
        self.check(p)
        self.p = p

    def check(self, p):
        if not 0 <= p <= 1:
            raise ValueError(p)

    def forward(self, x):
        if not self.active():
            return self.evaluate(x)
        return self.scaled(x, self.mask(x))

    def active(self):
        return self.training

    def evaluate(self, x):
        return x

    def mask(self, x):
        return (torch.rand_like(x) >= self.p).to(x.dtype)

    def scaled(self, x, mask):
        return x * mask * self.factor()

    def factor(self):
        return 1 / (1 - self.p) if self.p < 1 else 0.0


@DROPOUT.add("what stays is not scaled: the sum of many units shrinks by 1 - p. Divide by 1 - p.")
class not_scaled(_Dropout):
    def factor(self):
        return 1.0


@DROPOUT.add("you divide by p. A number stays with probability 1 - p, so dividing by 1 - p keeps the mean.")
class divided_by_p(_Dropout):
    def factor(self):
        return 1 / self.p if self.p else 1.0


@DROPOUT.add("you multiply by 1 - p while training. Divide: what stays must make up for what is dropped.")
class multiplied_by_keep(_Dropout):
    def factor(self):
        return 1 - self.p


@DROPOUT.add("you multiply by p. What stays is divided by 1 - p.")
class multiplied_by_p(_Dropout):
    def factor(self):
        return self.p


@DROPOUT.add("you multiply by 1 + p. Divide by 1 - p: only that keeps the mean.")
class multiplied_by_one_plus_p(_Dropout):
    def factor(self):
        return 1 + self.p


@DROPOUT.add("you divide by the root of 1 - p, which keeps the variance. Dropout keeps the mean: no root.")
class root_of_keep(_Dropout):
    def factor(self):
        return (1 - self.p) ** -0.5 if self.p < 1 else 0.0


@DROPOUT.add(
    "here p is the probability to stay. In torch p is the probability to be dropped: rand >= p stays."
)
class p_is_keep(_Dropout):
    def mask(self, x):
        return (torch.rand_like(x) < self.p).to(x.dtype)

    def factor(self):
        return 1 / self.p if self.p else 0.0


@DROPOUT.add("numbers stay with probability p and are divided by 1 - p: the mask is the wrong way round.")
class mask_reversed(_Dropout):
    def mask(self, x):
        return (torch.rand_like(x) < self.p).to(x.dtype)


@DROPOUT.add("you drop half of the numbers whatever p is. Compare the random numbers with self.p.")
class always_half(_Dropout):
    def mask(self, x):
        return (torch.rand_like(x) >= 0.5).to(x.dtype)


@DROPOUT.add("the random numbers are normal (randn): of those, p = 0.2 drops 58 %. Use torch.rand.")
class normal_numbers(_Dropout):
    def mask(self, x):
        return (torch.randn_like(x) >= self.p).to(x.dtype)


@DROPOUT.add("the layer drops in evaluation mode too. Ask self.training, which train() and eval() set.")
class active_in_evaluation(_Dropout):
    def active(self):
        return True


@DROPOUT.add("the layer drops in evaluation mode and not in training mode: `self.training` the wrong way.")
class modes_swapped(_Dropout):
    def active(self):
        return not self.training


@DROPOUT.add("the layer never drops anything: it is the identity in training mode, too.")
class never_active(_Dropout):
    def active(self):
        return False


@DROPOUT.add(
    "you multiply by 1 - p in evaluation mode, as the first paper did. Inverted dropout has scaled already."
)
class scaled_in_evaluation_too(_Dropout):
    def evaluate(self, x):
        return x * (1 - self.p)


@DROPOUT.add(
    "this is the paper's first version: no scaling in training, times 1 - p in evaluation. torch divides by "
    "1 - p in training instead."
)
class not_inverted(_Dropout):
    def factor(self):
        return 1.0

    def evaluate(self, x):
        return x * (1 - self.p)


@DROPOUT.add("in evaluation mode x is divided by 1 - p. There the layer is the identity.")
class scaled_up_in_evaluation(_Dropout):
    def evaluate(self, x):
        return x * self.factor()


@DROPOUT.add(
    "you ask torch.is_grad_enabled(). Evaluation mode and no_grad are two things: ask self.training."
)
class mode_from_grad_enabled(_Dropout):
    def active(self):
        return torch.is_grad_enabled()


@DROPOUT.add(
    "under torch.no_grad() your layer drops nothing. The mode decides alone: ask self.training only."
)
class gradients_needed(_Dropout):
    def active(self):
        return self.training and torch.is_grad_enabled()


@DROPOUT.add("once in evaluation mode, the layer never drops again. Ask self.training in every call.")
class evaluation_for_ever(_Dropout):
    def __init__(self, p=0.5):
        super().__init__(p)
        self.evaluated = False

    def active(self):
        self.evaluated = self.evaluated or not self.training
        return not self.evaluated


@DROPOUT.add(
    "all rows of the batch have the same mask. Each example needs its own: draw numbers of x's whole shape."
)
class one_mask_for_all_rows(_Dropout):
    def mask(self, x):
        return super().mask(x[:1]).expand_as(x)


@DROPOUT.add("whole rows are dropped. Each feature of each row is drawn by itself.")
class whole_rows(_Dropout):
    def mask(self, x):
        return super().mask(x.flatten(1)[:, :1]).view(-1, *[1] * (x.dim() - 1)).expand_as(x)


@DROPOUT.add("one draw decides about the whole batch. Each number is drawn by itself.")
class one_draw_for_all(_Dropout):
    def mask(self, x):
        return super().mask(x.flatten()[:1]).expand(x.numel()).view_as(x)


@DROPOUT.add("whole channels of a picture are dropped (Dropout2d). Here each pixel is drawn by itself.")
class whole_channels(_Dropout):
    def mask(self, x):
        if x.dim() != 4:
            return super().mask(x)
        return super().mask(x[:, :, :1, :1]).expand_as(x)


@DROPOUT.add("all channels of a picture have the same mask. Each number is drawn by itself.")
class one_mask_for_all_channels(_Dropout):
    def mask(self, x):
        if x.dim() != 4:
            return super().mask(x)
        return super().mask(x[:, :1]).expand_as(x)


@DROPOUT.add(
    "the mask is drawn once and kept. Draw a new one in each call, or the same units are always off."
)
class mask_kept(_Dropout):
    def __init__(self, p=0.5):
        super().__init__(p)
        self.first = None

    def mask(self, x):
        if self.first is None or self.first.shape != x.shape:
            self.first = super().mask(x)
        return self.first


@DROPOUT.add("you seed inside: each call draws the same mask. Leave the seed to the caller.")
class seeded_inside(_Dropout):
    def mask(self, x):
        torch.default_generator.manual_seed(x.numel())
        return super().mask(x)


@DROPOUT.add(
    "exactly the share p of each row is dropped. Each number is drawn by itself: the count is random."
)
class exact_count(_Dropout):
    def mask(self, x):
        flat = x.flatten(1)
        order = torch.rand_like(flat).argsort(1).argsort(1)
        return (order >= round(self.p * flat.shape[1])).to(x.dtype).view_as(x)


@DROPOUT.add("exactly the share p of the batch is dropped. Each number is drawn by itself.")
class exact_count_of_the_batch(_Dropout):
    def mask(self, x):
        order = torch.rand_like(x.flatten()).argsort().argsort()
        return (order >= round(self.p * x.numel())).to(x.dtype).view_as(x)


@DROPOUT.add("the gradient passes as if nothing had been dropped. It takes the same mask as the output.")
class gradient_without_mask(_Dropout):
    def scaled(self, x, mask):
        return x + (super().scaled(x, mask) - x).detach()


@DROPOUT.add("the gradient is masked, but not divided by 1 - p.")
class gradient_not_scaled(_Dropout):
    def scaled(self, x, mask):
        masked = x * mask
        return masked + (masked * (self.factor() - 1)).detach()


class _OtherMask(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, mask, other):
        ctx.save_for_backward(other)
        return x * mask

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.saved_tensors[0], None, None


@DROPOUT.add("the backward pass draws a mask of its own. What was dropped gets no gradient: keep the mask.")
class gradient_with_another_mask(_Dropout):
    def scaled(self, x, mask):
        return _OtherMask.apply(x, mask * self.factor(), self.mask(x) * self.factor())


@DROPOUT.add("no gradient arrives: the output is cut off from x (detach, .data, no_grad).")
class detached(_Dropout):
    def scaled(self, x, mask):
        return super().scaled(x, mask).detach()


@DROPOUT.add("x itself is changed (x *= mask, x[...] = 0). The caller still needs it: make a new tensor.")
class in_place(_Dropout):
    def scaled(self, x, mask):
        return x.mul_(mask * self.factor())


@DROPOUT.add("p = 1 gives nan: 0 / 0. All is dropped then: return zeros.")
class nan_at_one(_Dropout):
    def factor(self):
        return torch.tensor(1.0) / (1 - self.p)

    def scaled(self, x, mask):
        return (x * mask / (1 - torch.tensor(self.p))).to(x.dtype)


@DROPOUT.add("p = 1 fails: division by zero. All is dropped then: return zeros.")
class division_by_zero(_Dropout):
    def factor(self):
        return 1 / (1 - self.p)


@DROPOUT.add("p = 1 returns x. With p = 1 everything is dropped.")
class identity_at_one(_Dropout):
    def active(self):
        return self.training and self.p < 1


@DROPOUT.add("p = 0 is not handled: with p = 0 the output is x.")
class zeros_at_none(_Dropout):
    def scaled(self, x, mask):
        return super().scaled(x, mask) if self.p else x * 0


@DROPOUT.add("p is not looked at: raise ValueError when it is below 0 or above 1.")
class anything_goes(_Dropout):
    def check(self, p):
        pass


@DROPOUT.add("a negative p is accepted: raise ValueError below 0, too.")
class negative_accepted(_Dropout):
    def check(self, p):
        if p > 1:
            raise ValueError(p)


@DROPOUT.add("p above 1 is accepted: raise ValueError above 1, too.")
class above_one_accepted(_Dropout):
    def check(self, p):
        if p < 0:
            raise ValueError(p)


@DROPOUT.add("p = 0 and p = 1 are refused. Both are allowed: 0 <= p <= 1.")
class ends_refused(_Dropout):
    def check(self, p):
        if not 0 < p < 1:
            raise ValueError(p)


@DROPOUT.add("`assert` raises AssertionError, and is skipped under python -O. Raise ValueError.")
class asserted(_Dropout):
    def check(self, p):
        assert 0 <= p <= 1


@DROPOUT.add("p is a parameter here: it would be trained. Keep it as a plain number.")
class p_is_a_parameter(_Dropout):
    def __init__(self, p=0.5):
        super().__init__(p)
        self.rate = nn.Parameter(torch.tensor(float(p)))


@DROPOUT.add("p is a buffer and stands in the state_dict; torch's layer has nothing there. Keep a number.")
class p_is_a_buffer(_Dropout):
    def __init__(self, p=0.5):
        super().__init__(p)
        self.register_buffer("rate", torch.tensor(float(p)))


@DROPOUT.add("the mask is a buffer: it would be saved with the model. A local variable is enough.")
class mask_is_a_buffer(_Dropout):
    def __init__(self, p=0.5):
        super().__init__(p)
        self.register_buffer("last_mask", None)

    def mask(self, x):
        self.last_mask = super().mask(x)
        return self.last_mask


@DROPOUT.add("the output is float32 whatever x is: make the mask with x's dtype (torch.rand_like(x)).")
class output_float32(_Dropout):
    def scaled(self, x, mask):
        return super().scaled(x, mask).float()


@DROPOUT.add("noise is added instead. Dropout sets numbers to 0: multiply by a mask of 0 and 1.")
class gaussian_noise(_Dropout):
    def scaled(self, x, mask):
        return x + self.p * torch.randn_like(x)


@DROPOUT.add("each number is multiplied by a uniform random one. Compare the random numbers with p: 0 or 1.")
class uniform_factor(_Dropout):
    def mask(self, x):
        return torch.rand_like(x)


@DROPOUT.add("the default of p is not 0.5.")
class other_default(_Dropout):
    def __init__(self, p=0.1):
        super().__init__(p)
