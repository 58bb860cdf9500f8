"""Lesson 02 on the real data: the networks of its experiments, and what the committed figures must show."""

from collections.abc import Iterator

import pytest
import torch

from course import results
from course.results import initialization, initialization_tables, load, select, summarize
from course.results.initialization import ACTIVATIONS, GRID, INITIALIZATIONS, RATES
from course.results.runner import Record


@pytest.fixture(autouse=True)
def denormal_numbers_again() -> Iterator[None]:
    """A run switches them off for its process, which is a worker's own elsewhere."""
    yield
    torch.set_flush_denormal(False)


# --- the networks


@pytest.mark.parametrize("depth", [7, 16])
def test_a_network_has_the_hidden_layers_that_are_asked_for(depth):
    layers = [m for m in initialization.network("tanh", depth) if isinstance(m, torch.nn.Linear)]
    assert len(layers) == depth + 1
    assert [layers[0].in_features, layers[-1].out_features] == [784, 10]


@pytest.mark.parametrize(
    ("name", "std"), [("small", 0.01), ("unit", 1.0), ("he", (2 / 100) ** 0.5), ("xavier_4", 4 / 10)]
)
def test_weights_are_drawn_as_the_name_says_and_biases_are_zero(name, std):
    torch.manual_seed(0)
    model = initialization.network("relu", 3)
    initialization.initialize(model, INITIALIZATIONS[name], torch.randn(8, 784))
    assert model[3].weight.std().item() == pytest.approx(std, rel=0.05)  # a layer of 100 × 100
    assert not model[3].bias.any()


def test_the_default_leaves_the_network_as_torch_makes_it():
    torch.manual_seed(0)
    model = initialization.network("relu", 2)
    before = [parameter.clone() for parameter in model.parameters()]
    initialization.initialize(model, INITIALIZATIONS["default"], torch.randn(8, 784))
    assert all(map(torch.equal, before, model.parameters()))


def test_lsuv_gives_every_layer_unit_variance_on_its_batch():
    torch.manual_seed(0)
    model, x = initialization.network("sigmoid", 3), torch.randn(64, 784)
    initialization.initialize(model, INITIALIZATIONS["lsuv"], x)
    for layer in model:
        x = layer(x)
        if isinstance(layer, torch.nn.Linear):
            assert x.var().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("setting", GRID)
def test_the_grid_measures_every_layer_forward_and_backward(setting):
    torch.manual_seed(0)
    measured = initialization.measure(GRID[setting], 50, torch.device("cpu"), layers=3)
    assert len(measured["std"]) == len(measured["grad_std"]) == 3
    assert all(std > 0 for std in measured["std"] + measured["grad_std"])


def test_the_wide_grid_is_planned_only_where_cuda_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not select(initialization.specifications(), experiment="wide_grid")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    wide = select(initialization.specifications(), experiment="wide_grid")
    assert {spec["setting"] for spec in wide} == set(GRID)
    assert {spec["width"] for spec in wide} == {initialization.WIDE}


def test_a_run_on_the_gpu_records_device_date_and_version(monkeypatch):
    monkeypatch.setattr(initialization, "best_device", lambda: torch.device("cpu"))
    spec = {"experiment": "wide_grid", "setting": "relu_he", "width": 40, "seed": 0}
    run = initialization.execute(spec)
    assert {"std", "grad_std", "device", "date", "torch", "seconds"} == set(run)


# --- the committed figures

RUNS = load("02_initialization")["runs"]


def test_every_planned_run_is_recorded_once():
    planned = [spec for spec in initialization.specifications() if spec["experiment"] != "wide_grid"]
    assert Record(results.path_of("02_initialization")).missing(planned) == []
    assert len([run for run in RUNS if run["experiment"] != "wide_grid"]) == len(planned)


def std_of(setting, layer):
    """Median over the seeds."""
    stds = [run["std"][layer - 1] for run in select(RUNS, experiment="d2_grid", setting=setting)]
    assert len(stds) >= 5
    return sorted(stds)[len(stds) // 2]


@pytest.mark.parametrize(
    ("setting", "factor"), [("tanh_small", 0.1**0.5), ("relu_xavier", 0.5**0.5), ("relu_he", 1.0)]
)
def test_the_grid_shrinks_by_the_factor_that_the_formula_gives(setting, factor):
    assert std_of(setting, 16) / std_of(setting, 7) == pytest.approx(factor**9, rel=0.25)


def test_tanh_saturates_with_unit_weights_and_its_gradient_explodes():
    assert std_of("tanh_unit", 16) > 0.95
    assert min(run["grad_std"][0] for run in select(RUNS, experiment="d2_grid", setting="tanh_unit")) > 1e9


def accuracies(activation, name, **more):
    """The best rate's accuracies, one per seed."""
    wanted = {"experiment": "training", "activation": activation, "initialization": name, **more}
    by_rate = summarize(select(RUNS, **wanted), by=("lr",))
    assert set(by_rate) == {(lr,) for lr in RATES}
    return max(by_rate.values(), key=lambda summary: summary.median)


def test_every_combination_has_at_least_three_seeds():
    for name, start in INITIALIZATIONS.items():
        for activation in start.of:
            assert accuracies(activation, name).n >= 3


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_weights_of_a_hundredth_train_nothing_at_any_rate(activation):
    assert accuracies(activation, "small").max < 0.2


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_rules_train_tanh_and_relu_and_unit_weights_do_not(activation):
    orthogonal = "orthogonal_2" if activation == "relu" else "orthogonal"
    for name in ("xavier", "he", orthogonal, "lsuv"):
        assert accuracies(activation, name).min > 0.9
    assert accuracies(activation, "unit").max < 0.5


def test_the_sigmoid_needs_larger_weights_than_the_table_of_the_deck_gives_it():
    assert accuracies("sigmoid", "xavier").max < 0.2
    assert accuracies("sigmoid", "xavier_4").min > 0.9


def test_the_tables_show_every_experiment():
    text = "\n".join(initialization_tables.parts(RUNS))
    for row in GRID.values():
        assert row.title in text
    for start in INITIALIZATIONS.values():
        assert f"| {start.title} |" in text
