"""What a student can hand to a check, and what the check answers."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course import normalization as reference
from course.checks import CheckFailed, check, examine, find, render
from course.checks.batch_norm.layer_steps import BatchNorm
from course.checks.observe import observe

BATCH_NORM_2D = find("BatchNorm2d")
TRAIN = find("batch_norm_train")


def right_train(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) / torch.sqrt(var + eps) * weight + bias, mean, var


class StudentBatchNorm2d(nn.Module):
    """A right solution in steps that a test can get wrong."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def blend(self, old, new):
        return (1 - self.momentum) * old + self.momentum * new

    def unbiased(self, var, n):
        return var * n / (n - 1)

    def uses_batch(self):
        return self.training

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.uses_batch():
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        if self.training:
            n = x.numel() // x.shape[1]
            self.num_batches_tracked += 1
            self.running_mean = self.blend(self.running_mean, mean.detach())
            self.running_var = self.blend(self.running_var, self.unbiased(var.detach(), n))
        y = (x - mean.view(-1, 1, 1)) / torch.sqrt(var.view(-1, 1, 1) + self.eps)
        return y if self.weight is None else y * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class MomentumReversed(StudentBatchNorm2d):
    def blend(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new


class BiasedRunningVar(StudentBatchNorm2d):
    def unbiased(self, var, n):
        return var


class AlwaysUsesBatch(StudentBatchNorm2d):
    def uses_batch(self):
        return True


class KeywordsOnly(StudentBatchNorm2d):
    def __init__(self, num_features, *, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)


class AnyKeywords(StudentBatchNorm2d):
    def __init__(self, num_features, **options):
        super().__init__(num_features, **options)


def complaint(exercise: str, student: object, group: str | None = None, **options: object) -> str:
    with pytest.raises(CheckFailed) as failure:
        check(exercise, student, group, **options)
    return str(failure.value)


# --- The wrong kind of object -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exercise", "student", "sentence"),
    [
        (
            "BatchNorm2d",
            right_train,
            "expected a class (a subclass of nn.Module) called BatchNorm2d and got a function",
        ),
        ("BatchNorm2d", BatchNorm(3), "pass BatchNorm2d, not BatchNorm2d(...)"),
        ("BatchNorm2d", None, "got None"),
        ("BatchNorm2d", 3, "got an object of type int"),
        ("BatchNorm2d", type("BatchNorm2d", (), {}), "must be a subclass of nn.Module"),
        ("batch_norm_train", BatchNorm, "expected a function called batch_norm_train and got a class"),
        ("batch_norm_train", None, "got None"),
        ("batch_norm_train", lambda x: x, "should take (x, weight, bias, eps=1e-5)"),
        ("batch_norm_train", lambda x, weight, bias: x, "eps is missing"),
        (
            "BatchNorm2d",
            KeywordsOnly,
            "takes (num_features, *, eps=1e-05, momentum=0.1, affine=True). (eps, momentum, affine must also",
        ),
        ("BatchNorm2d", AnyKeywords, "eps, momentum, affine must also work by position"),
    ],
)
def test_the_wrong_kind_of_object_is_named(exercise: str, student: object, sentence: str) -> None:
    assert sentence in complaint(exercise, student)


def test_an_unknown_exercise_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'BatchNorm2d'"):
        check("BatchNorm2D", BatchNorm)


def test_an_unknown_group_lists_the_groups() -> None:
    with pytest.raises(ValueError, match="running-stats"):
        check("BatchNorm2d", BatchNorm, "backward")


# --- The wrong kind of value ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda y, x: None, "returned None, where"),
        (lambda y, x: y.detach().numpy(), "returned numpy.ndarray; it should return a torch.Tensor"),
        (lambda y, x: y.float(), "the result torch.float32"),
        (lambda y, x: y.T, "The shape is (4, 3); it should be (3, 4)"),
        (lambda y, x: y * np.nan, "There is a nan in the result"),
        (lambda y, x: y.detach(), "No gradient arrives"),
    ],
)
def test_each_wrong_kind_of_value_has_its_message(change, sentence: str) -> None:
    def student(x, weight, bias, eps=1e-5):
        y, mean, var = right_train(x, weight, bias, eps)
        return change(y, x), mean, var

    assert sentence.replace("returned None, where", "returns None here") in complaint(
        "batch_norm_train", student
    )


def test_two_values_where_three_are_asked_for() -> None:
    def student(x, weight, bias, eps=1e-5):
        return right_train(x, weight, bias, eps)[1:]

    assert "2 values where 3 were expected: y, mean, var" in complaint("batch_norm_train", student)


def test_changing_the_input_has_its_message() -> None:
    def student(x, weight, bias, eps=1e-5):
        result = right_train(x, weight, bias, eps)
        with torch.no_grad():
            x += 1
        return result

    assert "changes its input in place" in complaint("batch_norm_train", student)


def test_an_exception_is_told_with_the_students_line() -> None:
    def student(x, weight, bias, eps=1e-5):
        return x @ weight.reshape(-1, 7), None, None

    message = complaint("batch_norm_train", student)
    assert "RuntimeError: shape '[-1, 7]' is invalid" in message
    assert "return x @ weight.reshape(-1, 7)" in message


def test_an_untouched_exercise_is_not_written_yet() -> None:
    def student(x, weight, bias, eps=1e-5):
        raise NotImplementedError

    assert "not written yet" in complaint("batch_norm_train", student)


def test_an_endless_loop_is_stopped_even_if_it_swallows_exceptions() -> None:
    def student(x, weight, bias, eps=1e-5):
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue

    probe = TRAIN.probes(0)[TRAIN.aspects[0].probe]
    seen = observe(student, probe, time_limit=0.2)
    assert seen["error"] == {"trouble": "timeout", "text": "0.2 seconds", "where": ""}


def test_a_bell_that_rings_where_python_cannot_raise_rings_again_and_is_not_told(capfd, monkeypatch) -> None:
    """In a `__del__`, or while Python forgets a tensor: it says "Exception ignored in" and goes on."""

    class Stubborn:
        def __del__(self):
            while True:
                pass

    def student(x, weight, bias, eps=1e-5):
        Stubborn()
        while True:
            pass

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    probe = TRAIN.probes(0)[TRAIN.aspects[0].probe]
    assert observe(student, probe, time_limit=0.2)["error"]["trouble"] == "timeout"
    assert not told
    assert not capfd.readouterr().err
    assert sys.unraisablehook == told.append


def test_what_else_python_could_not_raise_is_told_as_ever(monkeypatch) -> None:
    class Broken:
        def __del__(self):
            raise ValueError("broken")

    def student(x, weight, bias, eps=1e-5):
        Broken()
        return right_train(x, weight, bias, eps)

    told: list[sys.UnraisableHookArgs] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    seen = observe(student, TRAIN.probes(0)[TRAIN.aspects[0].probe])
    assert "error" not in seen
    assert told[0].exc_type is ValueError


def test_seconds_in_which_a_busy_machine_does_something_else_do_not_count() -> None:
    def student(x, weight, bias, eps=1e-5):
        time.sleep(0.3)  # as if another process had the core
        return right_train(x, weight, bias, eps)

    probe = TRAIN.probes(0)[TRAIN.aspects[0].probe]
    assert "error" not in observe(student, probe, time_limit=0.2)


def test_sys_exit_is_an_error_like_others() -> None:
    assert "SystemExit" in complaint("batch_norm_train", lambda x, weight, bias, eps=1e-5: sys.exit(0))


class LyingTensor(torch.Tensor):
    """Claims to be equal to everything."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.__sub__, torch.Tensor.abs):
            return torch.zeros(())
        return super().__torch_function__(func, types, args, kwargs)


def test_a_tensor_that_lies_is_looked_through() -> None:
    def student(x, weight, bias, eps=1e-5):
        y, mean, var = right_train(x, weight, bias, eps)
        return (y + 1).as_subclass(LyingTensor), mean, var

    assert not examine(TRAIN, student).passed


def test_a_running_statistic_that_is_no_buffer_is_told_apart_from_a_wrong_dtype() -> None:
    class PlainAttribute(StudentBatchNorm2d):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            del self.running_mean
            self.running_mean = torch.zeros(args[0])

        def blend(self, old, new):
            return old.lerp_(new.to(old.dtype), self.momentum)

    advice = complaint("BatchNorm2d", PlainAttribute, "running-stats")
    assert "its running statistics stayed torch.float32" in advice


def test_an_exercise_that_is_not_written_is_not_diagnosed() -> None:
    def student(x, weight, bias, eps=1e-5):
        raise NotImplementedError

    assert examine(TRAIN, student).misconception is None


# --- The student's own work -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("student", "sentence"),
    [
        (reference.BatchNorm2d, "course's own BatchNorm2d"),
        (nn.BatchNorm2d, "is made of torch.nn.modules.batchnorm.BatchNorm2d"),
        (type("BatchNorm2d", (nn.BatchNorm2d,), {}), "is made of torch.nn.modules.batchnorm.BatchNorm2d"),
    ],
)
def test_a_finished_layer_is_not_the_students_work(student: type, sentence: str) -> None:
    assert sentence in complaint("BatchNorm2d", student)


def test_a_shortcut_is_seen_behind_another_name() -> None:
    hidden_name = getattr(torch.ops.aten, "native_" + "batch_norm")

    def student(x, weight, bias, eps=1e-5):
        y, _, _ = hidden_name(x, weight, bias, None, None, True, 0.1, eps)
        return y, x.mean(0), x.var(0, correction=0)

    assert "torch's own `native_batch_norm`" in complaint("batch_norm_train", student)


def test_calling_the_reference_is_seen() -> None:
    def student(x, weight, bias, eps=1e-5):
        return reference.batch_norm_train(x, weight, bias, eps)

    assert "calls the course's own batch_norm_train" in complaint("batch_norm_train", student)


# --- Around a check ---------------------------------------------------------------------------------------


def test_nothing_is_written_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    def student(x, weight, bias, eps=1e-5):
        warnings.warn("a library complains", stacklevel=1)
        print("my value", file=sys.stderr)
        return right_train(x, weight, bias, eps)

    check("batch_norm_train", student)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "my value" in captured.out


def test_a_passed_check_prints_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = set()
    for _ in range(3):
        check("batch_norm_train", right_train)
        check("batch_norm_train", right_train, hidden=True)
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1
    assert "✓ " in outputs.pop()


def test_checks_leave_the_random_numbers_of_the_notebook_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check("batch_norm_train", right_train, hidden=True)
    assert torch.equal(torch.rand(2), expected)


def test_hidden_checks_draw_fresh_inputs() -> None:
    visible = {id_ for id_ in _inputs_seen(hidden=False) | _inputs_seen(hidden=False)}
    fresh = _inputs_seen(hidden=True) | _inputs_seen(hidden=True)
    assert len(fresh) > 1
    assert not visible & fresh


def _inputs_seen(hidden: bool) -> set[float]:
    seen = []

    def student(x, weight, bias, eps=1e-5):
        seen.append(x.sum().item())
        return right_train(x, weight, bias, eps)

    check("batch_norm_train", student, hidden=hidden)
    return {seen[0]}


def test_answers_copied_from_the_visible_check_fail_the_hidden_one() -> None:
    answers = []

    def spy(x, weight, bias, eps=1e-5):
        answers.append(right_train(x, weight, bias, eps))
        return answers[-1]

    check("batch_norm_train", spy)
    replay = iter(answers * 2)
    assert not examine(TRAIN, lambda x, weight, bias, eps=1e-5: next(replay), hidden=True).passed


def test_a_hidden_check_keeps_its_numbers_to_itself() -> None:
    verdict = examine(BATCH_NORM_2D, MomentumReversed, "running-stats", hidden=True)
    assert "expected" not in render.as_text(verdict).replace("other values than expected", "")


def test_two_mistakes_get_two_sentences() -> None:
    class Both(MomentumReversed, AlwaysUsesBatch):
        pass

    advice = complaint("BatchNorm2d", Both)
    assert "momentum is the wrong way round" in advice
    assert "in evaluation mode you still normalize with the batch" in advice


def test_one_symptom_is_told_because_the_others_may_follow_from_it() -> None:
    message = complaint("batch_norm_train", lambda x, weight, bias, eps=1e-5: None)
    assert "Is a `return` missing?" in message
    assert "No gradient arrives" not in message


def test_numbers_that_fit_no_mistake_still_get_a_sentence() -> None:
    def student(x, weight, bias, eps=1e-5):
        y, mean, var = right_train(x, weight, bias, eps)
        return 17 * y, mean, var

    assert "fit none of the known mistakes" in complaint("batch_norm_train", student, "gradients")


def test_a_missing_buffer_is_named() -> None:
    class PlainAttribute(nn.BatchNorm1d):
        def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
            super().__init__(num_features, eps, momentum, affine)
            del self.running_mean
            self.running_mean = torch.zeros(num_features)
            self.mean = nn.Buffer(torch.zeros(num_features))

    verdict = examine(find("BatchNorm1d"), PlainAttribute, "interface")
    advice = render.advice(verdict)
    assert "Look at the buffers: missing: running_mean; not in torch's layer: mean." in advice


def test_the_text_names_symptom_mistake_and_section(capsys: pytest.CaptureFixture[str]) -> None:
    message = complaint("BatchNorm2d", MomentumReversed, "running-stats")
    table = capsys.readouterr().out
    assert "✓ num_batches_tracked" in table
    assert "✗ running_mean after one batch" in table
    assert "expected" in table
    assert 'Look again at 3.5 "Two modes, two variances"' in message


def test_the_readme_shows_what_a_check_prints(capsys: pytest.CaptureFixture[str]) -> None:
    message = complaint("BatchNorm2d", BiasedRunningVar, "running-stats")
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert f"```\n{capsys.readouterr().out}CheckFailed: {message}\n```" in readme


def test_html_escapes_what_comes_from_the_student() -> None:
    def student(x, weight, bias, eps=1e-5):
        raise RuntimeError("<script>alert(1)</script>")

    page = render.as_html(examine(TRAIN, student))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_in_ipython_a_check_leaves_its_verdict_for_the_grader() -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        with capture_output() as captured:
            check("batch_norm_train", right_train, "forward")
            with pytest.raises(CheckFailed):
                check("BatchNorm2d", MomentumReversed, "running-stats", hidden=True)
        right, wrong = (output.data[render.MIME_TYPE] for output in captured.outputs)
    finally:
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()
    assert right["passed"] is True
    assert right["misconception"] is None
    assert wrong["passed"] is False
    assert wrong["hidden"] is True
    assert right["symptom"] is None
    assert wrong["symptom"] == "value"
    assert wrong["misconception"] == "momentum_reversed"
    assert wrong["section"] == "3.5 Two modes, two variances"
