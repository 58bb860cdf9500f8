"""The recorded results of lesson 07: what is planned, how it is measured, what a page says without a GPU."""

import pytest
import torch

from course import results
from course.data import DataUnavailable
from course.results import __main__ as command
from course.results import gpu, gpu_tables, select
from course.results.runner import Record

RUNS = results.load("07_gpu")["runs"]


@pytest.fixture
def small(monkeypatch):
    """Networks and pictures as small as they can be."""
    tiny = gpu.Model(lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 10)), (1, 4, 4), 2)
    monkeypatch.setattr(gpu, "MODELS", dict.fromkeys(gpu.MODELS, tiny))
    monkeypatch.setattr(gpu, "mlp", tiny.build)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_each_network_is_measured_in_the_batch_that_is_compared():
    planned = gpu.specifications()
    for experiment in gpu.DATASET:
        for model, size in gpu.BATCH.items():
            assert select(planned, experiment=experiment, model=model, batch_size=size, variant="float32")


def test_no_run_is_planned_twice():
    planned = [tuple(sorted(spec.items())) for spec in gpu.specifications()]
    assert len(set(planned)) == len(planned)


def test_times_are_measured_only_when_asked_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(command, "path_of", lambda lesson: tmp_path / f"{lesson}.json")
    monkeypatch.setattr(command, "LOADERS", dict.fromkeys(("mnist", "fashion_mnist"), lambda: None))
    monkeypatch.setattr(command, "complete", lambda record, specs, *_, **__: asked.extend(specs))
    assert command.main([]) == 0
    assert not {spec["experiment"] for spec in asked} & gpu.ON_REQUEST
    assert command.main(["--only", "gpu_benchmark", "--workers", "1"]) == 0
    assert asked[-1]["experiment"] == "gpu_benchmark"


def test_without_a_gpu_its_benchmark_says_so(monkeypatch):
    monkeypatch.setattr(gpu, "best_device", lambda: torch.device("cpu"))
    with pytest.raises(DataUnavailable, match="needs a GPU"):
        gpu.execute({"experiment": "gpu_benchmark", "measure": "step", "round": 0})


VARIANTS = ["float32", "bfloat16", "channels_last", "bfloat16, channels_last", "float16 and scaler"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_says_how_long_where_and_when(small, variant):
    spec = {"experiment": "cpu_benchmark", "measure": "step", "model": "MLP", "batch_size": 2, "round": 0}
    result = gpu.execute({**spec, "variant": variant})
    assert 0 < result["shortest"] <= result["seconds"] <= result["longest"]
    assert result["device"].startswith("CPU")
    assert result["torch"] == torch.__version__
    assert len(result["date"]) == len("2026-01-01")


@pytest.mark.parametrize(
    ("measure", "variant"), [("epoch", "tensors"), ("epoch", "DataLoader"), ("copy", "pageable")]
)
def test_epochs_and_copies_are_measured(small, measure, variant):
    spec = {"experiment": "cpu_benchmark", "measure": measure, "model": "MLP", "variant": variant}
    assert gpu.execute({**spec, "batch_size": 128, "round": 0})["seconds"] > 0


def test_the_step_of_every_network_trains(small):
    for name in gpu.MODELS:
        step = gpu.training_step(name, 4, "float32", torch.device("cpu"))
        first = step().item()
        for _ in range(50):
            last = step().item()
        assert last < first


# --- the committed figures and how they are shown


def test_the_cpus_arm_is_recorded_once():
    planned = [spec for spec in gpu.specifications() if spec["experiment"] == "cpu_benchmark"]
    assert Record(results.path_of("07_gpu")).missing(planned) == []
    assert len(select(RUNS, experiment="cpu_benchmark")) == len(planned)


def test_a_larger_batch_takes_less_time_for_each_picture():
    sizes, curves = gpu_tables.seconds_by_batch_size(RUNS)
    for seconds in curves.values():
        assert seconds[-1] / sizes[-1] < seconds[0] / sizes[0]


def stand_in(experiment, seconds, **values):
    plain = {"measure": "step", "model": "MLP", "batch_size": 128, "variant": "float32", "round": 0}
    where = {"device": f"the {experiment}", "torch": "2", "date": "2026-01-01", "load": 0.0}
    return {"experiment": experiment, **plain, **where, "seconds": seconds, **values}


def test_the_page_says_which_command_records_a_gpu():
    page = "\n".join(gpu_tables.parts(select(RUNS, experiment="cpu_benchmark")))
    assert "No GPU result is recorded yet" in page
    assert gpu_tables.COMMAND in page
    assert "One batch of ResNet-18's pictures to the GPU" not in page


def test_a_recorded_gpu_is_shown_beside_the_cpu():
    runs = [stand_in("cpu_benchmark", 0.2), stand_in("gpu_benchmark", 0.004)]
    runs.append(stand_in("gpu_benchmark", 0.001, measure="copy", variant="pinned", model="ResNet-18"))
    page = "\n".join(gpu_tables.parts(runs))
    assert "No GPU result" not in page
    assert "the gpu_benchmark, torch 2, 2026-01-01" in page
    assert "| MLP | 128 | 200 ms [200, 200] | 4.00 ms [4.00, 4.00] | 50.0× |" in page
    assert "| pinned | 1.00 ms [1.00, 1.00] |" in page


def test_a_busy_machine_is_named_as_one():
    assert "a busy machine (load 9)" in gpu_tables.where([stand_in("cpu_benchmark", 1.0, load=9.3)])
    assert "busy" not in gpu_tables.where([stand_in("cpu_benchmark", 1.0, load=1.3)])
