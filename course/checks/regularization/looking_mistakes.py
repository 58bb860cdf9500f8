"""How students get `predict_with_tta` wrong: one step of a right answer is changed."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes
from course.training import evaluation_mode

TTA = Mistakes()


class _Tta:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, model, x, transforms):
        self.check(transforms)
        return self.predict(model, x, transforms)

    def check(self, transforms):
        if not transforms:
            raise ValueError("no transform")

    def predict(self, model, x, transforms):
        with evaluation_mode(model), torch.no_grad():
            return self.combine(self.outputs(model, x, transforms))

    def outputs(self, model, x, transforms):
        return torch.stack([model(transform(x)) for transform in transforms])

    def combine(self, logits):
        return logits.softmax(2).mean(0)


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(model, x, transforms):
            return steps(model, x, transforms)

        wrong.__name__ = type(steps).__name__
        return TTA.add(message, section)(wrong)

    return collect


# --- The mean -----------------------------------------------------------------------------------------------


@_mistake("you average the logits and take the softmax of their mean. First softmax, then the mean.")
class logits_averaged(_Tta):
    def combine(self, logits):
        return logits.mean(0).softmax(1)


@_mistake("these are logits: the softmax is missing. Return probabilities, rows of sum 1.")
class softmax_missing(_Tta):
    def combine(self, logits):
        return logits.mean(0)


@_mistake("you average the logarithms of the probabilities. Average the probabilities.")
class log_probabilities(_Tta):
    def combine(self, logits):
        return logits.log_softmax(2).mean(0)


@_mistake("this is the geometric mean of the probabilities. Take the ordinary one.")
class geometric_mean(_Tta):
    def combine(self, logits):
        return logits.log_softmax(2).mean(0).exp()


@_mistake("the softmax goes over the pictures of the batch (dim=0). It goes over the classes: dim=1.")
class softmax_over_the_batch(_Tta):
    def combine(self, logits):
        return logits.softmax(1).mean(0)


@_mistake("the softmax goes over the views. It goes over the classes of each view.")
class softmax_over_the_views(_Tta):
    def combine(self, logits):
        return logits.softmax(0).mean(0)


@_mistake("sigmoid is not softmax: the rows do not sum to 1.")
class sigmoid(_Tta):
    def combine(self, logits):
        return logits.sigmoid().mean(0)


@_mistake("the softmax is taken twice.")
class softmax_twice(_Tta):
    def combine(self, logits):
        return logits.softmax(2).softmax(2).mean(0)


@_mistake("the probabilities are added up, not averaged. Divide by the number of views.")
class added_up(_Tta):
    def combine(self, logits):
        return logits.softmax(2).sum(0)


@_mistake("the mean divides by one view too many.")
class divided_by_one_more(_Tta):
    def combine(self, logits):
        return logits.softmax(2).sum(0) / (len(logits) + 1)


@_mistake("the last view alone is returned. Average over all of them.")
class last_view(_Tta):
    def combine(self, logits):
        return logits[-1].softmax(1)


@_mistake("the first view alone is returned. Average over all of them.")
class first_view(_Tta):
    def combine(self, logits):
        return logits[0].softmax(1)


@_mistake("the largest probability of the views is taken. Average them.")
class largest(_Tta):
    def combine(self, logits):
        return logits.softmax(2).amax(0)


@_mistake("the median of the views is taken. Average them.")
class median(_Tta):
    def combine(self, logits):
        return logits.softmax(2).median(0).values


@_mistake("the views vote with their classes. Average the probabilities.")
class votes(_Tta):
    def combine(self, logits):
        return F.one_hot(logits.argmax(2), logits.shape[2]).to(logits.dtype).mean(0)


@_mistake("this is the predicted class. Return the probabilities; the caller takes argmax.")
class class_returned(_Tta):
    def combine(self, logits):
        return super().combine(logits).argmax(1)


@_mistake("the views are returned side by side. Average over them: (N, C).")
class views_returned(_Tta):
    def combine(self, logits):
        return logits.softmax(2)


@_mistake("each view counts half of all before it: a running mean. All views have the same weight.")
class running_mean(_Tta):
    def combine(self, logits):
        mean, *rest = logits.softmax(2)
        for each in rest:
            mean = (mean + each) / 2
        return mean


# --- The views ----------------------------------------------------------------------------------------------


@_mistake(
    "x itself is added as a view. Views are those of transforms; the caller may put the identity there."
)
class original_added(_Tta):
    def outputs(self, model, x, transforms):
        return super().outputs(model, x, [lambda x: x, *transforms])


@_mistake("the transforms are not applied: all views are x.")
class not_transformed(_Tta):
    def outputs(self, model, x, transforms):
        return super().outputs(model, x, [lambda x: x] * len(transforms))


@_mistake("the transforms are chained: each gets what the one before returned. Each gets x.")
class chained(_Tta):
    def outputs(self, model, x, transforms):
        found = []
        for transform in transforms:
            x = transform(x)
            found.append(model(x))
        return torch.stack(found)


@_mistake("all transforms are applied one after the other, and the model looks once. One look for each.")
class composed(_Tta):
    def outputs(self, model, x, transforms):
        for transform in transforms:
            x = transform(x)
        return model(x)[None]


@_mistake("the views are averaged before the model sees them. Average its probabilities.")
class pictures_averaged(_Tta):
    def outputs(self, model, x, transforms):
        return model(torch.stack([transform(x) for transform in transforms]).mean(0))[None]


@_mistake("the transforms are applied to what the model puts out. They are for x.")
class outputs_transformed(_Tta):
    def outputs(self, model, x, transforms):
        return torch.stack([transform(model(x)[:, None, None])[:, 0, 0] for transform in transforms])


@_mistake("a transform that stands in the list twice is used once (a set?). Go through the list.")
class each_once(_Tta):
    def outputs(self, model, x, transforms):
        return super().outputs(model, x, [*dict.fromkeys(transforms)])


@_mistake("without a transform there is no view: raise ValueError.")
class nothing_accepted(_Tta):
    def check(self, transforms):
        pass

    def predict(self, model, x, transforms):
        return super().predict(model, x, transforms or [lambda x: x])


@_mistake("without a transform torch raises an error of its own. Say it first: raise ValueError.")
class other_error(_Tta):
    def check(self, transforms):
        if not transforms:
            raise RuntimeError("stack expects a non-empty TensorList")


# --- What is left behind ------------------------------------------------------------------------------------


@_mistake("the model predicts in training mode: dropout drops, batch norm uses the batch. Call eval() first.")
class in_training_mode(_Tta):
    def predict(self, model, x, transforms):
        modes = [(module, module.training) for module in model.modules()]
        try:
            model.train()
            with torch.no_grad():
                return self.combine(self.outputs(model, x, transforms))
        finally:
            for module, training in modes:
                module.training = training


@_mistake("the model predicts in whatever mode it is in. Put it in evaluation mode, and back afterwards.")
class in_the_mode_it_is_in(_Tta):
    def predict(self, model, x, transforms):
        with torch.no_grad():
            return self.combine(self.outputs(model, x, transforms))


@_mistake("the model is left in evaluation mode. Put every module back in the mode that it had.")
class left_in_evaluation_mode(_Tta):
    def predict(self, model, x, transforms):
        model.eval()
        return super().predict(model, x, transforms)


@_mistake(
    "model.train() at the end puts every module in training mode, one that was in evaluation mode too. "
    "Remember each module's mode."
)
class left_in_training_mode(_Tta):
    def predict(self, model, x, transforms):
        probabilities = super().predict(model, x, transforms)
        model.train()
        return probabilities


@_mistake(
    "you restore the model's own mode for all of it. A part may be in another mode: remember each module's."
)
class one_mode_for_all(_Tta):
    def predict(self, model, x, transforms):
        training = model.training
        try:
            return super().predict(model, x, transforms)
        finally:
            model.train(training)


@_mistake(
    "after a transform that raises, the model stays in evaluation mode. Restore the modes in a finally."
)
class mode_stays_after_an_error(_Tta):
    def predict(self, model, x, transforms):
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        with torch.no_grad():
            probabilities = self.combine(self.outputs(model, x, transforms))
        for module, training in modes:
            module.training = training
        return probabilities


@_mistake("the probabilities keep their graph, and with it the memory of every layer. Use torch.no_grad().")
class graph_kept(_Tta):
    def predict(self, model, x, transforms):
        with evaluation_mode(model):
            return self.combine(self.outputs(model, x, transforms))


@_mistake(
    "gradients stay switched off for the rest of the notebook. Use `with torch.no_grad():`, which ends."
)
class gradients_stay_off(_Tta):
    def predict(self, model, x, transforms):
        probabilities = super().predict(model, x, transforms)
        torch.set_grad_enabled(False)
        return probabilities


@_mistake("model.requires_grad_(False) freezes the caller's model for good. torch.no_grad() is enough.")
class model_frozen(_Tta):
    def predict(self, model, x, transforms):
        model.requires_grad_(False)
        return super().predict(model, x, transforms)


@_mistake("model.zero_grad() throws away gradients that the caller may still need. Nothing here makes any.")
class gradients_thrown_away(_Tta):
    def predict(self, model, x, transforms):
        model.zero_grad()
        return super().predict(model, x, transforms)


@_mistake("x itself is changed. Leave it as it is.")
class x_changed(_Tta):
    def predict(self, model, x, transforms):
        probabilities = super().predict(model, x, transforms)
        x.copy_(transforms[-1](x))
        return probabilities
