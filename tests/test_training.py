"""The training loop: what it records, what it leaves alone, and how it says no."""

import math

import pytest
import torch
from torch import nn

from course.data import ImageData
from course.training import History, evaluate, evaluation_mode, fit


def make_data(n: int = 40, n_test: int = 10) -> ImageData:
    """Two classes that differ in brightness: learnable in a few steps."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n + n_test) % 2
    x = torch.rand(n + n_test, 1, 4, 4, generator=generator) * 0.5 + 0.5 * y.view(-1, 1, 1, 1)
    return ImageData("bright", x[:n], y[:n], x[n:], y[n:], ("dark", "bright"))


def make_model(batch_norm: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    norm = [nn.BatchNorm1d(8)] if batch_norm else []
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), *norm, nn.ReLU(), nn.Linear(8, 2))


def sgd(model: nn.Module, lr: float = 0.5) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=lr)


def run(model=None, data=None, **options) -> History:
    model = model or make_model()
    settings = {"epochs": 2, "batch_size": 8, "optimizer": sgd(model), "progress": False, **options}
    return fit(model, data or make_data(), **settings)


class BatchSizes(nn.Module):
    """Records the size of each batch that passes in training mode."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        if self.training:
            self.seen.append(len(x))
        return x


def test_a_model_learns():
    history = run(epochs=10)
    assert history.test_accuracy[-1] == 1.0
    assert history.train_loss[-1] < history.train_loss[0]


def test_history_has_one_entry_per_epoch_everywhere():
    history = run(epochs=3)
    lists = (
        history.train_loss,
        history.train_accuracy,
        history.test_loss,
        history.test_accuracy,
        history.seconds,
    )
    assert [len(values) for values in lists] == [3] * 5
    assert len(history) == 3
    assert not history.interrupted


def test_the_same_seed_gives_the_same_run_and_another_seed_another_order():
    assert run(seed=1).train_loss == run(seed=1).train_loss
    assert run(seed=1).train_loss != run(seed=2).train_loss


def test_the_order_of_the_examples_leaves_torchs_own_generator_alone():
    model = make_model()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(model)
    assert torch.rand(1) == expected


@pytest.mark.parametrize(
    ("n", "batch_size", "expected"),
    [
        (16, 8, [8, 8]),
        (19, 8, [8, 8, 3]),
        (17, 8, [8, 8]),  # a single one is left over: batch norm could not normalize it
        (5, 8, [5]),
        (3, 1, [1, 1, 1]),
        (1, 8, [1]),
    ],
)
def test_the_last_batch_is_kept_unless_it_is_a_single_example(n, batch_size, expected):
    sizes = BatchSizes()
    run(nn.Sequential(sizes, *make_model(batch_norm=False)), make_data(n), epochs=1, batch_size=batch_size)
    assert sizes.seen == expected


def test_a_single_left_over_example_does_not_stop_batch_norm():
    assert len(run(data=make_data(17))) == 2


def test_a_loss_that_is_not_finite_is_recorded_and_training_goes_on():
    model = make_model(batch_norm=False)
    data = make_data()
    data.x_train[0] = math.nan
    history = run(model, data, epochs=3)
    assert len(history) == 3
    assert math.isnan(history.train_loss[-1])


def test_an_interruption_returns_the_epochs_that_were_finished():
    def stop(epoch, history):
        if epoch == 2:
            raise KeyboardInterrupt

    history = run(epochs=5, on_epoch=stop)
    assert history.interrupted
    assert len(history) == 2


def test_on_epoch_is_called_with_the_epoch_and_the_history_so_far():
    calls = []
    run(epochs=3, on_epoch=lambda epoch, history: calls.append((epoch, len(history))))
    assert calls == [(1, 1), (2, 2), (3, 3)]


def test_on_epoch_can_step_a_schedule():
    model = make_model()
    optimizer = sgd(model, lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    run(model, optimizer=optimizer, epochs=3, on_epoch=lambda *_: schedule.step())
    assert optimizer.param_groups[0]["lr"] == 0.125


def test_the_progress_bar_can_be_switched_off(capsys):
    run(progress=False)
    assert capsys.readouterr().err == ""
    run(progress=True)
    assert "epoch 2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"data": make_data(n=0)}, "data set is empty"),
        ({"optimizer": sgd(make_model())}, "holds no parameter of this model"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        run(**options)


def test_images_and_labels_must_be_as_many():
    data = make_data()
    with pytest.raises(ValueError, match="40 images and 39 labels"):
        evaluate(make_model(), data.x_train, data.y_train[:-1])


def test_evaluate_gives_the_mean_cross_entropy_and_the_share_of_right_answers():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    data = make_data()
    logits = model(data.x_test)
    result = evaluate(model, data.x_test, data.y_test)
    assert result.loss == pytest.approx(nn.functional.cross_entropy(logits, data.y_test).item())
    assert result.accuracy == pytest.approx((logits.argmax(1) == data.y_test).float().mean().item())


def test_evaluate_does_not_depend_on_the_batch_size():
    model, data = make_model(), make_data()
    whole, parts = evaluate(model, data.x_train, data.y_train), evaluate(model, data.x_train, data.y_train, 7)
    assert parts == pytest.approx(whole)


def test_evaluate_leaves_running_statistics_and_modes_alone():
    model, data = make_model(), make_data()
    model.train()
    model[2].eval()  # a frozen batch norm in a model that trains
    before = model[2].running_mean.clone()
    evaluate(model, data.x_test, data.y_test)
    assert torch.equal(model[2].running_mean, before)
    assert [module.training for module in model] == [True, True, False, True, True]


def test_evaluation_mode_restores_the_modes_after_an_error():
    def fail_while_evaluating():
        with evaluation_mode(model):
            assert not model[2].training
            raise RuntimeError("no answer")

    model = make_model().train()
    with pytest.raises(RuntimeError, match="no answer"):
        fail_while_evaluating()
    assert model[2].training
