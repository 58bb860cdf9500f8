"""Where things are: the course on disk and the settings in ``[tool.autograder]`` of its ``pyproject.toml``.

The grader knows the course only by these settings, so another course can use it with its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from autograder.errors import AssignmentError, ConfigError

NBGRADER_CONFIG = "nbgrader_config.py"
PER_LESSON = (
    "masked",
    "check_timeout",
    "notebook_timeout",
    "memory_megabytes",
    "max_processes",
    "disk_megabytes",
    "output_kilobytes",
)
"""Settings that may differ from lesson to lesson."""


@dataclass(frozen=True)
class Settings:
    """The table ``[tool.autograder]``; every key has a default."""

    source_directory: str = "source_notebooks"
    """Folder of the instructor's notebooks, one folder an assignment."""
    solutions_directory: str = "solutions"
    """Folder that `autograder solve` writes to."""
    workspace: str = "workspace"
    """Folder of everything that grading makes: release, submissions, grades, feedback."""
    course_package: str = "course"
    """Package that the notebooks import; a release on Colab installs it when it is missing."""
    colab_requirement: str = ""
    """What `pip install` needs to get that package on Colab, e.g. ``git+https://…``; empty: not offered."""
    preload: tuple[str, ...] = ()
    """Modules that are imported once, before processes are forked for submissions."""
    check: str = ""
    """The course's check for the trusted process, "module:function"; see `judging.trusted`."""
    observe: str = ""
    """The course's observer for the student's process, "module:function"."""
    visible: tuple[str, ...] = ()
    """Further files and folders that submissions may read, such as a folder with data sets."""
    masked: tuple[str, ...] = ()
    """Files that submissions find empty, as "package/path/in/it": data whose labels would be an answer."""
    check_timeout: float = 15.0
    """Seconds that one check may ask of a submission. (`c.Execute.timeout` is the limit per cell.)"""
    notebook_timeout: float = 300.0
    """Seconds that a whole submission may take."""
    memory_megabytes: int = 2048
    """Memory of one submission, beyond what the imports take."""
    max_processes: int = 64
    """Processes and threads that a submission may have at a time."""
    disk_megabytes: int = 64
    """What a submission may write to files."""
    output_kilobytes: int = 1000
    """What one cell may print and show."""
    max_notebook_megabytes: float = 50.0
    """Larger submissions are not opened; the same holds for all files beside the notebook together."""
    lessons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Assignment → settings that differ for it: the tables ``[tool.autograder.lessons.ASSIGNMENT]``."""

    def of(self, assignment: str) -> Settings:
        """The settings that hold for an assignment."""
        return replace(self, **self.lessons.get(assignment, {}))


@dataclass(frozen=True)
class Course:
    """A course on disk.

    Attributes:
        root: folder of ``pyproject.toml`` and ``nbgrader_config.py``. workspace: folder of the release, the
        submissions, the grades and the feedback (nbgrader's directories). settings: the table
        ``[tool.autograder]``.
    """

    root: Path
    workspace: Path
    settings: Settings

    @property
    def source(self) -> Path:
        """Folder of the instructor's notebooks."""
        return self.root / self.settings.source_directory

    @property
    def solutions(self) -> Path:
        """Folder of the solved notebooks."""
        return self.root / self.settings.solutions_directory

    @property
    def release(self) -> Path:
        """Folder of the student versions."""
        return self.workspace / "release"

    @property
    def submitted(self) -> Path:
        """Folder of what students handed in: ``STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb``."""
        return self.workspace / "submitted"

    @property
    def autograded(self) -> Path:
        """Folder of the executed submissions."""
        return self.workspace / "autograded"

    @property
    def feedback(self) -> Path:
        """Folder of the feedback pages."""
        return self.workspace / "feedback"

    def logs(self, assignment: str) -> Path:
        """Folder of an assignment's logs; made when missing."""
        folder = self.workspace / "logs" / assignment
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def last_run(self, assignment: str) -> Path:
        """Path of what the last grading run noted (see `results.save_run`)."""
        return self.workspace / "logs" / assignment / "run.json"

    def assignments(self) -> list[str]:
        """Names of all assignments that have a source notebook, sorted."""
        return sorted(
            path.parent.name for path in self.source.glob("*/*.ipynb") if path.stem == path.parent.name
        )

    def source_notebook(self, assignment: str) -> Path:
        """Path of an assignment's source notebook.

        Raises:
            AssignmentError: there is none.
        """
        path = self.source / assignment / f"{assignment}.ipynb"
        if not path.is_file():
            known = ", ".join(self.assignments()) or "none"
            raise AssignmentError(
                f"There is no assignment {assignment!r}: {path} is missing. Known: {known}."
            )
        return path

    def release_notebook(self, assignment: str) -> Path:
        """Path of an assignment's student version.

        Raises:
            AssignmentError: it has not been made yet, or the assignment does not exist.
        """
        self.source_notebook(assignment)
        path = self.release / assignment / f"{assignment}.ipynb"
        if not path.is_file():
            raise AssignmentError(
                f"{assignment} is not released yet. Run `autograder release {assignment}` first."
            )
        return path


def find_course(start: Path, workspace: Path | None = None) -> Course:
    """The course that `start` lies in: the nearest folder upwards whose pyproject.toml has
    ``[tool.autograder]``.

    Args:
        start: folder to start from, usually the current one.
        workspace: another workspace than the configured one.

    Raises:
        ConfigError: no such folder, no nbgrader_config.py beside it, or a setting is wrong.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        table = _read_table(folder / "pyproject.toml")
        if table is not None:
            break
    else:
        raise ConfigError(
            f"No course here: neither {start} nor a folder above has a pyproject.toml with [tool.autograder]."
        )
    if not (folder / NBGRADER_CONFIG).is_file():
        raise ConfigError(f"{folder / NBGRADER_CONFIG} is missing; nbgrader and the autograder both need it.")
    settings = _check_settings(table)
    place = (folder / settings.workspace) if workspace is None else workspace
    place = place.resolve()
    if set("*?[]{}") & set(str(place)):
        raise ConfigError(
            f"The workspace {place} must not have any of * ? [ ] {{ }} in its path (nbgrader cannot read it)."
        )
    return Course(root=folder, workspace=place, settings=settings)


def _read_table(path: Path) -> dict[str, Any] | None:
    """The table ``[tool.autograder]`` of a pyproject.toml, or None where there is none."""
    if not path.is_file():
        return None
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("autograder")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"[tool.autograder] in {path} must be a table.")
    return table


def _check_settings(table: dict[str, Any]) -> Settings:
    """Settings from the table and the tables of single lessons."""
    lessons = table.get("lessons", {})
    if not isinstance(lessons, dict) or not all(isinstance(each, dict) for each in lessons.values()):
        raise ConfigError("[tool.autograder] lessons must hold a table for each lesson that differs.")
    kinds = {each.name: type(each.default) for each in fields(Settings) if each.name != "lessons"}
    general = {key: value for key, value in table.items() if key != "lessons"}
    special = {key: kinds[key] for key in PER_LESSON}
    return Settings(
        **_checked(general, kinds, "tool.autograder"),
        lessons={
            name: _checked(each, special, f"tool.autograder.lessons.{name}") for name, each in lessons.items()
        },
    )


def _checked(table: dict[str, Any], kinds: Mapping[str, type], name: str) -> dict[str, Any]:
    """The values of a table; unknown keys and wrong types are named."""
    for key, value in table.items():
        if key not in kinds:
            raise ConfigError(f"[{name}] has an unknown key {key!r}. Known keys: {', '.join(kinds)}.")
        if kinds[key] is tuple:
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise ConfigError(f"[{name}] {key} must be a list of texts, got {value!r}.")
            continue
        allowed = (int, float) if kinds[key] is float else (kinds[key],)
        if not isinstance(value, allowed) or isinstance(value, bool):
            raise ConfigError(f"[{name}] {key} must be of type {kinds[key].__name__}, got {value!r}.")
        if isinstance(value, int | float) and value <= 0:
            raise ConfigError(f"[{name}] {key} must be greater than 0, got {value!r}.")
    return {key: tuple(value) if kinds[key] is tuple else value for key, value in table.items()}
