"""How students get `fgsm_attack` wrong: one step of a right answer is changed."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes
from course.training import evaluation_mode

FGSM = Mistakes()


class _Fgsm:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, model, x, y, epsilon):
        return self.attack(model, x, y, epsilon).detach()

    def attack(self, model, x, y, epsilon):
        leaf = x.detach().clone().requires_grad_()
        gradient = self.in_evaluation_mode(model, leaf, y)
        return self.clip(x, self.moved(x, self.direction(gradient), epsilon))

    def in_evaluation_mode(self, model, leaf, y):
        with evaluation_mode(model):
            return self.gradient(model, leaf, y)

    def gradient(self, model, leaf, y):
        return torch.autograd.grad(self.loss(model(leaf), y), leaf)[0]

    def loss(self, logits, y):
        return F.cross_entropy(logits, y)

    def direction(self, gradient):
        return gradient.sign()

    def moved(self, x, direction, epsilon):
        return x + epsilon * direction

    def clip(self, x, moved):
        return moved.clamp(0, 1)


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(model, x, y, epsilon):
            return steps(model, x, y, epsilon)

        wrong.__name__ = type(steps).__name__
        return FGSM.add(message, section)(wrong)

    return collect


# --- The step -----------------------------------------------------------------------------------------------


@_mistake("you go down the loss, as in training. The attack makes it larger: x + epsilon · sign.")
class subtracted(_Fgsm):
    def moved(self, x, direction, epsilon):
        return x - epsilon * direction


@_mistake("the sign is missing: pixels move by epsilon times the gradient, which is far less.")
class sign_missing(_Fgsm):
    def direction(self, gradient):
        return gradient


@_mistake("the gradient is divided by its length. Take its sign: every pixel moves by epsilon.")
class normalized(_Fgsm):
    def direction(self, gradient):
        return gradient / gradient.flatten(1).norm(dim=1).view(-1, *[1] * (gradient.dim() - 1))


@_mistake("the gradient is divided by its largest entry. Take its sign: every pixel moves by epsilon.")
class scaled_by_the_largest(_Fgsm):
    def direction(self, gradient):
        return gradient / gradient.abs().amax()


@_mistake("a gradient of 0 moves the pixel, too: sign(0) is 0. Use torch.sign.")
class zero_counts_as_positive(_Fgsm):
    def direction(self, gradient):
        return torch.where(gradient >= 0, 1.0, -1.0).to(gradient.dtype)


@_mistake("all pixels of a picture move the same way. Each has its own gradient.")
class one_sign_for_each_picture(_Fgsm):
    def direction(self, gradient):
        return gradient.flatten(1).sum(1).sign().view(-1, *[1] * (gradient.dim() - 1)).expand_as(gradient)


@_mistake("all pictures move the same way: the gradient is averaged over the batch.")
class one_direction_for_all(_Fgsm):
    def direction(self, gradient):
        return gradient.mean(0, keepdim=True).sign().expand_as(gradient)


@_mistake("only the pixel with the largest gradient moves. All of them do.")
class largest_only(_Fgsm):
    def direction(self, gradient):
        sizes = gradient.abs().flatten(1)
        largest = (sizes == sizes.amax(1, keepdim=True)).view_as(gradient)
        return gradient.sign() * largest


@_mistake("the direction is random. It is the sign of the loss's gradient.")
class random_direction(_Fgsm):
    def direction(self, gradient):
        return torch.randn_like(gradient).sign()


@_mistake("x is multiplied by 1 + epsilon · sign. Add: x + epsilon · sign.")
class multiplied(_Fgsm):
    def moved(self, x, direction, epsilon):
        return x * (1 + epsilon * direction)


@_mistake("epsilon is divided by 255. Pixels are in [0, 1] here, and so is epsilon.")
class epsilon_of_bytes(_Fgsm):
    def moved(self, x, direction, epsilon):
        return x + epsilon / 255 * direction


@_mistake("the change comes back without the picture: return x plus the change.")
class change_alone(_Fgsm):
    def moved(self, x, direction, epsilon):
        return epsilon * direction


@_mistake("epsilon is ignored: pixels move by 1 or by another fixed number.")
class epsilon_ignored(_Fgsm):
    def moved(self, x, direction, epsilon):
        return x + 0.05 * direction


@_mistake("several small steps are made (I-FGSM, PGD). The fast method makes one.")
class several_steps(_Fgsm):
    def attack(self, model, x, y, epsilon):
        moved = x
        for _ in range(2):
            gradient = self.in_evaluation_mode(model, moved.detach().clone().requires_grad_(), y)
            moved = self.clip(x, moved + 0.75 * epsilon * gradient.sign())
        return moved


@_mistake("the result is not clipped: pixels leave [0, 1], and are no picture. Use clamp(0, 1).")
class not_clipped(_Fgsm):
    def clip(self, x, moved):
        return moved


@_mistake("only the change is clipped, not the picture. The result must lie in [0, 1].")
class change_clipped(_Fgsm):
    def clip(self, x, moved):
        return x + (moved - x).clamp(0, 1)


@_mistake("the result is clipped to [-1, 1]. Pixels lie in [0, 1].")
class clipped_to_minus_one(_Fgsm):
    def clip(self, x, moved):
        return moved.clamp(-1, 1)


@_mistake("the result is clipped to the darkest and lightest pixel of x. Pixels lie in [0, 1].")
class clipped_to_the_range_of_x(_Fgsm):
    def clip(self, x, moved):
        return moved.clamp(x.min().item(), x.max().item())


@_mistake("the result is clipped above only, at 1. It must not fall below 0 either.")
class clipped_above_only(_Fgsm):
    def clip(self, x, moved):
        return moved.clamp(max=1)


@_mistake("the result is clipped below only, at 0. It must not rise above 1 either.")
class clipped_below_only(_Fgsm):
    def clip(self, x, moved):
        return moved.clamp(min=0)


@_mistake("the result is stretched to [0, 1] (min-max), which changes every pixel. Clip: clamp(0, 1).")
class stretched(_Fgsm):
    def clip(self, x, moved):
        return (moved - moved.min()) / (moved.max() - moved.min())


# --- The gradient -------------------------------------------------------------------------------------------


@_mistake("the loss takes the network's own answers as classes. Take y: where it is wrong, they differ.")
class own_answers_attacked(_Fgsm):
    def loss(self, logits, y):
        return F.cross_entropy(logits, logits.argmax(1))


@_mistake("the model's outputs go through a softmax before cross_entropy, which takes logits.")
class softmax_before_the_loss(_Fgsm):
    def loss(self, logits, y):
        return F.cross_entropy(logits.softmax(1), y)


@_mistake("the gradient is that of the right class's logit, not of the loss. Use cross_entropy.")
class logit_of_the_class(_Fgsm):
    def loss(self, logits, y):
        return -logits.gather(1, y[:, None]).sum()


@_mistake("the gradient is that of all logits together; y is not used. Use cross_entropy.")
class sum_of_the_logits(_Fgsm):
    def loss(self, logits, y):
        return logits.sum()


@_mistake("the loss is the squared error of the logits. Use cross_entropy.")
class squared_error(_Fgsm):
    def loss(self, logits, y):
        return F.mse_loss(logits, F.one_hot(y, logits.shape[1]).to(logits.dtype))


@_mistake("the network is attacked in training mode: dropout drops, batch norm uses the batch. Call eval().")
class in_training_mode(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        modes = [(module, module.training) for module in model.modules()]
        model.train()
        gradient = self.gradient(model, leaf, y)
        for module, training in modes:
            module.training = training
        return gradient


@_mistake(
    "the network is attacked in whatever mode it is in. Put it in evaluation mode, and back afterwards."
)
class in_the_mode_it_is_in(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        return self.gradient(model, leaf, y)


# --- What is left behind ------------------------------------------------------------------------------------


@_mistake("the model is left in evaluation mode. Put every module back in the mode that it had.")
class left_in_evaluation_mode(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        model.eval()
        return self.gradient(model, leaf, y)


@_mistake(
    "model.train() at the end puts every module in training mode, one that was in evaluation mode too. "
    "Remember each module's mode."
)
class left_in_training_mode(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        gradient = super().in_evaluation_mode(model, leaf, y)
        model.train()
        return gradient


@_mistake(
    "you restore the model's own mode for all of it. A part may be in another mode: remember each module's."
)
class one_mode_for_all(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        training = model.training
        gradient = super().in_evaluation_mode(model, leaf, y)
        model.train(training)
        return gradient


@_mistake(
    "loss.backward() also leaves gradients in the model's parameters, and the next optimizer step would use "
    "them. Ask for that of x alone: torch.autograd.grad(loss, x)."
)
class gradients_left(_Fgsm):
    def gradient(self, model, leaf, y):
        self.loss(model(leaf), y).backward()
        return leaf.grad


@_mistake(
    "model.zero_grad() throws away gradients that the caller had. Make none in the model: "
    "torch.autograd.grad(loss, x)."
)
class gradients_thrown_away(_Fgsm):
    def gradient(self, model, leaf, y):
        gradient = super().gradient(model, leaf, y)
        model.zero_grad()
        return gradient


@_mistake("after zero_grad(set_to_none=False) the parameters have gradients of 0 where they had none.")
class gradients_of_zero(_Fgsm):
    def gradient(self, model, leaf, y):
        self.loss(model(leaf), y).backward()
        model.zero_grad(set_to_none=False)
        return leaf.grad


@_mistake(
    "the parameters ask for no gradient afterwards: the model no longer learns. Put requires_grad back."
)
class model_frozen(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        model.requires_grad_(False)
        return super().in_evaluation_mode(model, leaf, y)


@_mistake("frozen parameters ask for gradients afterwards. Leave requires_grad as it was.")
class model_thawed(_Fgsm):
    def in_evaluation_mode(self, model, leaf, y):
        model.requires_grad_(False)
        gradient = super().in_evaluation_mode(model, leaf, y)
        model.requires_grad_(True)
        return gradient


@_mistake("x itself is changed. Write into a new tensor.")
class x_changed(_Fgsm):
    def attack(self, model, x, y, epsilon):
        return x.copy_(super().attack(model, x, y, epsilon))


@_mistake("the given x asks for a gradient afterwards. Let a copy ask: x.detach().clone().requires_grad_().")
class x_asks_for_a_gradient(_Fgsm):
    def attack(self, model, x, y, epsilon):
        x.requires_grad_()
        return super().attack(model, x, y, epsilon)


@_mistake("the result still asks for a gradient: it hangs on the graph. Detach it.")
class graph_kept(_Fgsm):
    def __call__(self, model, x, y, epsilon):
        leaf = x.detach().clone().requires_grad_()
        gradient = self.in_evaluation_mode(model, leaf, y)
        return self.clip(leaf, self.moved(leaf, self.direction(gradient), epsilon))


@_mistake("the model is trained: its weights move up the loss as well. Only the picture changes.")
class model_moved(_Fgsm):
    def gradient(self, model, leaf, y):
        gradient = super().gradient(model, leaf, y)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.01)
        return gradient


@_mistake("a frozen network has no gradients for its parameters, and loss.backward() is not to ask for them.")
class parameters_expected(_Fgsm):
    def gradient(self, model, leaf, y):
        return torch.autograd.grad(self.loss(model(leaf), y), [leaf, *model.parameters()])[0]
