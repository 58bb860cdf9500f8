"""The recorded results of lesson 07 as sections of docs/results.md (`course.results.tables`)."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from course.results import Run, Summary, select, summarize
from course.results.gpu import BATCH, BATCH_SIZES, DECK_FACTORS, MODELS
from course.results.markdown import table

__all__ = [
    "COMMAND",
    "factors",
    "milliseconds",
    "networks",
    "parts",
    "seconds_by_batch_size",
    "seconds_by_network",
    "variants",
    "where",
]

COMMAND = "python -m course.results --only gpu_benchmark --workers 1"
NOT_RECORDED = f"No GPU result is recorded yet: `{COMMAND}` does it on a machine that has one."


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 07, made from its recorded runs."""
    cpu, gpu = (select(runs, experiment=f"{kind}_benchmark") for kind in ("cpu", "gpu"))
    yield "## 07 CPU and GPU"
    yield (
        "Time of one training step: the median over "
        f"{max((run['round'] for run in runs), default=0) + 1} rounds, each of which is a median itself, and "
        "in brackets the lowest and the highest round. Random pictures, SGD. Measured on "
        f"{' and on '.join(where(arm) for arm in (cpu, gpu) if arm)}."
    )
    if not gpu:
        yield NOT_RECORDED
    yield "### CPU against GPU"
    yield table(["network", "batch", "CPU", "GPU", "factor"], map(list, networks(runs)))
    yield (
        f"Deck D0 says {DECK_FACTORS[0]} to {DECK_FACTORS[1]} times: VGG and ResNet networks, pictures of "
        "224×224, a GPU of 2016 against two processors with 8 cores each."
    )
    yield "### BN-LeNet: milliseconds per step, and microseconds per picture"
    yield table(["batch", "CPU, step", "CPU, per picture", "GPU, step", "GPU, per picture"], _sizes(cpu, gpu))
    yield "### ResNet-18, batch 16: fewer bits, another order in memory, a compiler"
    yield table(
        ["variant", "CPU", "GPU"],
        _rows(cpu, gpu, measure="step", model="ResNet-18"),
    )
    yield "### 12,800 pictures through the MLP: from where the batches come"
    yield table(["batches from", "CPU", "GPU"], _rows(cpu, gpu, measure="epoch"))
    if gpu:
        yield "### One batch of ResNet-18's pictures to the GPU: how long Python is busy"
        yield table(["memory", "time"], [[row[0], row[2]] for row in _rows([], gpu, measure="copy")])


def where(runs: Sequence[Run]) -> str:
    """Say where and when runs were measured."""
    first = runs[0]
    loads = [run["load"] for run in runs if run.get("load") is not None]
    load = max(loads, default=0)
    busy = f", on a busy machine (load {load:.0f}): these times are far too long" if load > 3 else ""
    return f"{first['device']}, torch {first['torch']}, {first['date']}{busy}"


def milliseconds(summary: Summary | None) -> str:
    """Median and range of seconds, in milliseconds with three digits."""
    if summary is None:
        return "–"
    median, low, high = (_three_digits(1000 * value) for value in summary[:3])
    return f"{median} ms [{low}, {high}]"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def factors(runs: Sequence[Run]) -> dict[str, float]:
    """How many times faster the GPU was than the CPU, for each network that both have trained."""
    times = summarize(
        [run for run in runs if _is_plain_step(run)],
        by=("experiment", "model"),
        value="seconds",
    )
    both = [name for name in MODELS if {("cpu_benchmark", name), ("gpu_benchmark", name)} <= times.keys()]
    return {name: times["cpu_benchmark", name].median / times["gpu_benchmark", name].median for name in both}


def _is_plain_step(run: Run) -> bool:
    plain = run["measure"] == "step" and run["variant"] == "float32"
    return plain and run["batch_size"] == BATCH[run["model"]]


class Network(NamedTuple):
    """A row of the table of networks, as text."""

    name: str
    batch: str
    cpu: str
    gpu: str
    factor: str


def networks(runs: Sequence[Run]) -> Iterable[Network]:
    """Yield one row a network: its time on both devices, and how many times faster the GPU was."""
    plain = [run for run in runs if _is_plain_step(run)]
    faster = factors(runs)
    for name in MODELS:
        arms = [
            _summary(select(plain, experiment=f"{kind}_benchmark", model=name)) for kind in ("cpu", "gpu")
        ]
        factor = f"{faster[name]:.1f}×" if name in faster else "–"
        yield Network(name, str(BATCH[name]), *map(milliseconds, arms), factor)


def seconds_by_network(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Return device → network → median seconds of a step; only devices of which something is recorded."""
    times = _medians([run for run in runs if _is_plain_step(run)], by="model")
    return {arm: {name: rows[name] for name in MODELS if name in rows} for arm, rows in times.items()}


def seconds_by_batch_size(runs: Sequence[Run]) -> tuple[list[int], dict[str, list[float]]]:
    """Return the batch sizes, and device → median seconds of a step of BN-LeNet for each of them."""
    times = _medians(select(runs, measure="step", model="BN-LeNet", variant="float32"), by="batch_size")
    sizes = [size for size in BATCH_SIZES if all(size in rows for rows in times.values())]
    return sizes, {arm: [rows[size] for size in sizes] for arm, rows in times.items()}


def variants(runs: Sequence[Run], measure: str) -> Iterable[tuple[str, str]]:
    """Yield (variant, times as text) of ResNet-18's "step" or of the MLP's "epoch"."""
    model = {"step": "ResNet-18", "epoch": "MLP"}[measure]
    cpu, gpu = (select(runs, experiment=f"{kind}_benchmark") for kind in ("cpu", "gpu"))
    for name, *arms in _rows(cpu, gpu, measure=measure, model=model):
        named = [f"{kind} {text}" for kind, text in zip(("CPU", "GPU"), arms, strict=True) if text != "–"]
        yield name, ", ".join(named)


def _medians(runs: Sequence[Run], by: str) -> dict[str, dict[Any, float]]:
    medians: dict[str, dict[Any, float]] = {}
    for kind in ("CPU", "GPU"):
        arm = select(runs, experiment=f"{kind.lower()}_benchmark")
        rows = summarize(arm, by=(by,), value="seconds")
        if rows:
            medians[kind] = {key: summary.median for (key,), summary in rows.items()}
    return medians


def _sizes(cpu: Sequence[Run], gpu: Sequence[Run]) -> Iterable[list[str]]:
    for size in BATCH_SIZES:
        row = [str(size)]
        for arm in (cpu, gpu):
            summary = _summary(
                select(arm, model="BN-LeNet", batch_size=size, variant="float32", measure="step")
            )
            per_picture = "–" if summary is None else f"{_three_digits(1e6 * summary.median / size)} µs"
            row += [milliseconds(summary), per_picture]
        yield row


def _rows(cpu: Sequence[Run], gpu: Sequence[Run], **values: object) -> Iterable[list[str]]:
    found = dict.fromkeys(run["variant"] for run in select([*cpu, *gpu], **values))
    for variant in found:
        yield [
            variant,
            *(milliseconds(_summary(select(arm, variant=variant, **values))) for arm in (cpu, gpu)),
        ]


def _summary(runs: Sequence[Run]) -> Summary | None:
    if not runs:
        return None
    (summary,) = summarize(runs, by=("experiment",), value="seconds").values()
    return summary
