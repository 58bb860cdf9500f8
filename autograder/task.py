"""What a grading process gets and gives: plain data, so that it can be on this machine or on another.

`Terms` are the same for all submissions of a run, a `Task` is one submission, an `Outcome` what became of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.findings import Finding, finding_from_json
from autograder.flags import Flag
from autograder.observing.client import Surroundings


@dataclass(frozen=True)
class SourceCell:
    """A cell of the instructor's notebook as the gradebook has it.

    Attributes:
        source: with hidden tests. cell_type: "code" or "markdown". locked: students must not change it.
        checksum: nbgrader's, of the released cell. points: None for cells without points.
        grade: it is worth points. solution: students write in it. task: it describes a task graded by hand.
    """

    source: str
    cell_type: str
    locked: bool
    checksum: str | None
    points: float | None
    grade: bool
    solution: bool
    task: bool


@dataclass(frozen=True)
class Terms:
    """How an assignment is graded.

    Attributes:
        assignment: its name; the notebook is ``ASSIGNMENT.ipynb``.
        release: the student version, as JSON text.
        sources: the instructor's cells as the gradebook has them, by ``grade_id``, with their hidden tests.
        kernelspec: of the instructor's notebook.
        check: the course's check, "module:function" (see `judging.trusted`); empty for none.
        skip_tag: cells with this tag are not run.
        cell_timeout: seconds for one cell.
        check_timeout: seconds for what one check asks of the student's code.
        notebook_timeout: seconds for a whole submission.
        surroundings: of the student's process.
        given: code that everybody has: of the release and of the solution.
        packages: the course's own, which everybody has as well.
        own_files: files that lie beside the instructor's notebook, by relative path; they replace the
            student's of the same name, as nbgrader does it.
    """

    assignment: str
    release: str
    sources: dict[str, SourceCell]
    kernelspec: dict[str, Any] | None
    check: str
    skip_tag: str
    cell_timeout: float
    check_timeout: float
    notebook_timeout: float
    surroundings: Surroundings
    given: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    own_files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownTest:
    """A test cell that was judged in an earlier run and need not be judged again.

    Attributes:
        outputs: of the executed cell. score: its points. trust: see `Trust`.
        delegation: the sentence, if the work was left to a library.
    """

    outputs: list[dict[str, Any]]
    score: float
    trust: str
    delegation: str


@dataclass(frozen=True)
class Task:
    """One submission.

    Attributes:
        student: whose it is.
        notebook: the file as it was handed in.
        files: what lies beside it, by relative path.
        seed: the student's secret seed for this assignment.
        known: results of test cells that are still good, by ``grade_id``.
    """

    student: str
    notebook: bytes
    files: dict[str, bytes]
    seed: int
    known: dict[str, KnownTest] = field(default_factory=dict)


class Trust:
    """How far a score can be trusted."""

    JUDGED = "judged"
    """The numbers were judged in a process that the student's code cannot reach."""
    ASSERTED = "asserted"
    """An ordinary test cell, which ran in the same process as the student's code."""
    MANUAL = "manual"
    """A person gives the points."""


@dataclass(frozen=True)
class CellOutcome:
    """One graded or solution cell.

    Attributes:
        score: points; None where a person gives them, and for solution cells.
        unchanged: the cell is as it was released.
        trust: see `Trust`.
        delegation: a sentence, if this test saw that the work was left to a library.
        judged: points by the test itself, before a delegation elsewhere in the exercise took them.
    """

    score: float | None
    unchanged: bool
    trust: str
    delegation: str = ""
    judged: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one submission.

    Attributes:
        student: whose it is.
        refused: why it could not be graded; empty when it was.
        problems: what was put right, or what went wrong, in sentences.
        cells: by ``grade_id``, all cells that are graded or the student's to write.
        findings: what the executed notebook shows, by exercise.
        notebook: the executed notebook as JSON text; empty when refused.
        flags: what an instructor should look at.
        fingerprints: of what is the student's own, to compare with others (see `flags.fingerprints`).
        seconds: how long it took.
        sandboxed: whether the student's code was confined.
    """

    student: str
    refused: str = ""
    problems: tuple[str, ...] = ()
    cells: dict[str, CellOutcome] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    notebook: str = ""
    flags: tuple[Flag, ...] = ()
    fingerprints: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    sandboxed: bool = True

    def to_record(self) -> dict[str, Any]:
        """As JSON, without the notebook, which lies in ``autograded/``."""
        record = asdict(self)
        del record["notebook"]
        record["flags"] = [flag.to_json() for flag in self.flags]
        return record

    @staticmethod
    def from_record(record: dict[str, Any]) -> Outcome:
        """The outcome of `to_record`, without the notebook.

        Raises:
            KeyError, TypeError, ValueError: it is no such record.
        """
        return Outcome(
            student=str(record["student"]),
            refused=str(record["refused"]),
            problems=tuple(record["problems"]),
            cells={name: CellOutcome(**cell) for name, cell in record["cells"].items()},
            findings={name: finding_from_json(each) for name, each in record["findings"].items()},
            flags=tuple(Flag.from_json(flag) for flag in record["flags"]),
            fingerprints=dict(record["fingerprints"]),
            seconds=float(record["seconds"]),
            sandboxed=bool(record["sandboxed"]),
        )
