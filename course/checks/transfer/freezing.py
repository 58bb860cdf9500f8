"""Exercise `freeze`: what is drawn, what is looked at."""

from __future__ import annotations

from course import transfer as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.probes.networks import (
    Call,
    Duplicate,
    Evaluate,
    Look,
    Network,
    NetworkProbe,
    Part,
    Switch,
    Train,
)
from course.checks.transfer.common import (
    CLASSES,
    batch_norm,
    block,
    dropout,
    linear,
    pictures,
    relu,
    rows,
    values,
)
from course.checks.transfer.freezing_mistakes import FREEZE as MISTAKES

FREEZE = Call("frozen", "module", part="block1")
UNDO = Call("undone", "module", options={"frozen": False}, part="block1")
TWO_FROZEN = "two blocks (linear, batch norm, ReLU) and a head; block1 is frozen, then all of it is trained"


def _step(draw: Draw, name: str, switch: bool = True) -> Train:
    return Train(name, draw.normal(4, 4), draw.normal(4, CLASSES), switch=switch)


def _with_dropout() -> Network:
    body = {"linear": linear(4, 5), "dropout": dropout(), "inner": block(5, 4)}
    return Network({"body": Network(body), "head": linear(4, CLASSES)})


def _with_rrelu() -> Network:
    body = {"linear": linear(4, 5), "random": Part("RReLU"), "inner": block(5, 4)}
    return Network({"body": Network(body), "head": linear(4, CLASSES)})


def _alone() -> Network:
    parts = {"first": linear(4, 5), "norm": batch_norm(5), "relu": relu(), "head": linear(5, CLASSES)}
    return Network(parts)


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(network: Network, *steps: object, training: bool = True, note: str = "") -> Probe:
        return NetworkProbe(network, values(draw, network), steps, training, note=note)  # type: ignore[arg-type]

    step = _step(draw, "step")
    image_step = Train("step", draw.normal(3, 1, 4, 4), draw.normal(3, CLASSES))
    return {
        "frozen": probe(
            rows(), FREEZE, Look("afterwards"), step, _step(draw, "second step"), note=TWO_FROZEN
        ),
        "at once": probe(rows(), FREEZE, _step(draw, "step", switch=False)),
        "middle": probe(rows(), Call("frozen", "module", part="block2"), step),
        "modes": probe(
            rows(), FREEZE, Switch(False), Switch(True), Switch(True, "block1"), step, training=False
        ),
        "dropout": probe(_with_dropout(), Call("frozen", "module", part="body"), step),
        "one layer": probe(_alone(), Call("frozen", "module", part="norm"), step),
        "pictures": probe(pictures(), Call("frozen", "module", part="features"), image_step),
        "whole": probe(rows(), Call("frozen", "module"), Look("afterwards"), step),
        "undone": probe(
            rows(),
            FREEZE,
            Call("undone", "module", options={"frozen": False}, part="block1"),
            Look("afterwards"),
            step,
        ),
        "part undone": probe(
            rows(),
            Call("frozen", "module"),
            Call("undone", "module", options={"frozen": False}, part="block2"),
            step,
        ),
        "twice": probe(
            rows(),
            FREEZE,
            Call("frozen again", "module", options={"frozen": True}, part="block1"),
            Call("undone", "module", options={"frozen": False}, part="block1"),
            step,
        ),
        "dropout undone": probe(
            _with_dropout(),
            Call("frozen", "module", part="body"),
            Call("undone", "module", options={"frozen": False}, part="body"),
            step,
        ),
        "frozen anew": probe(
            rows(),
            FREEZE,
            Call("undone", "module", options={"frozen": False}, part="block1"),
            step,
            Call("frozen anew", "module", part="block1"),
            _step(draw, "second step"),
        ),
        "copied": probe(rows(), FREEZE, Duplicate(), step, Evaluate("evaluation", draw.normal(2, 4))),
        "part": probe(rows(), FREEZE, Switch(True, "block1.norm"), _step(draw, "step", switch=False)),
        "never frozen": probe(rows(), UNDO, step),
        "undone in parts": probe(
            rows(),
            Call("frozen", "module"),
            UNDO,
            Call("all undone", "module", options={"frozen": False}),
            step,
        ),
        "part evaluates": probe(
            rows(),
            Call("frozen", "module"),
            UNDO,
            Switch(True),
            Switch(False),
            _step(draw, "step", switch=False),
        ),
        "two modes": probe(_with_rrelu(), Call("frozen", "module", part="body"), step),
    }


FREEZE_EXERCISE = Exercise(
    name="freeze",
    kind="function",
    signature="module, frozen=True",
    section="6.3",
    oracle=reference.freeze,
    probes=_probes,
    aspects=(
        Aspect("returns the module itself", "parameters", "frozen", ("frozen: returns",)),
        Aspect(
            "its parameters ask for no gradient", "parameters", "frozen", ("afterwards: asks for gradients",)
        ),
        Aspect("the network stays as it was built", "parameters", "frozen", ("afterwards: state_dict",)),
        Aspect("its values at first", "parameters", "frozen", ("frozen: moved",)),
        Aspect("a whole network", "parameters", "whole", ("afterwards: asks",), hidden=True),
        Aspect("training step: what moved", "batch-norm", "frozen", ("step: moved",)),
        Aspect("training step: the output", "batch-norm", "frozen", ("step: output",)),
        Aspect("a second step", "batch-norm", "frozen", ("second step: moved", "second step: output")),
        Aspect("before train() is called", "batch-norm", "at once", ("step: ",), hidden=True),
        Aspect("a part before the frozen one still learns", "batch-norm", "middle", ("step: ",)),
        Aspect("after train(), eval(), train()", "batch-norm", "modes", ("step: ",)),
        Aspect("after train() of a part of it", "batch-norm", "part", ("step: ",)),
        Aspect("what train() returns", "batch-norm", "modes", ("train(",)),
        Aspect("dropout in a frozen part", "batch-norm", "dropout", ("step: ",)),
        Aspect("other layers with two modes", "batch-norm", "two modes", ("step: ",), hidden=True),
        Aspect("a frozen batch norm by itself", "batch-norm", "one layer", ("step: ",), hidden=True),
        Aspect("a frozen CNN", "batch-norm", "pictures", ("step: ",), hidden=True),
        Aspect("a frozen network", "batch-norm", "whole", ("step: ",), hidden=True),
        Aspect("a deep copy of it", "batch-norm", "copied", ("step: ", "evaluation: "), hidden=True),
        Aspect("undone: asks for gradients again", "undo", "undone", ("undone: returns", "afterwards: asks")),
        Aspect("undone: what a training step moves", "undo", "undone", ("step: ",)),
        Aspect("a part of a frozen network undone", "undo", "part undone", ("step: ",)),
        Aspect("undone where nothing is frozen", "undo", "never frozen", ("undone: ", "step: ")),
        Aspect("first a part undone, then all", "undo", "undone in parts", ("step: ",), hidden=True),
        Aspect("eval() of a part undone", "undo", "part evaluates", ("step: ",), hidden=True),
        Aspect("frozen twice, undone once", "undo", "twice", ("step: ",), hidden=True),
        Aspect("dropout works again", "undo", "dropout undone", ("step: ",), hidden=True),
        Aspect("undone and frozen again", "undo", "frozen anew", ("step: ", "second step: "), hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
)
