"""How students get `lsuv_init` wrong: one step of a right answer is changed."""

from __future__ import annotations

import copy

import torch
from torch import nn

from course.checks.collect import Mistakes
from course.initialization import orthogonal_

LSUV_INIT = Mistakes()


class _Lsuv:
    """A right answer, in steps; a mistake overrides one of them.

    Which numbers `orthogonal_` draws for a wide weight is left open. Here it draws as the course's hints say.
    """

    def __call__(self, model, x):
        layers = self.layers(model)
        with torch.no_grad():
            for layer in layers:
                self.start(layer)
        before = [(module, module.training) for module in model.modules()]
        self.set_mode(model)
        with torch.no_grad():
            self.tune(layers, model, x)
        self.restore(model, before)
        return model

    def layers(self, model):
        return [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]

    def start(self, layer):
        orthogonal_(layer.weight)
        if layer.bias is not None:
            layer.bias.zero_()

    def set_mode(self, model):
        model.eval()

    def restore(self, model, before):
        for module, training in before:
            module.training = training

    def tune(self, layers, model, x):
        for layer in layers:
            self.rescale(layer, self.output(layer, model, x))

    def output(self, layer, model, x):
        outputs = []

        def keep(module, args, output):
            outputs.append(self.kept(args[0], output))

        handle = layer.register_forward_hook(keep)
        model(x)
        handle.remove()
        return self.chosen(*outputs[-1])

    def kept(self, given, output):
        return given.clone(), output.clone()  # or an activation in place would overwrite them

    def chosen(self, given, output):
        return output

    def rescale(self, layer, output):
        spread = self.spread(output)
        if self.varies(output):
            layer.weight.div_(spread)

    def varies(self, output):
        return output.var() > 0

    def spread(self, output):
        return output.std()


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(model, x):
            return steps(model, x)

        wrong.__name__ = type(steps).__name__
        LSUV_INIT.add(message, section)(wrong)

    return collect


@_mistake("you divide by the variance. Divide the weight by its root, the standard deviation.")
class divided_by_variance(_Lsuv):
    def spread(self, output):
        return output.var()


@_mistake("you multiply by the standard deviation. Dividing by it makes the variance 1.")
class multiplied(_Lsuv):
    def spread(self, output):
        return 1 / output.std()


@_mistake("you divide by the root of E[y**2]. The variance is around the mean: E[(y - mean)**2].")
class mean_square(_Lsuv):
    def spread(self, output):
        return output.square().mean().sqrt()


@_mistake("each unit is scaled by itself. One number per layer: the variance over ALL numbers of its output.")
class every_unit_by_itself(_Lsuv):
    def rescale(self, layer, output):
        axes = [axis for axis in range(output.dim()) if axis != 1]
        spread = output.std(axes)
        if bool((spread > 0).all()):
            layer.weight.div_(spread.view(-1, *[1] * (layer.weight.dim() - 1)))


class _TorchsDraw(_Lsuv):
    """With `nn.init.orthogonal_`, which draws other numbers for a wide weight."""

    def start(self, layer):
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            layer.bias.zero_()


class _MeasuredOnce(_Lsuv):
    def tune(self, layers, model, x):
        outputs = [self.output(layer, model, x) for layer in layers]
        for layer, output in zip(layers, outputs, strict=True):
            self.rescale(layer, output)


class _InTrainingMode(_Lsuv):
    def set_mode(self, model):
        model.train()


_MEASURED_ONCE = (
    "all layers are measured in one pass. Once the first is scaled, the others see another input: run again."
)
_IN_TRAINING_MODE = "dropout is on while you measure, and adds variance of its own. Call model.eval() first."


@_mistake(_MEASURED_ONCE)
class measured_once(_MeasuredOnce):
    pass


@_mistake(_MEASURED_ONCE)
class measured_once_after_torchs_draw(_MeasuredOnce, _TorchsDraw):
    pass


@_mistake(
    "you go from the last layer to the first. Scaling one changes the input of the next: start in front."
)
class from_the_back(_Lsuv):
    def layers(self, model):
        return super().layers(model)[::-1]


@_mistake("you measure the layer's input. Its output shall have variance 1.")
class input_measured(_Lsuv):
    def chosen(self, given, output):
        return given


@_mistake("you measure after the activation. The layer's own output shall have variance 1: hook the layer.")
class measured_after_relu(_Lsuv):
    def chosen(self, given, output):
        return output.clamp(min=0)


@_mistake("the weights are not orthogonal at the start: call orthogonal_ on every weight first.", "2.7")
class start_kept(_Lsuv):
    def start(self, layer):
        if layer.bias is not None:
            layer.bias.zero_()


@_mistake("the weights start as normal numbers. LSUV starts from orthogonal ones.", "2.7")
class normal_start(_Lsuv):
    def start(self, layer):
        super().start(layer)
        nn.init.kaiming_normal_(layer.weight)


@_mistake(
    "the biases keep their first numbers. They start at 0: then the output is proportional to the weight."
)
class biases_kept(_Lsuv):
    def start(self, layer):
        orthogonal_(layer.weight)


@_mistake("a layer with bias=False has no bias: layer.bias is None. Set it to 0 only where there is one.")
class bias_expected(_Lsuv):
    def start(self, layer):
        orthogonal_(layer.weight)
        nn.init.zeros_(layer.bias)


@_mistake("convolutional layers are left out: look for nn.Linear and nn.Conv2d.")
class convolutions_left_out(_Lsuv):
    def layers(self, model):
        return [layer for layer in super().layers(model) if isinstance(layer, nn.Linear)]


@_mistake(
    "layers inside another nn.Sequential are left out: model.modules() finds them, model.children() does not."
)
class children_only(_Lsuv):
    def layers(self, model):
        return [each for each in model.children() if isinstance(each, nn.Linear | nn.Conv2d)]


@_mistake("the last layer is not scaled. Every layer's output shall have variance 1.")
class last_layer_left_out(_Lsuv):
    def tune(self, layers, model, x):
        super().tune(layers[:-1], model, x)


@_mistake(_IN_TRAINING_MODE)
class measured_in_training_mode(_InTrainingMode):
    pass


@_mistake(_IN_TRAINING_MODE)
class measured_in_training_mode_after_torchs_draw(_InTrainingMode, _TorchsDraw):
    pass


@_mistake(
    "you measure after the activation: nn.ReLU(inplace=True) has overwritten the output that you kept. "
    "Take its variance inside the hook."
)
class overwritten_in_place(_Lsuv):
    def kept(self, given, output):
        return given, output


@_mistake(
    "the model stays in evaluation mode. training.evaluation_mode(model) puts every module's own mode back."
)
class mode_not_put_back(_Lsuv):
    def restore(self, model, before):
        pass


@_mistake("the model is in training mode afterwards, whatever it was before. Put back the mode that it had.")
class always_training(_Lsuv):
    def restore(self, model, before):
        model.train()


@_mistake(
    "model.train(was_training) gives all modules one mode. Each gets its own back: "
    "use training.evaluation_mode(model)."
)
class one_mode_for_all(_Lsuv):
    def restore(self, model, before):
        model.train(before[0][1])


@_mistake("the hooks are still there: each later pass of the model runs them. Call handle.remove().")
class hooks_left(_Lsuv):
    def output(self, layer, model, x):
        outputs = []
        layer.register_forward_hook(lambda module, args, output: outputs.append(output.clone()))
        model(x)
        return outputs[-1]


@_mistake("you divide by 0 where a layer's output does not vary (nan or inf). Leave such a layer as it is.")
class divided_by_zero(_Lsuv):
    def varies(self, output):
        return True


@_mistake(
    "an added eps or a clamp does not help at variance 0: the weight is divided by it and becomes huge. "
    "Divide only where the variance is above 0."
)
class eps_added(_Lsuv):
    def varies(self, output):
        return True

    def spread(self, output):
        return output.std() + 1e-8


@_mistake("you stop at the first layer whose output does not vary. Leave that one, and go on with the next.")
class stopped_early(_Lsuv):
    def tune(self, layers, model, x):
        for layer in layers:
            output = self.output(layer, model, x)
            if not self.varies(output):
                break
            self.rescale(layer, output)


@_mistake(
    "you measure a layer before its weight is orthogonal and its bias 0. First fill all layers, then measure."
)
class measured_before_filling(_Lsuv):
    def start(self, layer):
        pass

    def rescale(self, layer, output):
        super().start(layer)
        super().rescale(layer, output)


@_mistake(
    "the biases become 0 after you have measured with them. Set them to 0 first: they change the variance."
)
class biases_zeroed_last(_Lsuv):
    def start(self, layer):
        orthogonal_(layer.weight)

    def tune(self, layers, model, x):
        super().tune(layers, model, x)
        for layer in layers:
            if layer.bias is not None:
                layer.bias.zero_()


@_mistake(
    "layer.weight = nn.Parameter(...) makes a new one: an optimizer that has the old ones trains nothing."
)
class new_parameters(_Lsuv):
    def rescale(self, layer, output):
        super().rescale(layer, output)
        layer.weight = nn.Parameter(layer.weight.clone())


@_mistake("the parameters no longer learn: requires_grad is off. Work inside torch.no_grad() instead.")
class learning_switched_off(_Lsuv):
    def restore(self, model, before):
        super().restore(model, before)
        model.requires_grad_(False)


@_mistake(
    "all parameters ask for gradients afterwards, also one that was frozen. "
    "Leave requires_grad alone, and work inside torch.no_grad()."
)
class frozen_ones_thawed(_Lsuv):
    def restore(self, model, before):
        super().restore(model, before)
        model.requires_grad_(True)


@_mistake(
    "set_grad_enabled(True) switches gradients on, also for a caller who had them off. "
    "Use `with torch.no_grad():`."
)
class gradients_switched_on(_Lsuv):
    def restore(self, model, before):
        super().restore(model, before)
        torch.set_grad_enabled(True)


@_mistake("you set a seed inside. Leave it to the caller: after you, all random numbers would be the same.")
class seeded_inside(_Lsuv):
    def layers(self, model):
        torch.default_generator.manual_seed(3)
        return super().layers(model)


@LSUV_INIT.add("you return a copy. Tune the model that was given, and return it.")
def copy_returned(model, x):
    return _Lsuv()(copy.deepcopy(model), x)


@LSUV_INIT.add(
    "a parameter that asks for a gradient cannot be changed in place. Work inside torch.no_grad()."
)
def no_grad_missing(model, x):
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.weight /= module.weight.std()
    return model
