"""The command `autograder`: a thin layer over the functions of this package.

Results that another program may read go to stdout; progress, tables and errors go to stderr. Each command
imports what it needs when it runs: nbgrader takes two seconds to import, which `--help` should not.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from autograder.config import Course, find_course
from autograder.errors import AutograderError

EXIT_CODES = """
\b
Exit codes:
  0  everything was done
  1  done, but something needs you: submissions that could not be graded, a stale solution
  2  nothing was done: a wrong option, setting, notebook or folder; the message says which
  130  stopped with Ctrl-C
"""

_workspace = click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of release, submissions, grades and feedback.  [default: the one in pyproject.toml]",
)


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Release, solve and grade notebooks, and report on a class.

    Run it in the course's folder (the one with pyproject.toml) or below.
    """


@cli.command(epilog=EXIT_CODES)
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT...]")
@_workspace
def release(assignments: tuple[str, ...], workspace: Path | None) -> None:
    """Make the student versions (all assignments by default) and prove that they give nothing away."""
    from autograder.release import release as make_release

    course = find_course(Path.cwd(), workspace)
    for name in assignments or _all(course):
        path = make_release(course, name)
        _screen().print(f"✓ {name} → {_shown(path)}", markup=False)


@cli.command(epilog=EXIT_CODES)
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT...]")
@click.option("--check", is_flag=True, help="Execute nothing; say which solved notebooks are not up to date.")
def solve(assignments: tuple[str, ...], check: bool) -> None:
    """Build the solved notebooks (all assignments by default), executed, without markers and hidden tests."""
    from autograder.solve import is_stale
    from autograder.solve import solve as make_solution

    course = find_course(Path.cwd())
    names = assignments or _all(course)
    if not check:
        for name in names:
            _screen().print(f"✓ {name} → {_shown(make_solution(course, name))}", markup=False)
        return
    stale = [name for name in names if is_stale(course, name)]
    for name in stale:
        _screen().print(f"✗ The solution of {name} is stale. Run `autograder solve {name}`.", markup=False)
    sys.exit(1 if stale else 0)


_jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Submissions to run at the same time.  [default: the cores]",
)
_no_sandbox = click.option(
    "--no-sandbox",
    is_flag=True,
    help="Run submissions unconfined, with your own rights. Every report says so.",
)


@cli.command(epilog=EXIT_CODES)
@click.argument("assignment")
@_workspace
@_jobs
@_no_sandbox
@click.option(
    "--executor",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Where submissions run: in processes on this machine, or on a Dask cluster.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of the Dask scheduler, e.g. tcp://127.0.0.1:8786.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON document on stdout.")
def grade(
    assignment: str,
    workspace: Path | None,
    jobs: int | None,
    no_sandbox: bool,
    executor: str,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Grade all submissions of ASSIGNMENT and write their scores into the gradebook.

    What is graded already is not run again. A run that was stopped, even killed, goes on where it was.
    """
    from autograder.executors import head_start

    if (executor == "dask") != (scheduler is not None):
        raise click.UsageError("--executor dask and --scheduler ADDRESS go together.")
    if scheduler and jobs:
        raise click.UsageError("--jobs is for this machine; on a cluster the workers decide.")
    course = find_course(Path.cwd(), workspace)
    screen = _screen()
    begun = nullcontext() if scheduler else head_start(course, assignment, not no_sandbox)
    with begun as servers:
        with _importing():
            from autograder import console as terminal
            from autograder.grade import Options
            from autograder.grade import grade as grade_all
        options = Options(jobs=jobs, sandbox=not no_sandbox, scheduler=scheduler or "")
        with terminal.grading_progress(screen) as progress:
            result = grade_all(course, assignment, options, progress, servers)
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1))
    else:
        screen.print(terminal.class_table(result))
        for line in terminal.notes(result):
            screen.print(line)
        screen.print(terminal.totals(result))
    sys.exit(1 if result.failed else 0)


@cli.command(epilog=EXIT_CODES)
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT...]")
@_workspace
@_no_sandbox
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON document on stdout.")
def doctor(assignments: tuple[str, ...], workspace: Path | None, no_sandbox: bool, as_json: bool) -> None:
    """Look at this machine, the course and the submissions before anything runs. Changes nothing.

    Exit code 1: something would keep `autograder grade` from working.
    """
    from autograder import console as terminal
    from autograder.doctor import State, examine

    course = find_course(Path.cwd(), workspace)
    found = []
    for finding in examine(course, list(assignments or _all(course)), sandboxed=not no_sandbox):
        found.append(finding)
        if not as_json:
            _screen().print(terminal.finding_row(finding))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=1))
    sys.exit(1 if any(finding.state is State.BAD for finding in found) else 0)


@cli.command(epilog=EXIT_CODES)
@click.argument("student")
@click.argument("assignment")
@_workspace
@_no_sandbox
def replay(student: str, assignment: str, workspace: Path | None, no_sandbox: bool) -> None:
    """Grade STUDENT's submission of ASSIGNMENT once more, on the same hidden inputs, and show every check.

    Changes nothing. For an appeal: the hidden tests of each student have a secret seed of their own.
    """
    from autograder import console as terminal
    from autograder.replay import replay as run_again

    course = find_course(Path.cwd(), workspace)
    again = run_again(course, assignment, student, sandbox=not no_sandbox)
    for line in terminal.replay_lines(again):
        _screen().print(line)
    sys.exit(0 if again.same else 1)


@cli.command(epilog=EXIT_CODES)
@click.argument("assignment")
@_workspace
def feedback(assignment: str, workspace: Path | None) -> None:
    """Write one feedback page for every student of ASSIGNMENT."""
    from autograder.feedback import write_feedback

    course = find_course(Path.cwd(), workspace)
    pages = write_feedback(course, assignment)
    counted = "1 feedback page" if len(pages) == 1 else f"{len(pages)} feedback pages"
    _screen().print(f"✓ {counted} in {_shown(course.feedback)}", markup=False)


@cli.command(epilog=EXIT_CODES)
@click.argument("assignment", required=False)
@_workspace
def report(assignment: str | None, workspace: Path | None) -> None:
    """Write the pages about the whole class: report.html in the workspace, and one for each assignment.

    Without ASSIGNMENT, all that are graded get their page.
    """
    from autograder.overview import write_reports

    course = find_course(Path.cwd(), workspace)
    for page in write_reports(course, assignment):
        _screen().print(f"✓ class report: {_shown(page)}", markup=False)


def main() -> None:
    """Run the command; whatever ends it early is one sentence on stderr and an exit code of its own."""
    try:
        sys.exit(cli(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("autograder: Stopped. Run the same command again; it goes on from here.", err=True)
        sys.exit(130)
    except AutograderError as error:
        click.echo(f"autograder: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # a folder without write permission, a full disk
        reason = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        click.echo(f"autograder: {reason}.", err=True)
        sys.exit(2)


@contextmanager
def _importing() -> Iterator[None]:
    """Import without looking for garbage: modules are none, now and when the process ends."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _screen() -> Console:
    return Console(stderr=True, highlight=False)


def _all(course: Course) -> list[str]:
    """All assignments of the course; having none is an error."""
    names = course.assignments()
    if not names:
        raise click.UsageError(f"No assignment in {course.source}: there is no NAME/NAME.ipynb.")
    return names


def _shown(path: Path) -> str:
    """A path relative to the current folder where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
