"""What a solution must be before its numbers count: the right kind of object, and the student's own work."""

from __future__ import annotations

from collections.abc import Iterable

from course.checks.framework import Exercise
from course.checks.plain import Observation


def judge_object(exercise: Exercise, seen: Observation) -> str:
    """What is wrong with the kind of object that was passed to the check; empty when nothing is.

    Args:
        exercise: what should have been passed.
        seen: from `observe.describe`.
    """
    wanted = "a function" if exercise.kind == "function" else "a class (a subclass of nn.Module)"
    if seen["type"] == "NoneType":
        return f"check expected {wanted} called {exercise.name} and got None."
    if exercise.kind == "class" and seen["kind"] == "instance":
        return (
            f"check expected the class itself and got an instance: pass {exercise.name}, not "
            f"{exercise.name}(...)."
        )
    if seen["kind"] != exercise.kind:
        kinds = {"class": "a class", "function": "a function", "instance": "a module"}
        got = kinds.get(str(seen["kind"]), f"an object of type {seen['type']}")
        return f"check expected {wanted} called {exercise.name} and got {got}."
    if exercise.kind == "class" and not seen["is a module"]:
        return f"{exercise.name} must be a subclass of nn.Module: write `class {exercise.name}(nn.Module):`."
    return _judge_signature(exercise, seen)


def _judge_signature(exercise: Exercise, seen: Observation) -> str:
    if seen["signature"] is None:
        return ""
    positional, obligatory, keywords = (seen[key] for key in ("positional", "obligatory", "keywords"))
    assert isinstance(positional, list)
    assert isinstance(obligatory, list)
    assert isinstance(keywords, list)
    fits, absent, named_only = True, [], []
    if not seen["any positional"] and not seen["any keyword"]:
        fits = len(positional) >= len(exercise.required) >= len(obligatory)
        absent = [name for name in exercise.optional if name not in keywords]
    if not seen["any positional"] and exercise.kind == "class":
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


def judge_own_work(exercise: Exercise, seen: Observation, observations: Iterable[Observation]) -> str:
    """Whether the work was left to torch's own counterpart or to the course's reference; empty when not."""
    origin = seen["origin"]
    assert isinstance(origin, list)
    for name in origin:
        if name.startswith("course."):
            return f"This is the course's own {exercise.name}. It lets you go on; points are for yours."
        if name.startswith("torch.") and _does_it_all(exercise, name):
            return f"{exercise.name} is made of {name}, which does the whole exercise. Build on nn.Module."
    for observation in observations:
        operators, functions = observation["operators"], observation["course functions"]
        assert isinstance(operators, list)
        assert isinstance(functions, list)
        for name in (*operators, *(name for name in functions if name.startswith("torch."))):
            if _does_it_all(exercise, name):
                return (
                    f"Your code calls torch's own `{name}`, which does the whole exercise. "
                    "Build it from sums, means and roots."
                )
        # BatchNorm1d and BatchNorm2d of the reference share their methods: those of `_BatchNorm`.
        if any(exercise.name.startswith(name.split(".")[0].lstrip("_")) for name in functions):
            return f"Your code calls the course's own {exercise.name}. Points are for writing it yourself."
    return ""


def _does_it_all(exercise: Exercise, name: str) -> bool:
    """Whether a torch name contains a shortcut: "BatchNorm2d" and "native_batch_norm" alike."""
    return any(shortcut.replace("_", "") in name.replace("_", "").lower() for shortcut in exercise.shortcuts)
