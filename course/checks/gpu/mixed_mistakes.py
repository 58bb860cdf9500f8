"""How students get `train_amp` wrong."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from course.checks.collect import Mistakes

TRAIN_AMP = Mistakes()


class Recipe:
    """A right step, one part a method; each mistake overrides one of them."""

    def __call__(self, model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
        self.clear(optimizer)
        loss = self.forward(model, x, y, dtype)
        self.backward(loss, scaler)
        self.after_backward(optimizer)
        self.clip(model, optimizer, scaler, max_norm)
        self.step(optimizer, scaler)
        self.update(scaler)
        return self.result(loss, scaler)

    def clear(self, optimizer):
        optimizer.zero_grad()

    def autocast(self, x, dtype):
        return torch.autocast(x.device.type, dtype=dtype)

    def loss(self, logits, y):
        return F.cross_entropy(logits, y)

    def forward(self, model, x, y, dtype):
        with self.autocast(x, dtype):
            return self.loss(model(x), y)

    def backward(self, loss, scaler):
        (loss if scaler is None else scaler.scale(loss)).backward()

    def after_backward(self, optimizer):
        pass

    def unscale(self, optimizer, scaler):
        if scaler is not None:
            scaler.unscale_(optimizer)

    def limit(self, model, max_norm):
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)

    def clip(self, model, optimizer, scaler, max_norm):
        if max_norm is not None:
            self.unscale(optimizer, scaler)
            self.limit(model, max_norm)

    def step(self, optimizer, scaler):
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)

    def update(self, scaler):
        if scaler is not None:
            scaler.update()

    def result(self, loss, scaler):
        return loss.detach()


def _collect(message, section=None):
    """Collect a recipe with one wrong step; a student would have written it as a function."""

    def collect(recipe):
        run = recipe()

        def train_amp(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
            return run(model, x, y, optimizer, scaler, max_norm, dtype)

        train_amp.__name__ = recipe.__name__
        TRAIN_AMP.add(message, section)(train_amp)
        return recipe

    return collect


class _Off:
    """No autocast at all."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


# --- autocast -----------------------------------------------------------------------------------------------


@_collect(
    "the network runs in float32: the call model(x) is not under autocast, or under that of another device."
)
class no_autocast(Recipe):
    def autocast(self, x, dtype):
        return _Off()


@_collect("the network runs twice in one step: model(x) a second time costs time and moves batch norm again.")
class forward_twice(Recipe):
    def forward(self, model, x, y, dtype):
        with self.autocast(x, dtype):
            model(x).argmax(dim=1)  # for an accuracy
            return self.loss(model(x), y)


@_collect(
    'autocast is always for "cpu", and does nothing when the data is on a GPU. Ask the data: x.device.type.'
)
class autocast_for_cpu(Recipe):
    def autocast(self, x, dtype):
        return torch.autocast("cpu", dtype=dtype)


@_collect(
    "the network is put into evaluation mode. This is a training step: leave the mode, or call train()."
)
class evaluation_mode(Recipe):
    def forward(self, model, x, y, dtype):
        model.eval()
        return super().forward(model, x, y, dtype)


@_collect("autocast always takes bfloat16. The argument dtype says which.")
class dtype_ignored(Recipe):
    def autocast(self, x, dtype):
        return torch.autocast(x.device.type, dtype=torch.bfloat16)


@_collect("autocast always takes float16. The argument dtype says which, and its default is bfloat16.")
class always_float16(Recipe):
    def autocast(self, x, dtype):
        return torch.autocast(x.device.type, dtype=torch.float16)


@_collect("the loss is outside of autocast and so in 16 bits: nobody turns the logits into float32 for it.")
class loss_outside(Recipe):
    def forward(self, model, x, y, dtype):
        with self.autocast(x, dtype):
            logits = model(x)
        return self.loss(logits, y)


@_collect(
    "the backward pass is under autocast. Leave the block first: backward takes forward's dtypes by itself."
)
class backward_inside(Recipe):
    def __call__(self, model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
        self.clear(optimizer)
        with self.autocast(x, dtype):
            loss = self.loss(model(x), y)
            self.backward(loss, scaler)
        self.clip(model, optimizer, scaler, max_norm)
        self.step(optimizer, scaler)
        self.update(scaler)
        return self.result(loss, scaler)


@_collect("autocast is switched on and stays on after the function. Use `with torch.autocast(...)`.")
class left_on(Recipe):
    def forward(self, model, x, y, dtype):
        torch.set_autocast_enabled(x.device.type, True)
        torch.set_autocast_dtype(x.device.type, dtype)
        return self.loss(model(x), y)


@_collect(
    "the whole network is converted to 16 bits, and small steps get lost in its weights. "
    "Autocast leaves the parameters in float32."
)
class network_converted(Recipe):
    def forward(self, model, x, y, dtype):
        model.to(dtype)
        return self.loss(model(x.to(dtype)), y).float()


@_collect(
    "the picture is converted by hand and the weights are not. Autocast converts both: give it x as it is."
)
class input_converted(Recipe):
    def forward(self, model, x, y, dtype):
        return self.loss(model(x.to(dtype)), y)


@_collect("softmax stands before cross_entropy, which does it by itself: it is done twice.")
class softmax_twice(Recipe):
    def loss(self, logits, y):
        return F.cross_entropy(logits.softmax(dim=1), y)


@_collect(
    "the loss is the sum over the batch. cross_entropy's mean is asked for: the step is N times too long."
)
class summed(Recipe):
    def loss(self, logits, y):
        return F.cross_entropy(logits, y, reduction="sum")


# --- one step -----------------------------------------------------------------------------------------------


@_collect("the gradients of the step before are still there and are added. Call optimizer.zero_grad() first.")
class never_cleared(Recipe):
    def clear(self, optimizer):
        pass


@_collect("zero_grad() comes after backward() and deletes what was computed. Call it before.")
class cleared_too_late(Recipe):
    def after_backward(self, optimizer):
        optimizer.zero_grad()


@_collect("nothing is learned: the optimizer makes no step.")
class no_step(Recipe):
    def step(self, optimizer, scaler):
        pass

    def update(self, scaler):
        pass


@_collect("the loss comes back with its graph, which keeps all activations in memory. Return loss.detach().")
class with_graph(Recipe):
    def result(self, loss, scaler):
        return loss


@_collect(
    "`.item()` makes Python wait for the GPU in every step. Return loss.detach() and read it later.", "7.2"
)
class as_number(Recipe):
    def result(self, loss, scaler):
        return loss.item()


@_collect("the loss is returned in 16 bits. Return the float32 loss that autocast computed.")
class loss_in_16_bits(Recipe):
    def result(self, loss, scaler):
        return loss.detach().to(torch.bfloat16)


# --- the scaler ---------------------------------------------------------------------------------------------


@_collect("the scaler is not used at all: float16 gradients below 6e-8 become 0.")
class scaler_ignored(Recipe):
    def backward(self, loss, scaler):
        loss.backward()

    def unscale(self, optimizer, scaler):
        pass

    def step(self, optimizer, scaler):
        optimizer.step()

    def update(self, scaler):
        pass


@_collect("the scaler is None by default. Without one: loss.backward() and optimizer.step().")
class scaler_needed(Recipe):
    def backward(self, loss, scaler):
        scaler.scale(loss).backward()

    def step(self, optimizer, scaler):
        scaler.step(optimizer)


@_collect(
    "the loss is not scaled before backward, but the step divides by the scale: it is that much too short."
)
class not_scaled(Recipe):
    def backward(self, loss, scaler):
        loss.backward()


@_collect("scaler.scale(loss) returns the scaled loss; you call backward on the loss itself.")
class scaled_and_dropped(Recipe):
    def backward(self, loss, scaler):
        if scaler is not None:
            scaler.scale(loss)
        loss.backward()


@_collect("optimizer.step() is called, not scaler.step(optimizer): the step is too long by the factor scale.")
class step_of_the_optimizer(Recipe):
    def step(self, optimizer, scaler):
        optimizer.step()

    def update(self, scaler):
        pass


@_collect("optimizer.step() is called besides scaler.step(optimizer): two steps. The scaler makes the step.")
class two_steps(Recipe):
    def step(self, optimizer, scaler):
        super().step(optimizer, scaler)
        if scaler is not None:
            optimizer.step()


@_collect("scaler.update() is missing. Without it the scale stays, and the next scaler.step raises an error.")
class no_update(Recipe):
    def update(self, scaler):
        pass


@_collect("the gradients are unscaled by hand and then once more by the scaler's step.")
class unscaled_by_hand_too(Recipe):
    def clip(self, model, optimizer, scaler, max_norm):
        if scaler is not None:
            for parameter in model.parameters():
                parameter.grad /= scaler.get_scale()
        if max_norm is not None:
            self.limit(model, max_norm)


@_collect("the scaled loss is returned. Whoever draws a curve wants the true one.")
class scaled_loss_returned(Recipe):
    def result(self, loss, scaler):
        return loss.detach() if scaler is None else loss.detach() * scaler.get_scale()


@_collect(
    "the step is skipped by your own test for inf, and update() is then told nothing. "
    "scaler.step(optimizer) looks for inf itself."
)
class own_inf_test(Recipe):
    def step(self, optimizer, scaler):
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        if all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            super().step(optimizer, scaler)

    def update(self, scaler):
        if scaler is not None and scaler._per_optimizer_states:
            scaler.update()


# --- clipping -----------------------------------------------------------------------------------------------


@_collect("max_norm is ignored: nothing is clipped.")
class never_clipped(Recipe):
    def clip(self, model, optimizer, scaler, max_norm):
        pass


@_collect(
    "the gradients are clipped while they are still scaled, and become much too short. "
    "First scaler.unscale_(optimizer), then clip."
)
class clipped_before_unscaling(Recipe):
    def unscale(self, optimizer, scaler):
        pass


@_collect(
    "you clip before backward() or after the step. Between the two is the only time when it has an effect."
)
class clipped_at_the_wrong_time(Recipe):
    def __call__(self, model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
        self.clear(optimizer)
        loss = self.forward(model, x, y, dtype)
        if max_norm is not None:
            self.limit(model, max_norm)
        self.backward(loss, scaler)
        if max_norm is not None:
            self.unscale(optimizer, scaler)
        self.step(optimizer, scaler)
        self.update(scaler)
        return self.result(loss, scaler)


@_collect(
    "each entry is clipped by itself. max_norm limits the norm of all gradients together: clip_grad_norm_."
)
class clipped_by_value(Recipe):
    def limit(self, model, max_norm):
        nn.utils.clip_grad_value_(model.parameters(), max_norm)


@_collect("each parameter is clipped by its own norm. All gradients share one norm and one factor.")
class clipped_each_alone(Recipe):
    def limit(self, model, max_norm):
        for parameter in model.parameters():
            nn.utils.clip_grad_norm_([parameter], max_norm)


@_collect("gradients below max_norm are made longer. Clipping only shortens.")
class always_rescaled(Recipe):
    def limit(self, model, max_norm):
        norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
        for parameter in model.parameters():
            parameter.grad *= max_norm / norm


@_collect("the weights are clipped instead of the gradients.")
class weights_clipped(Recipe):
    def limit(self, model, max_norm):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.clamp_(-max_norm, max_norm)


@_collect("the gradients are clipped only when there is a scaler. max_norm holds without one as well.")
class clipped_with_scaler_only(Recipe):
    def clip(self, model, optimizer, scaler, max_norm):
        if scaler is not None:
            super().clip(model, optimizer, scaler, max_norm)


@_collect("the gradients are clipped only without a scaler. With one: unscale_, then clip.")
class clipped_without_scaler_only(Recipe):
    def clip(self, model, optimizer, scaler, max_norm):
        if scaler is None:
            super().clip(model, optimizer, scaler, max_norm)
