"""How students get `build_model` wrong."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from course.capstone import build_network
from course.checks.capstone.bands import PARAMETER_BUDGET
from course.checks.collect import Mistakes

BUILD = Mistakes()


class _Around(nn.Module):
    """A right network, with something around it that is not."""

    def __init__(self):
        super().__init__()
        self.inner = build_network(4)

    def forward(self, x):
        return self.inner(x)


@BUILD.add("your function ends without a `return`. Return the new network.")
def nothing_returned():
    build_network(4)


@BUILD.add("you return the class and no network: write Net(), with the brackets.")
def class_returned():
    return _Around


@BUILD.add(
    "each call returns the same network, so a second training goes on where the first ended. Make it in "
    "the function."
)
def same_network_again():
    return _SHARED


_SHARED = build_network(4)


@BUILD.add("the network has one output. It needs one for each of the 10 classes.")
def one_output():
    return nn.Sequential(*build_network(4)[:-1], nn.Linear(32, 1))


@BUILD.add("the network ends with argmax, which has no gradient. Return the 10 logits.")
def argmax_at_the_end():
    class Net(_Around):
        def forward(self, x):
            return self.inner(x).argmax(1)

    return Net()


@BUILD.add(
    "a batch of one picture comes out in another shape: squeeze() takes away the axis of the batch. "
    "Use flatten(1)."
)
def squeezed():
    class Net(_Around):
        def forward(self, x):
            return self.inner(x).squeeze()

    return Net()


@BUILD.add("the network ends with a softmax. cross_entropy takes the softmax itself: return the logits.")
def softmax_at_the_end():
    return nn.Sequential(build_network(4), nn.Softmax(dim=1))


@BUILD.add(
    "no output is ever negative: the network ends with a ReLU or a sigmoid. A logit may be any number: let "
    "a linear layer be the last one."
)
def relu_at_the_end():
    return nn.Sequential(build_network(4), nn.ReLU())


@BUILD.add(
    f"the network is too large: more than {PARAMETER_BUDGET:,} numbers. Most of them are often in the first "
    "linear layer: pool before it."
)
def large_linear_layer():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2048, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


@BUILD.add("the network is made of linear layers only. Let a convolution look at the picture first.")
def no_convolution():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


@BUILD.add(
    "all weights of a layer start with the same values, so all its filters learn the same (lesson 2). "
    "Keep torch's random start."
)
def constant_start():
    net = build_network(4)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)
    return net


@BUILD.add(
    "layers in a plain list, or tensors that are no Parameter and no buffer, are not trained, saved or "
    "counted. Use nn.ModuleList, nn.Parameter, register_buffer."
)
def layers_in_a_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stages = [*build_network(4)[:-1]]
            self.head = nn.Linear(32, 10)

        def forward(self, x):
            for stage in self.stages:
                stage.train(self.training)
                x = stage(x)
            return self.head(x)

    return Net()


@BUILD.add(
    "F.dropout stays on in evaluation mode: it needs training=self.training. nn.Dropout knows by itself."
)
def dropout_always_on():
    class Net(_Around):
        def forward(self, x):
            return self.inner(F.dropout(x, 0.5))

    return Net()


@BUILD.add(
    "a new layer is made in forward: its weights are new in each call and never trained. "
    "Make layers in __init__."
)
def layer_made_in_forward():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = build_network(4)[:-1]

        def forward(self, x):
            return nn.Linear(32, 10)(self.body(x))

    return Net()


@BUILD.add(
    "the answer for a picture depends on the others in the batch: a norm without running statistics, "
    "or a mean over the batch."
)
def no_running_statistics():
    net = build_network(4)
    for position, layer in enumerate(net):
        if isinstance(layer, nn.BatchNorm2d):
            net[position] = nn.BatchNorm2d(layer.num_features, track_running_stats=False)
    return net


@BUILD.add(
    "the network is returned in evaluation mode. A new network is for training: leave it as torch makes it."
)
def evaluation_mode():
    return build_network(4).eval()


@BUILD.add("some parameters ask for no gradient. Nothing is frozen in a new network.")
def frozen_body():
    net = build_network(4)
    net[:-1].requires_grad_(False)
    return net


@BUILD.add(
    "no gradient arrives at the first layers: something cuts the graph (detach, no_grad, numpy, a new "
    "tensor)."
)
def cut_graph():
    class Net(_Around):
        def forward(self, x):
            return self.inner[-1](self.inner[:-1](x).detach())

    return Net()


@BUILD.add(
    "a layer is made in __init__ and never used in forward, so no gradient arrives there. "
    "Remove it: it counts."
)
def unused_layer():
    class Net(_Around):
        def __init__(self):
            super().__init__()
            self.extra = nn.Linear(32, 32)

    return Net()


@BUILD.add(
    "the network does not learn even a few pictures: many sigmoids in a row kill the gradient "
    "(lesson 2). Use ReLU, and batch norm."
)
def sigmoids_in_a_row():
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.Sigmoid()]
    for _ in range(8):
        layers += [nn.Conv2d(4, 4, 3, padding=1), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 10))


@BUILD.add(
    "the logits are not finite: somewhere is a division by zero or the logarithm of a negative number."
)
def not_finite():
    class Net(_Around):
        def forward(self, x):
            return self.inner(x) / x.new_zeros(())

    return Net()


@BUILD.add("forward computes with numpy or lists. Then no gradient arrives. Use torch on the pictures.")
def through_numpy():
    class Net(_Around):
        def forward(self, x):
            return torch.tensor(self.inner(x).detach().numpy())

    return Net()
