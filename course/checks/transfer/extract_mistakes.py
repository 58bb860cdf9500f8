"""How students get `extract_features` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes
from course.training import evaluation_mode

EXTRACT = Mistakes()


def _features(model, x, layer, keep=lambda inputs, output: output.detach().clone()):
    """Run the model and keep something of the layer: the part of the work that is right."""
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(keep(inputs, output))
    )
    try:
        with evaluation_mode(model), torch.no_grad():
            model(x)
    finally:
        handle.remove()
    return seen[-1]


@EXTRACT.add(
    "the network runs in training mode: batch norm uses the batch's statistics and moves its running ones, "
    "dropout drops. Call eval() first."
)
def in_training_mode(model, x, layer):
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.train()
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
        for module, training in modes:
            module.training = training
    return seen[-1]


@EXTRACT.add("the network runs in whatever mode it is in. Features are taken in evaluation mode.")
def in_the_mode_it_is_in(model, x, layer):
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    return seen[-1]


@EXTRACT.add("the network is left in evaluation mode. Put every module back in the mode that it had.")
def left_in_evaluation_mode(model, x, layer):
    model.eval()
    return _features(model, x, layer)


@EXTRACT.add(
    "model.train() at the end puts every module in training mode, one that stood in evaluation mode too. "
    "Restore the mode that each one had."
)
def left_in_training_mode(model, x, layer):
    features = _features(model, x, layer)
    model.train()
    return features


@EXTRACT.add(
    "you restore the model's own mode for all of it. A frozen part may stand in evaluation mode inside a "
    "model that trains: remember each module's mode."
)
def one_mode_for_all(model, x, layer):
    training = model.training
    try:
        return _features(model, x, layer)
    finally:
        model.train(training)


@EXTRACT.add(
    "your hook stays on the layer, and there is one more with each call. Remove it: handle.remove()."
)
def hook_stays(model, x, layer):
    seen = []
    model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )
    with evaluation_mode(model), torch.no_grad():
        model(x)
    return seen[-1]


@EXTRACT.add("when the forward pass raises, your hook stays. Remove it in a finally.")
def hook_stays_after_an_error(model, x, layer):
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )
    with evaluation_mode(model), torch.no_grad():
        model(x)
    handle.remove()
    return seen[-1]


@EXTRACT.add("when the forward pass raises, the modes are not put back. Put them back in a finally.")
def mode_stays_after_an_error(model, x, layer):
    seen = []
    modes = [(module, module.training) for module in model.modules()]
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )
    model.eval()
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    for module, training in modes:
        module.training = training
    return seen[-1]


@EXTRACT.add("after an error nothing is cleaned up: neither hook nor modes. Use try and finally.")
def nothing_restored_after_an_error(model, x, layer):
    seen = []
    modes = [(module, module.training) for module in model.modules()]
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )
    model.eval()
    with torch.no_grad():
        model(x)
    handle.remove()
    for module, training in modes:
        module.training = training
    return seen[-1]


@EXTRACT.add("the error of the forward pass is swallowed. Clean up, and let it go on (finally, not except).")
def error_swallowed(model, x, layer):
    try:
        return _features(model, x, layer)
    except Exception:
        return torch.zeros(len(x), 1, dtype=x.dtype)


@EXTRACT.add(
    "the features keep their graph, and with it the memory of every layer before. Run the model under "
    "torch.no_grad()."
)
def graph_kept(model, x, layer):
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.clone())
    )
    try:
        with evaluation_mode(model), torch.enable_grad():
            model(x)
    finally:
        handle.remove()
    return seen[-1]


@EXTRACT.add(
    "the layer after this one changed your features: nn.ReLU(inplace=True) writes into its input. Keep a "
    "clone."
)
def overwritten_in_place(model, x, layer):
    return _features(model, x, layer, lambda inputs, output: output.detach())


@EXTRACT.add(
    "this is what goes into the layer. A forward hook gets (module, inputs, output): take the output."
)
def input_of_the_layer(model, x, layer):
    return _features(model, x, layer, lambda inputs, output: inputs[0].detach().clone())


@EXTRACT.add("the features are flattened. Return the layer's output as it is; the caller may want the maps.")
def flattened(model, x, layer):
    return _features(model, x, layer).flatten(1)


@EXTRACT.add("the maps are averaged over height and width. Return the layer's output as it is.")
def pooled(model, x, layer):
    features = _features(model, x, layer)
    return features.mean(dim=(2, 3)) if features.dim() == 4 else features


@EXTRACT.add("this is what the whole network puts out. Return the output of the layer that was named.")
def output_of_the_network(model, x, layer):
    with evaluation_mode(model), torch.no_grad():
        return model(x)


@EXTRACT.add(
    "you call the children one after the other. That leaves out what forward does between them: a flatten, a "
    "sum. Call model(x) and listen with a hook."
)
def children_one_after_the_other(model, x, layer):
    names = layer.split(".")
    with evaluation_mode(model), torch.no_grad():
        for name in names:
            for child_name, child in model.named_children():
                if child_name == name and name != names[-1]:
                    model = child
                    break
                x = child(x)
                if child_name == name:
                    return x.clone()
    return x


@EXTRACT.add(
    "only the first part of the name is used. Names have dots, 'features.3': model.get_submodule finds them."
)
def first_part_of_the_name(model, x, layer):
    return _features(model, x, layer.split(".")[0])


@EXTRACT.add(
    "gradients stay switched off for the rest of the notebook. Use `with torch.no_grad():`, which ends by "
    "itself."
)
def gradients_stay_off(model, x, layer):
    features = _features(model, x, layer)
    torch.set_grad_enabled(False)
    return features


@EXTRACT.add(
    "model.requires_grad_(False) freezes the caller's model for good. torch.no_grad() is enough here."
)
def model_frozen(model, x, layer):
    model.requires_grad_(False)
    return _features(model, x, layer)


@EXTRACT.add(
    "gradients are on afterwards, also for a caller who had switched them off. "
    "`with torch.no_grad():` restores what was before."
)
def gradients_switched_on(model, x, layer):
    features = _features(model, x, layer)
    torch.set_grad_enabled(True)
    return features


@EXTRACT.add(
    "a tensor from torch.inference_mode() cannot be trained on: a linear probe on these features raises. "
    "Use torch.no_grad()."
)
def in_inference_mode(model, x, layer):
    with torch.inference_mode():
        return _features(model, x, layer)


@EXTRACT.add("you clean up after one kind of error only. Any exception may come: use finally.")
def one_kind_of_error(model, x, layer):
    seen = []
    modes = [(module, module.training) for module in model.modules()]
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: seen.append(output.detach().clone())
    )

    def clean_up():
        handle.remove()
        for module, training in modes:
            module.training = training

    try:
        model.eval()
        with torch.no_grad():
            model(x)
    except RuntimeError:
        clean_up()
        raise
    clean_up()
    return seen[-1]


@EXTRACT.add("another exception comes out than the one that was raised. With finally it goes on by itself.")
def another_error(model, x, layer):
    try:
        return _features(model, x, layer)
    except Exception as error:
        raise RuntimeError(f"no features: {error}") from error
