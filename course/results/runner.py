"""Do the runs that are not recorded yet, several at a time, and record each as soon as it is finished."""

import json
import multiprocessing
import os
import platform
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

__all__ = ["Record", "complete"]

Spec = dict[str, Any]


class Record:
    """The runs in a JSON file; a finished run is added by replacing the whole file at once.

    Whatever happens in between (Ctrl-C, a power cut), the file is whole and holds the finished runs.

    Raises:
        ValueError: the file exists and is not a record of runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment: dict[str, str] = _environment()
        self.runs: list[dict[str, Any]] = []
        if path.exists():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                self.environment, self.runs = content["environment"], content["runs"]
            except (json.JSONDecodeError, KeyError, TypeError) as problem:
                raise ValueError(
                    f"{path} is not a record of runs ({problem}). Delete it to start anew."
                ) from None

    def missing(self, specs: Iterable[Spec]) -> list[Spec]:
        """Return the specifications without a finished run, in their order."""
        return [spec for spec in specs if not any(spec.items() <= run.items() for run in self.runs)]

    def add(self, spec: Spec, result: dict[str, Any]) -> None:
        """Add a finished run and write the file: one run per line, so that a difference is easy to read."""
        self.runs.append({**spec, **result})
        lines = ",\n".join(f"    {json.dumps(run, allow_nan=False)}" for run in self.runs)
        text = f'{{\n  "environment": {json.dumps(self.environment)},\n  "runs": [\n{lines}\n  ]\n}}\n'
        unfinished = self.path.with_suffix(".json.tmp")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self.path)


def complete(
    record: Record,
    specs: list[Spec],
    execute: Callable[[Spec], dict[str, Any]],
    *,
    workers: int | None = None,
    progress: bool = True,
) -> int:
    """Do every run of ``specs`` that ``record`` does not hold, and return how many were done.

    ``execute`` takes a specification to its result, in another process (so it is a function of a module).
    Each process computes with one thread: small networks side by side are faster than one on all cores.
    """
    missing = record.missing(specs)
    pool = ProcessPoolExecutor(
        max_workers=workers or os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),  # a forked torch may hang
        initializer=_prepare_worker,
    )
    with (
        pool,
        tqdm(total=len(specs), initial=len(specs) - len(missing), unit="run", disable=not progress) as bar,
    ):
        futures = {pool.submit(execute, spec): spec for spec in missing}
        try:
            for future in as_completed(futures):
                record.add(futures[future], future.result())
                bar.set_postfix_str(futures[future]["experiment"])
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(missing)


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker at once, without a traceback
    torch.set_num_threads(1)


def _environment() -> dict[str, str]:
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, CPU, one thread per run",
    }
