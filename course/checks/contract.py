"""What a solution must be before its numbers count: the right kind of object, and the student's own work.

Its descriptions come from where the student's code runs, like every observation: nothing in them is taken for
granted, not even that they are there.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from course.checks.compare import seen_by
from course.checks.framework import (
    Aspect,
    ChangeProbe,
    Exercise,
    Probe,
    ScheduleProbe,
    tensors_in,
    to_float64,
)
from course.checks.plain import Observation, are_texts
from course.checks.probes.drawing import FillProbe
from course.checks.probes.sampling import SampleProbe
from course.checks.probes.stopping import StopProbe
from course.checks.surroundings import draws, may_compute

UNREADABLE = "What came back from your code's process was not what the check asked for."
"""Only code that reaches into the check itself gets to read this."""

OUT_OF_SIGHT = (
    "The numbers are right, but nothing that could compute them was seen: no operation on tensors, none of "
    "their numbers taken out. Compute in the function or method itself, not in another thread or process."
)

NOT_DRAWN = (
    "The numbers look right, but nothing that could compute them was seen: torch drew no random number. "
    "Draw in the function itself and with torch: normal_, uniform_, randn, rand."
)


_WANTED = {
    "function": "a function",
    "class": "a class (a subclass of nn.Module)",
    "plain class": "a class",
}


def judge_object(exercise: Exercise, seen: Observation) -> str:
    """What is wrong with the kind of object that was passed to the check; empty when nothing is.

    Args:
        exercise: what should have been passed.
        seen: from `observe.describe`.
    """
    kind, type_name = seen.get("kind"), seen.get("type")
    if not isinstance(kind, str) or not isinstance(type_name, str) or _names(seen, "origin") is None:
        return UNREADABLE
    wanted = _WANTED[exercise.kind]
    if type_name == "NoneType":
        return f"check expected {wanted} called {exercise.name} and got None."
    if exercise.kind == "class" and kind == "instance":
        return (
            f"check expected the class itself and got an instance: pass {exercise.name}, not "
            f"{exercise.name}(...)."
        )
    if kind != exercise.kind.removeprefix("plain "):
        kinds = {"class": "a class", "function": "a function", "instance": "a module"}
        got = kinds.get(kind, f"an object of type {type_name}")
        return f"check expected {wanted} called {exercise.name} and got {got}."
    if exercise.kind == "class" and seen.get("is a module") is not True:
        return f"{exercise.name} must be a subclass of nn.Module: write `class {exercise.name}(nn.Module):`."
    return _judge_signature(exercise, seen)


def _judge_signature(exercise: Exercise, seen: Observation) -> str:
    if seen.get("signature") is None:
        return ""
    positional, obligatory, keywords = (_names(seen, key) for key in ("positional", "obligatory", "keywords"))
    if positional is None or obligatory is None or keywords is None:
        return UNREADABLE
    any_positional, any_keyword = (seen.get(key) is True for key in ("any positional", "any keyword"))
    fits, absent, named_only = True, [], []
    if not any_positional and not any_keyword:
        fits = len(positional) >= len(exercise.required) >= len(obligatory)
        absent = [name for name in exercise.optional if name not in keywords]
    if not any_positional and exercise.kind == "class":
        # A layer stands in for torch's, which is often called as LayerNorm(5, 1e-6).
        named_only = [name for name in exercise.optional if name not in positional]
    if fits and not absent and not named_only:
        return ""
    hint = ""
    if absent:
        hint = f" ({', '.join(absent)} is missing.)"
    elif named_only:
        hint = f" ({', '.join(named_only)} must also work by position, as in torch.)"
    return (
        f"{exercise.name} should take ({exercise.signature}), as in the text of the exercise; "
        f"yours takes ({seen['signature']}).{hint}"
    )


# --- The student's own work ---------------------------------------------------------------------------------


def judge_own_work(exercise: Exercise, seen: Observation, observations: Iterable[Observation]) -> str:
    """Whether the work was left to torch's own counterpart or to the course's reference; empty when not.

    An observation without its notes of what ran is not accepted either: `observe` always writes them.
    """
    for name in _names(seen, "origin") or ():
        if name.startswith("course.") and name not in exercise.given:
            return f"This is the course's own {exercise.name}. It lets you go on; points are for yours."
        if name.startswith(_TORCHS) and _does_it_all(exercise, name):
            build_on = _BUILD_ON[exercise.kind]
            return f"{exercise.name} is made of {name}, which does the whole exercise. {build_on}"
    ran: dict[str, None] = {}  # in order, each once
    functions: dict[str, None] = {}
    for observation in observations:
        for key in NOTES:
            names = _names(observation, key)
            if names is None:
                return UNREADABLE
            (functions if key == "course functions" else ran).update(dict.fromkeys(names))
    for name in (*ran, *(name for name in functions if name.startswith(_TORCHS))):
        if _does_it_all(exercise, name):
            return (
                f"Your code calls torch's own `{name}`, which does the whole exercise. "
                "Build it from simpler operations."
            )
    for name in functions:
        if name.split(".")[0] in exercise.course_shortcuts:
            return f"Your code calls `{name}` of the course. Points are for writing it yourself."
    if any(_is_the_exercise(exercise, name) for name in functions):
        return f"Your code calls the course's own {exercise.name}. Points are for writing it yourself."
    return ""


def _is_the_exercise(exercise: Exercise, name: str) -> bool:
    """Whether a function of the course does this exercise: `sigmoid` is only a part of `sigmoid_backward`."""
    if exercise.kind == "function":
        return name == exercise.name
    # BatchNorm1d and BatchNorm2d of the reference share their methods: those of `_BatchNorm`.
    return exercise.name.startswith(name.split(".")[0].lstrip("_"))


_BUILD_ON = {
    "function": "Build it from simpler operations.",
    "class": "Build on nn.Module.",
    "plain class": "Write it yourself.",
}

_TORCHS = ("torch.", "torchvision.")

NOTES = ("operators", "nodes", "course functions", "read-outs")
"""Keys under which an observation says what ran."""


def _names(seen: Observation, key: str) -> list[str] | None:
    """The strings under a key; None when something else is there."""
    names = seen.get(key)
    return names if isinstance(names, list) and are_texts(names) else None


def _does_it_all(exercise: Exercise, name: str) -> bool:
    """Whether a torch name contains a shortcut: "BatchNorm2d" and "native_batch_norm" alike.

    A shortcut that starts with a dot is the beginning of a name: ".elu" is not in "relu".
    """
    name = f".{name}".replace("_", "").lower()
    return any(shortcut.replace("_", "") in name for shortcut in exercise.shortcuts)


# --- Work out of sight --------------------------------------------------------------------------------------


def computes(observation: Observation, probe: Probe) -> bool:
    """Whether the notes of what ran hold anything that could have computed a result, or drawn it."""
    if _names(observation, "read-outs"):
        return True
    operators = _names(observation, "operators") or ()
    return may_compute(operators) or (isinstance(probe, FillProbe | SampleProbe) and draws(operators))


def takes_work(aspect: Aspect, probe: Probe, expected: Observation) -> bool:
    """Whether the aspect looks at numbers that nobody has without computing.

    Those are neither constant, such as a weight that starts at 1, nor among the inputs. A function that sets
    some numbers of a network to constants computes nothing, nor does one that keeps a copy.
    """
    if isinstance(probe, ChangeProbe | ScheduleProbe | StopProbe):
        return False
    given = list(tensors_in(to_float64(probe)))
    values = (expected[key] for key in seen_by(aspect, expected))
    return any(
        isinstance(value, Tensor)
        and value.numel() > 0
        and bool((value != value.flatten()[0]).any())
        and not any(value.dtype == each.dtype and torch.equal(value, each) for each in given)
        for value in values
    )
