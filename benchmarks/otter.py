"""The other grader: ``otter run`` on the same notebooks with the same checks.

otter-grader is installed into an environment of its own, in a scratch folder; torch and the course are taken
from this one. Each nbgrader test cell becomes one of otter's exception-based test files, which makes the same
calls of ``check``, visible and hidden, for the same points; experiments get the tag with which otter skips
cells.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.bare import SKIPPED, hidden_tests
from benchmarks.sites import BenchmarkError, Cost, run

IGNORED = "otter_ignore"
"""Tag of the cells that otter leaves out."""

TEST_FILE = """\
from otter.test_files import test_case

OK_FORMAT = False
name = {name!r}
points = {points}


@test_case(hidden=True)
def {function}({exercise}):
    from course.checks import check

{calls}
"""


class OtterMissing(Exception):
    """otter-grader cannot be installed here; the message says why."""


@dataclass(frozen=True)
class Otter:
    """An installed otter-grader with the tests of the lesson."""

    folder: Path

    @property
    def _python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def version(self) -> str:
        """Its version."""
        code = "import importlib.metadata as m; print(m.version('otter-grader'))"
        return run([str(self._python), "-c", code], self.folder)[0].strip()

    def prepare(self, source: Mapping[str, Any]) -> None:
        """Make the autograder.zip of the lesson."""
        tests = self.folder / "tests"
        tests.mkdir(exist_ok=True)
        for name, text in test_files(source).items():
            (tests / f"{name}.py").write_text(text, encoding="utf-8")
        command = ["generate", "--tests-dir", "tests", "--output-path", "autograder.zip"]
        self._otter([*command, "--no-config", "--no-requirements", "--no-environment"])

    def grade(self, notebook: Mapping[str, Any]) -> tuple[dict[str, float], Cost]:
        """Run ``otter run`` on an nbgrader submission.

        Returns:
            Name of the test cell → points; and what it cost.
        """
        submission = self.folder / "submission.ipynb"
        submission.write_text(json.dumps(converted(notebook)), encoding="utf-8")
        out = self.folder / "out"
        out.mkdir(exist_ok=True)
        (out / "results.json").unlink(missing_ok=True)
        command = ["run", "--autograder", "autograder.zip", "--output-dir", "out", "--no-logo"]
        cost = self._otter([*command, submission.name])
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        scores = {each["name"]: float(each["score"]) for each in results["tests"] if "score" in each}
        if not scores:
            raise BenchmarkError(f"otter gave no score: {results['tests']}")
        return scores, cost

    def _otter(self, arguments: list[str]) -> Cost:
        return run([str(self._python), "-m", "otter", *arguments], self.folder, timeout=600)[1]


def install(folder: Path) -> Otter:
    """Install otter-grader below `folder`; one that is there is kept.

    Raises:
        OtterMissing: pip cannot install it.
    """
    otter = Otter(folder)
    environment = folder / "venv"
    if not (environment / ".ready").is_file():
        venv.create(environment, with_pip=True, clear=True)
        pip = [str(otter._python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        kernel = f"ipykernel=={version('ipykernel')}"
        done = subprocess.run(
            [*pip, "otter-grader", kernel], capture_output=True, text=True, check=False, timeout=900
        )
        if done.returncode:
            raise OtterMissing(f"pip cannot install otter-grader: {done.stderr.strip().splitlines()[-1]}")
        # Behind its own packages, so otter keeps its versions; torch and the course are found here.
        packages = sysconfig.get_path("purelib", vars={"base": str(environment)})
        ours = sysconfig.get_path("purelib")
        (Path(packages) / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        (environment / ".ready").touch()
    return otter


def test_files(source: Mapping[str, Any]) -> dict[str, str]:
    """Name → one of otter's test files, for each test cell of a source notebook."""
    points = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["metadata"]["nbgrader"].get("points")
        for cell in source["cells"]
        if cell["metadata"].get("nbgrader")
    }
    files = {}
    for name, text in hidden_tests(source).items():
        exercise = name.split("-")[0]
        calls = [f"    {line}" for line in text.splitlines() if line and not line.startswith("#")]
        files[name] = TEST_FILE.format(
            name=name,
            points=points[name],
            function=f"test_{name.replace('-', '_')}",
            exercise=exercise,
            calls="\n".join(calls),
        )
    return files


def converted(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """An nbgrader submission as otter wants it: where a test cell was, otter runs the test of that name."""
    result = deepcopy(dict(notebook))
    for cell in result["cells"]:
        facts = cell["metadata"].pop("nbgrader", None) or {}
        if SKIPPED in cell["metadata"].get("tags", ()):
            cell["metadata"]["tags"] = [*cell["metadata"]["tags"], IGNORED]
        if facts.get("grade") and cell["cell_type"] == "code":
            cell["source"] = []
            cell["metadata"]["otter"] = {"tests": [facts["grade_id"]]}
    return result


def main() -> None:
    """Grade one notebook with otter: ``python -m benchmarks.otter FOLDER SOURCE NOTEBOOK``."""
    folder, source, notebook = (Path(argument) for argument in sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    otter = install(folder.resolve())
    otter.prepare(json.loads(source.read_text(encoding="utf-8")))
    scores, cost = otter.grade(json.loads(notebook.read_text(encoding="utf-8")))
    print(
        json.dumps({"otter": otter.version(), "scores": scores, "wall": cost.wall, "cpu": cost.cpu}, indent=1)
    )


if __name__ == "__main__":
    main()
