"""The recorded results of lesson 04: what must be there, what it must show, and how the long run goes on."""

import pytest
import torch
from torch import nn

from course import results
from course.data import ImageData
from course.results import __main__ as command
from course.results import load, residual, select, summarize
from course.results.residual import small_network
from course.results.runner import Record

RUNS = load("04_resnet")["runs"]


# --- the networks


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("depth", [6, 10, 34])
def test_depth_counts_the_layers_with_weights_without_projections(depth, skip):
    network = small_network(depth, skip)
    layers = [
        m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d) and m.weight.shape[2:] != (1, 1)
    ]
    assert len(layers) == depth
    assert network(torch.rand(2, 1, 14, 14)).shape == (2, 10)


def test_both_arms_have_the_same_layers_but_for_one_projection():
    plain, with_skips = (
        {n: p.shape for n, p in small_network(18, skip).named_parameters()} for skip in (False, True)
    )
    assert plain.items() <= with_skips.items()
    assert {name.partition(".downsample")[1] for name in with_skips.keys() - plain.keys()} == {".downsample"}


def test_a_depth_that_no_whole_number_of_blocks_gives_is_refused():
    with pytest.raises(ValueError, match="depth must be 6, 10, 14"):
        small_network(12, skip=True)


def test_without_norms_no_norm_is_left():
    assert not any(isinstance(m, nn.BatchNorm2d) for m in small_network(10, True, batch_norm=False).modules())


# --- the long run


@pytest.fixture
def short_run(monkeypatch, tmp_path):
    """Deck D3's run with a tiny network on twelve pictures; checkpoints go to tmp_path."""

    def tiny():
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 10), nn.BatchNorm1d(10))

    x, y = torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 10
    data = ImageData("tiny", x, y, x, y, tuple("0123456789"))
    threads = torch.get_num_threads()
    monkeypatch.setattr(residual, "enlarged_resnet18", tiny)
    monkeypatch.setattr(residual, "_dataset", lambda name: data)
    monkeypatch.setattr(residual, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(residual, "best_device", lambda: torch.device("cpu"))
    yield {"experiment": "deck_resnet18", "optimizer": "momentum 0.9", "seed": 0, "epochs": 4}
    torch.set_num_threads(threads)


def without_times(result):
    return {name: value for name, value in result.items() if name not in ("seconds", "date")}


def test_an_interrupted_long_run_goes_on_after_the_last_finished_epoch(short_run, monkeypatch):
    whole = residual.execute(short_run)
    residual.checkpoint_path(short_run).unlink()

    fit, calls = residual.fit, []

    def broken_fit(*arguments, **options):
        calls.append(options["seed"])
        if len(calls) == 3:
            raise RuntimeError("the computer is switched off")
        return fit(*arguments, **options)

    monkeypatch.setattr(residual, "fit", broken_fit)
    with pytest.raises(RuntimeError, match="switched off"):
        residual.execute(short_run)
    assert without_times(residual.execute(short_run)) == without_times(whole)
    assert calls == [0, 1, 2, 2, 3]  # no finished epoch is done again


def test_a_long_run_says_on_what_and_when_it_was_done(short_run):
    result = residual.execute(short_run)
    assert result["device"].startswith("CPU")
    assert result["torch"] == torch.__version__
    assert len(result["date"]) == len("2026-01-01")
    assert len(result["test_accuracies"]) == 4


@pytest.mark.parametrize("has_units", [False, True])
def test_convolutions_are_in_16_bits_where_the_cpu_has_units_for_them(short_run, monkeypatch, has_units):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_units})
    assert residual.execute(short_run)["precision"] == ("bfloat16" if has_units else "float32")
    state = torch.load(residual.checkpoint_path(short_run), weights_only=True)
    assert {value.dtype for value in state["model"].values() if value.is_floating_point()} == {torch.float32}


def test_a_network_in_16_bits_answers_in_32():
    seen = []
    layer = nn.Conv2d(1, 2, kernel_size=3)
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    output = residual._InBfloat16(layer)(torch.rand(1, 1, 4, 4))
    assert (seen, output.dtype, layer.weight.dtype) == ([torch.bfloat16], torch.float32, torch.float32)


def test_hours_of_work_are_done_only_when_asked_for(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(command, "path_of", lambda lesson: tmp_path / f"{lesson}.json")
    monkeypatch.setattr(command, "LOADERS", dict.fromkeys(("mnist", "fashion_mnist"), lambda: None))
    monkeypatch.setattr(command, "complete", lambda record, specs, *_, **__: asked.extend(specs))
    assert command.main([]) == 0
    assert "deck_resnet18" not in {spec["experiment"] for spec in asked}
    assert command.main(["--only", "deck_resnet18"]) == 0
    assert asked[-1]["experiment"] == "deck_resnet18"


# --- the committed figures


def test_every_planned_run_of_minutes_is_recorded_once():
    planned = [spec for spec in residual.specifications() if spec["experiment"] not in residual.ON_REQUEST]
    assert Record(results.path_of("04_resnet")).missing(planned) == []
    assert len([run for run in RUNS if run["experiment"] not in residual.ON_REQUEST]) == len(planned)


def test_degradation_without_skips_and_none_with_them():
    cells = summarize(select(RUNS, experiment="degradation"), by=("skip", "depth"), value="train_loss")
    assert min(cell.n for cell in cells.values()) >= 3
    for shallow, deep in zip(residual.DEPTHS, residual.DEPTHS[1:], strict=False):
        assert cells[False, shallow].max < cells[False, deep].min
    assert cells[True, residual.DEPTHS[-1]].max < cells[True, residual.DEPTHS[0]].min
    assert all(cells[True, depth].max < cells[False, depth].min for depth in residual.DEPTHS)


def flow(skip, batch_norm):
    runs = select(RUNS, experiment="gradient_flow", skip=skip, batch_norm=batch_norm)
    assert len(runs) >= 5
    return [run["gradient_norms"] for run in runs]


def test_without_norms_the_plain_gradient_vanishes_and_skips_keep_it():
    assert max(map(max, flow(skip=False, batch_norm=False))) < 1e-15
    assert min(map(min, flow(skip=True, batch_norm=False))) > 1e-4


def test_with_norms_the_plain_gradient_explodes_and_skips_hold_it():
    assert min(max(norms) / min(norms) for norms in flow(skip=False, batch_norm=True)) > 100
    assert max(max(norms) / min(norms) for norms in flow(skip=True, batch_norm=True)) < 30


def test_no_gradient_is_recorded_as_zero():
    assert all(min(run["gradient_norms"]) > 0 for run in select(RUNS, experiment="gradient_flow"))
