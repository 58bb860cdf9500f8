"""The recorded results: how runs are summarized and resumed, and what the committed figures must show."""

import json
from pathlib import Path

import pytest

from course import results
from course.data import DataUnavailable
from course.results import __main__ as command
from course.results import batch_norm, load, select, summarize, tables
from course.results.runner import Record, complete

ROOT = Path(__file__).parents[1]


def spec(seed: int, **extra) -> dict:
    return {
        "experiment": "toy",
        "setting": "a",
        "optimizer": "SGD",
        "batch_norm": True,
        "seed": seed,
        **extra,
    }


def toy_run(spec: dict) -> dict:
    """Stand in for a run; it leaves a mark so that a test can count how often it was done."""
    with (Path(spec["folder"]) / f"seed{spec['seed']}").open("a") as mark:
        mark.write("x")
    if spec["seed"] == 2 and not (Path(spec["folder"]) / "repaired").exists():
        raise RuntimeError("the computer is switched off")
    return {"test_accuracy": spec["seed"] / 10}


def times_done(folder: Path) -> list[int]:
    return [len(path.read_text()) for path in sorted(folder.glob("seed*"))]


# --- summaries


def test_summarize_gives_median_range_and_number_of_runs():
    runs = [{"arm": "a", "test_accuracy": value} for value in (0.5, 0.9, 0.7)]
    runs += [{"arm": "b", "test_accuracy": 0.1}, {"arm": "b", "test_accuracy": 0.2}]
    summary = summarize(runs, by=("arm",))
    assert summary["a",] == (0.7, 0.5, 0.9, 3)
    assert summary["b",].median == pytest.approx(0.15)
    assert summary["b",].n == 2


def test_summarize_takes_another_value_and_several_fields():
    runs = [{"x": 1, "y": 2, "seconds": 3.0}, {"x": 1, "y": 3, "seconds": 5.0}]
    summary = summarize(runs, by=("x", "y"), value="seconds")
    assert list(summary) == [(1, 2), (1, 3)]
    assert summary[1, 3].max == 5.0


def test_select_keeps_the_runs_with_all_values():
    runs = [spec(0), spec(1), spec(1, batch_norm=False)]
    assert select(runs, seed=1, batch_norm=True) == [spec(1)]
    assert select(runs, folder="elsewhere") == []


def test_an_unknown_lesson_is_answered_with_the_recorded_ones():
    with pytest.raises(FileNotFoundError, match=r"'99_none'; recorded: .*03_batch_norm"):
        load("99_none")


# --- recording and resuming


def test_a_record_is_written_run_by_run_and_read_again(tmp_path):
    path = tmp_path / "toy.json"
    record = Record(path)
    record.add(spec(0), {"test_accuracy": 0.5, "train_loss": None})
    record.add(spec(1), {"test_accuracy": 0.6, "train_loss": 0.1})
    content = json.loads(path.read_text())
    assert [run["test_accuracy"] for run in content["runs"]] == [0.5, 0.6]
    assert set(content["environment"]) == {"torch", "python", "machine"}
    assert Record(path).runs == content["runs"]
    assert list(tmp_path.iterdir()) == [path]


def test_missing_are_the_specifications_without_a_run(tmp_path):
    record = Record(tmp_path / "toy.json")
    record.add(spec(1, epochs=10), {"test_accuracy": 0.5})
    assert record.missing([spec(0, epochs=10), spec(1, epochs=10), spec(1, epochs=20)]) == [
        spec(0, epochs=10),
        spec(1, epochs=20),
    ]


def test_a_file_that_is_no_record_is_refused_and_kept(tmp_path):
    path = tmp_path / "toy.json"
    path.write_text('{"runs": [')
    with pytest.raises(ValueError, match=r"toy\.json is not a record of runs"):
        Record(path)
    assert path.read_text() == '{"runs": ['


def test_an_interrupted_record_is_continued_and_no_finished_run_is_done_again(tmp_path):
    path = tmp_path / "toy.json"
    specs = [spec(seed, folder=str(tmp_path)) for seed in range(4)]
    with pytest.raises(RuntimeError, match="switched off"):
        complete(Record(path), specs, toy_run, workers=1, progress=False)
    finished = [run["seed"] for run in Record(path).runs]
    assert 2 not in finished

    (tmp_path / "repaired").touch()
    assert complete(Record(path), specs, toy_run, workers=1, progress=False) == 4 - len(finished)
    assert {run["seed"]: run["test_accuracy"] for run in Record(path).runs} == {
        0: 0.0,
        1: 0.1,
        2: 0.2,
        3: 0.3,
    }
    assert all(times_done(tmp_path)[seed] == 1 for seed in finished)

    done = times_done(tmp_path)
    assert complete(Record(path), specs, toy_run, workers=1, progress=False) == 0
    assert times_done(tmp_path) == done


# --- the command


@pytest.fixture
def empty_record(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "path_of", lambda lesson: tmp_path / f"{lesson}.json")


@pytest.mark.usefixtures("empty_record")
def test_a_missing_data_set_is_one_clear_message_and_status_2(monkeypatch, capsys):
    def nothing_here():
        raise DataUnavailable("mnist/x.gz is not on this machine. Set COURSE_DATA.")

    monkeypatch.setitem(command.LOADERS, "mnist", nothing_here)
    assert command.main(["--only", "d0_grid"]) == 2
    assert capsys.readouterr().err == "mnist/x.gz is not on this machine. Set COURSE_DATA.\n"


@pytest.mark.usefixtures("empty_record")
def test_an_interruption_says_that_finished_runs_are_kept(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setitem(command.LOADERS, "mnist", lambda: None)
    monkeypatch.setattr(command, "complete", interrupted)
    assert command.main(["--only", "d0_grid"]) == 130
    assert "Finished runs are recorded" in capsys.readouterr().err


def test_an_unknown_experiment_is_answered_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        command.main(["--only", "d0_gird"])
    assert "'d0_grid'" in capsys.readouterr().err


def test_a_complete_record_needs_no_data(monkeypatch, capsys):
    monkeypatch.setattr(command, "LOADERS", {})
    assert command.main([]) == 0
    assert "runs are recorded" in capsys.readouterr().out


# --- the networks of the experiments


def test_deck_d0s_network_has_no_bias_before_batch_norm():
    recipe = batch_norm.Recipe(batch_norm.OPTIMIZERS["SGD"], bn_eps=1e-3, bn_momentum=0.01)
    layers = list(batch_norm.dense_network(True, recipe))
    assert [type(layer).__name__ for layer in layers[1:4]] == ["Linear", "BatchNorm1d", "ReLU"]
    assert layers[1].bias is None
    assert (layers[2].eps, layers[2].momentum) == (1e-3, 0.01)
    assert [layer.out_features for layer in layers if hasattr(layer, "out_features")] == [256, 128, 64, 10]


@pytest.mark.parametrize(("norm", "parameters"), [(False, 44_426), (True, 44_426 + 2 * (6 + 16 + 120 + 84))])
def test_lenet_has_two_more_parameters_per_normalized_channel(norm, parameters):
    assert sum(parameter.numel() for parameter in batch_norm.lenet(norm).parameters()) == parameters


@pytest.mark.parametrize(("weights", "bound"), [("glorot", (6 / (784 + 256)) ** 0.5), ("wide", 5.0)])
def test_weights_are_drawn_as_the_deck_says_and_biases_are_zero(weights, bound):
    model = batch_norm.dense_network(False, batch_norm.Recipe(batch_norm.OPTIMIZERS["SGD"]))
    batch_norm.initialize(model, weights)
    assert 0.99 * bound < model[1].weight.abs().max() <= bound
    assert not model[1].bias.any()


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (batch_norm.constant, [1.0] * 10),
        (batch_norm.linear_decay, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
        (batch_norm.late_step, [1.0] * 8 + [0.1] * 2),
    ],
)
def test_a_schedule_gives_the_factor_of_the_learning_rate_in_each_of_ten_epochs(schedule, factors):
    assert [schedule(epoch / 10) for epoch in range(10)] == pytest.approx(factors)


# --- the committed figures

RUNS = load("03_batch_norm")["runs"]


def test_every_planned_run_is_recorded_once():
    record = Record(results.path_of("03_batch_norm"))
    planned = batch_norm.specifications()
    assert record.missing(planned) == []
    assert len(RUNS) == len(planned)


def test_every_run_has_the_fields_that_the_lesson_reads():
    for run in RUNS:
        assert {"experiment", "setting", "optimizer", "batch_norm", "seed", "epochs"} < set(run)
        assert 0 <= run["test_accuracy"] <= 1
        assert len(run["test_accuracies"]) == run["epochs"]


def test_every_cell_of_the_grid_has_at_least_three_seeds():
    cells = summarize(select(RUNS, experiment="d0_grid"), by=("setting", "optimizer", "batch_norm"))
    assert len(cells) == len(batch_norm.SETTINGS) * len(batch_norm.OPTIMIZERS) * 2
    assert min(cell.n for cell in cells.values()) >= 3


@pytest.mark.parametrize("setting", batch_norm.SETTINGS)
def test_the_recipe_reaches_the_decks_column_in_every_row_and_with_every_seed(setting):
    runs = select(RUNS, experiment="d0_recipe", optimizer=batch_norm.RECIPE, setting=setting)
    cells = summarize(runs, by=("batch_norm",))
    assert cells[True,].n >= 3
    assert cells[False,].n >= 3
    assert cells[True,].min >= batch_norm.SETTINGS[setting].deck_with
    assert cells[True,].median > cells[False,].median


@pytest.mark.parametrize("setting", batch_norm.SETTINGS)
def test_adam_alone_reaches_the_decks_column_in_the_median(setting):
    runs = select(RUNS, experiment="d0_grid", optimizer="Adam", setting=setting, batch_norm=True)
    assert summarize(runs, by=())[()].median >= batch_norm.SETTINGS[setting].deck_with


def test_adam_alone_swings_at_learning_rate_1_and_falls_below_the_deck_on_its_way():
    runs = select(RUNS, experiment="d0_grid", optimizer="Adam", setting="large_lr", batch_norm=True)
    late = [accuracy for run in runs for accuracy in run["test_accuracies"][-5:]]
    assert min(late) < batch_norm.SETTINGS["large_lr"].deck_with
    assert max(late) - min(late) > 0.02


def test_lenet_with_batch_norm_reaches_85_percent_over_five_seeds():
    cells = summarize(select(RUNS, experiment="bn_lenet"), by=("batch_norm",))
    assert cells[True,].n == cells[False,].n == 5
    assert cells[True,].median >= 0.85
    assert cells[True,].median > cells[False,].median


def test_batch_norm_suffers_from_the_smallest_batches_and_a_plain_network_does_not():
    runs = select(RUNS, experiment="batch_size_noise")
    cells = summarize(runs, by=("batch_norm", "batch_size"))
    assert min(cell.n for cell in cells.values()) >= 3
    assert cells[True, 2].max < cells[True, 4].min < cells[True, 32].min
    assert cells[False, 2].median == pytest.approx(cells[False, 256].median, abs=0.01)


def test_the_page_of_results_is_made_from_the_committed_runs():
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == tables.page(), (
        "Write it anew: python -m course.results --table > docs/results.md"
    )
