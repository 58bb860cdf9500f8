"""How students get `EarlyStopping` wrong: one step of a right class is changed."""

from __future__ import annotations

import copy
import math

import torch

from course.checks.collect import Mistakes

STOPPING = Mistakes()


class _EarlyStopping:
    """A right class, in steps; a mistake overrides one of them."""

    def __init__(self, patience, min_delta=0.0):
        self.check(patience, min_delta)
        self.patience, self.min_delta = patience, min_delta
        self.best, self.count = self.first_best(), 0
        self.kept = None

    def check(self, patience, min_delta):
        if patience < 1 or min_delta < 0:
            raise ValueError(patience, min_delta)

    def first_best(self):
        return math.inf

    def step(self, loss, model):
        if self.better(loss):
            self.when_better(loss, model)
        else:
            self.when_not(loss, model)
        return self.enough()

    def better(self, loss):
        return loss < self.best - self.min_delta

    def when_better(self, loss, model):
        self.best = loss
        self.count = 0
        self.kept = self.keep(model)

    def when_not(self, loss, model):
        self.count += 1

    def enough(self):
        return self.count >= self.patience

    def keep(self, model):
        return copy.deepcopy(model.state_dict())

    def restore(self, model):
        model.load_state_dict(self.kept)


# --- What is kept -------------------------------------------------------------------------------------------


@STOPPING.add(
    "state_dict() holds the model's own tensors, which go on training, and so does dict(...) or .copy() of "
    "it: you restore the last weights. Use copy.deepcopy."
)
class reference_kept(_EarlyStopping):
    def keep(self, model):
        return model.state_dict()


@STOPPING.add(
    "a loss that is only a little lower does not count as better: a threshold of your own, or rounding. "
    "With min_delta=0 every lower loss is better."
)
class threshold_of_its_own(_EarlyStopping):
    def better(self, loss):
        return loss < self.best - self.min_delta - (1e-4 if self.min_delta == 0 else 0)


@STOPPING.add("nothing is restored: load the best weights into the model that restore is given.")
class nothing_restored(_EarlyStopping):
    def restore(self, model):
        pass


@STOPPING.add(
    "you keep the weights of every epoch, and restore the last ones. Keep them when they are better."
)
class last_weights(_EarlyStopping):
    def step(self, loss, model):
        stop = super().step(loss, model)
        self.kept = self.keep(model)
        return stop


@STOPPING.add("you keep the weights when the loss is NOT better. Keep them when it is.")
class weights_of_the_worse(_EarlyStopping):
    def when_better(self, loss, model):
        self.best, self.count = loss, 0
        if self.kept is None:
            self.kept = self.keep(model)

    def when_not(self, loss, model):
        self.count += 1
        self.kept = self.keep(model)


@STOPPING.add("the weights of the first epoch are kept for ever. Keep new ones with each better loss.")
class first_weights(_EarlyStopping):
    def keep(self, model):
        return self.kept or super().keep(model)


@STOPPING.add("the weights are kept one epoch too late: after the loss, before the next better one.")
class one_better_late(_EarlyStopping):
    def when_better(self, loss, model):
        now = self.keep(model)
        self.best, self.count = loss, 0
        self.kept, self.pending = getattr(self, "pending", now), now


@STOPPING.add(
    "only the parameters are kept. Batch norm's running statistics are buffers: model.state_dict() has both."
)
class buffers_forgotten(_EarlyStopping):
    def keep(self, model):
        return {name: p.detach().clone() for name, p in model.named_parameters()}

    def restore(self, model):
        model.load_state_dict(self.kept, strict=False)


@STOPPING.add(
    "only what is floating point is kept: num_batches_tracked, a counter, belongs to the state, too."
)
class counters_forgotten(_EarlyStopping):
    def keep(self, model):
        return {n: v.clone() for n, v in model.state_dict().items() if v.is_floating_point()}

    def restore(self, model):
        model.load_state_dict(self.kept, strict=False)


@STOPPING.add("parameters that ask for no gradient are left out. Restore them all: model.state_dict().")
class frozen_left_out(_EarlyStopping):
    def keep(self, model):
        frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
        return {n: v.clone() for n, v in model.state_dict().items() if n not in frozen}

    def restore(self, model):
        model.load_state_dict(self.kept, strict=False)


@STOPPING.add(
    "p.data = kept hands your copy over to the model: its next training step changes it. Copy into the "
    "model: load_state_dict, copy_."
)
class copy_handed_over(_EarlyStopping):
    def restore(self, model):
        tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for name, value in self.kept.items():
            tensors[name].data = value


@STOPPING.add(
    "assign=True puts your tensors in the model's place: an optimizer that has the old ones trains nothing."
)
class assigned(_EarlyStopping):
    def restore(self, model):
        model.load_state_dict(copy.deepcopy(self.kept), assign=True)


@STOPPING.add("the copy is given away with the first restore. Keep it: restore may be called again.")
class restored_once(_EarlyStopping):
    def restore(self, model):
        if self.kept is not None:
            model.load_state_dict(self.kept)
        self.kept = None


@STOPPING.add("you restore the model that step was given, not the one that restore is given.")
class model_of_the_step(_EarlyStopping):
    def step(self, loss, model):
        self.model = model
        return super().step(loss, model)

    def restore(self, model):
        self.model.load_state_dict(self.kept)


@STOPPING.add("restore puts the model in evaluation mode. Leave its mode alone.")
class mode_changed(_EarlyStopping):
    def restore(self, model):
        super().restore(model)
        model.eval()


@STOPPING.add("restore switches requires_grad off: then nothing trains any more.")
class learning_switched_off(_EarlyStopping):
    def restore(self, model):
        super().restore(model)
        model.requires_grad_(False)


@STOPPING.add("restore switches requires_grad on, for frozen parameters as well. Leave it alone.")
class frozen_thawed(_EarlyStopping):
    def restore(self, model):
        super().restore(model)
        model.requires_grad_(True)


@STOPPING.add(
    "step restores the best weights at once, with every loss that is not better. Only restore does that."
)
class restored_in_step(_EarlyStopping):
    def when_not(self, loss, model):
        super().when_not(loss, model)
        if self.kept is not None:
            self.restore(model)


@STOPPING.add("step restores the weights when it stops. Only restore changes the model.")
class restored_at_the_stop(_EarlyStopping):
    def step(self, loss, model):
        stop = super().step(loss, model)
        if stop and self.kept is not None:
            self.restore(model)
        return stop


@STOPPING.add("step puts the model in another mode. Leave it as it is.")
class mode_changed_in_step(_EarlyStopping):
    def keep(self, model):
        model.eval()
        return super().keep(model)


# --- When to stop -------------------------------------------------------------------------------------------


@STOPPING.add("you stop one epoch too late: count > patience. After patience losses in a row: >=.")
class one_too_late(_EarlyStopping):
    def enough(self):
        return self.count > self.patience


@STOPPING.add("you stop one epoch too early: patience losses in a row may be worse, not patience - 1.")
class one_too_early(_EarlyStopping):
    def enough(self):
        return self.count >= max(self.patience - 1, 1) if self.patience > 1 else self.count >= 1


@STOPPING.add("the first loss that is not better stops the training. Wait for patience of them in a row.")
class no_patience(_EarlyStopping):
    def enough(self):
        return self.count >= 1


@STOPPING.add("your step never says stop: return True when patience losses in a row were not better.")
class never(_EarlyStopping):
    def enough(self):
        return False


@STOPPING.add("the answer is the wrong way round: True means stop.")
class goes_on(_EarlyStopping):
    def enough(self):
        return not super().enough()


@STOPPING.add("step returns whether the loss was better. It should say whether to stop.")
class better_returned(_EarlyStopping):
    def step(self, loss, model):
        better = self.better(loss)
        super().step(loss, model)
        return better


@STOPPING.add(
    "the count is not reset: a better loss starts it again. You count all losses that were not better."
)
class count_never_reset(_EarlyStopping):
    def when_better(self, loss, model):
        self.best, self.kept = loss, self.keep(model)


@STOPPING.add("a better loss takes one off the count. It starts again at 0.")
class count_lowered(_EarlyStopping):
    def when_better(self, loss, model):
        count = self.count
        super().when_better(loss, model)
        self.count = max(count - 1, 0)


@STOPPING.add("you count the epochs since the start: patience counts those since the best loss.")
class epochs_counted(_EarlyStopping):
    def __init__(self, patience, min_delta=0.0):
        super().__init__(patience, min_delta)
        self.epochs = 0

    def enough(self):
        self.epochs += 1
        return self.epochs > self.patience and self.count > 0


@STOPPING.add("you compare with the loss of the epoch before. Compare with the best one so far.")
class compared_with_the_last(_EarlyStopping):
    def step(self, loss, model):
        stop = super().step(loss, model)
        self.best = loss
        return stop


@STOPPING.add("you stop when the loss rises, and count no rest: a loss below the last one resets your count.")
class reset_by_any_fall(_EarlyStopping):
    last = math.inf

    def when_not(self, loss, model):
        self.count = 0 if loss < self.last else self.count + 1

    def step(self, loss, model):
        stop = super().step(loss, model)
        self.last = loss
        return stop


@STOPPING.add("larger is better in your class, as for accuracies. step gets a loss: smaller is better.")
class larger_is_better(_EarlyStopping):
    def first_best(self):
        return -math.inf

    def better(self, loss):
        return loss > self.best + self.min_delta


@STOPPING.add("an equal loss counts as better (<=). Without a strictly smaller one nothing has improved.")
class equal_is_better(_EarlyStopping):
    def better(self, loss):
        return loss <= self.best - self.min_delta


@STOPPING.add("min_delta is ignored. Better means: below the best loss by more than min_delta.")
class delta_ignored(_EarlyStopping):
    def better(self, loss):
        return loss < self.best


@STOPPING.add("min_delta has the wrong sign: a loss that is up to min_delta WORSE counts as better.")
class delta_added(_EarlyStopping):
    def better(self, loss):
        return loss < self.best + self.min_delta


@STOPPING.add("min_delta is taken as a share of the best loss. It is a difference: best - min_delta.")
class delta_relative(_EarlyStopping):
    def better(self, loss):
        return loss < self.best * (1 - self.min_delta)


@STOPPING.add(
    "min_delta decides about the count only; the weights are kept with every smaller loss. Both go together."
)
class kept_without_delta(_EarlyStopping):
    lowest = math.inf

    def step(self, loss, model):
        stop = super().step(loss, model)
        if loss < self.lowest:
            self.lowest, self.kept = loss, self.keep(model)
        return stop


@STOPPING.add(
    "the best loss also falls without min_delta being reached. A slow fall then never counts: change it with "
    "a better loss only."
)
class best_follows_every_fall(_EarlyStopping):
    def when_not(self, loss, model):
        super().when_not(loss, model)
        self.best = min(self.best, loss)


@STOPPING.add(
    "nan passes for a better loss (`not loss >= best`). Every comparison with nan is False: ask loss < best."
)
class nan_is_better(_EarlyStopping):
    def better(self, loss):
        return not loss >= self.best - self.min_delta


@STOPPING.add("a loss of nan is skipped. It is not better, so it counts.")
class nan_skipped(_EarlyStopping):
    def when_not(self, loss, model):
        self.count += loss == loss


@STOPPING.add("nan stops the training at once. It counts as one loss that is not better.")
class nan_stops(_EarlyStopping):
    def step(self, loss, model):
        return super().step(loss, model) or loss != loss


@STOPPING.add(
    "the first loss is taken as the best, even when it is nan: nothing is better than nan. Start with inf."
)
class first_loss_is_best(_EarlyStopping):
    def better(self, loss):
        return self.kept is None or super().better(loss)


@STOPPING.add("the best loss starts at 0: no loss is better. Start with float('inf').")
class best_starts_at_zero(_EarlyStopping):
    def first_best(self):
        return 0.0


@STOPPING.add("the best loss starts at a fixed number, and larger losses are never better. Start with inf.")
class best_starts_at_a_number(_EarlyStopping):
    def first_best(self):
        return 1e6


@STOPPING.add(
    "`if self.best` is False for a loss of 0: that is a loss like others. Ask `is None`, or start with inf."
)
class zero_is_nothing(_EarlyStopping):
    def better(self, loss):
        return not self.best or super().better(loss)


@STOPPING.add("best - min_delta is cut off at 0: losses below 0 are never better.")
class nothing_below_zero(_EarlyStopping):
    def better(self, loss):
        return loss < self.best - self.min_delta and (loss >= 0 or self.kept is None)


@STOPPING.add("losses are rounded before they are compared: small improvements are lost.")
class rounded(_EarlyStopping):
    def step(self, loss, model):
        return super().step(round(loss) if math.isfinite(loss) else loss, model)


@STOPPING.add("step returns nothing. It should return True when training should stop, else False.")
class step_returns_nothing(_EarlyStopping):
    def step(self, loss, model):
        super().step(loss, model)


@STOPPING.add("step returns the count. It should return True or False: count >= patience.")
class count_returned(_EarlyStopping):
    def enough(self):
        return float(self.count)


@STOPPING.add("your count starts again after the stop. It goes on until a loss is better.")
class count_starts_again_at_stop(_EarlyStopping):
    def enough(self):
        stop = super().enough()
        if stop:
            self.count = 0
        return stop


@STOPPING.add(
    "patience and min_delta are not looked at. Raise ValueError for patience < 1 and for min_delta < 0."
)
class anything_goes(_EarlyStopping):
    def check(self, patience, min_delta):
        pass


@STOPPING.add("a negative min_delta is accepted: raise ValueError.")
class negative_delta_accepted(_EarlyStopping):
    def check(self, patience, min_delta):
        if patience < 1:
            raise ValueError(patience)


@STOPPING.add("patience = 0 is accepted: raise ValueError below 1.")
class zero_accepted(_EarlyStopping):
    def check(self, patience, min_delta):
        if patience < 0 or min_delta < 0:
            raise ValueError(patience)


@STOPPING.add("`assert` raises AssertionError, and is skipped under python -O. Raise ValueError.")
class asserted(_EarlyStopping):
    def check(self, patience, min_delta):
        assert patience >= 1
        assert min_delta >= 0


@STOPPING.add("gradients are switched off for everything after you: use `with torch.no_grad():`, which ends.")
class gradients_switched_off(_EarlyStopping):
    def keep(self, model):
        torch.set_grad_enabled(False)
        return super().keep(model)
