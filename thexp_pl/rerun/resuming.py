"""A run gone on with in its own folder, from its newest checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError, UsageError, near_miss
from thexp_pl.record.folders import record_error
from thexp_pl.record.journal import read_journal
from thexp_pl.record.names import shown
from thexp_pl.record.rerun import Rerun
from thexp_pl.rerun.checkpoints import Found, find_checkpoint
from thexp_pl.rerun.child import run_again
from thexp_pl.rerun.code import check_whole
from thexp_pl.rerun.folders import RerunFolder, within
from thexp_pl.rerun.moved import Moved
from thexp_pl.rerun.preparing import Prepared, prepare
from thexp_pl.rerun.siblings import runs_of_process
from thexp_pl.runs.run import Run, read_run

__all__ = ["CODES", "Resumption", "prepare_resumption", "resume", "start_resumption"]

RECORDED, CURRENT = CODES = ("recorded", "current")


@dataclass(frozen=True)
class Resumption:
    """A run that was gone on with.

    Args:
        prepared: What was run, and where.
        found: The checkpoint that it went on from.
        run: The run as it is now.
        fault: How the command failed; an empty text where it did not.
        went_on: Whether it was this command that went on with the run.
    """

    prepared: Prepared
    found: Found
    run: Run
    fault: str
    went_on: bool = True


def resume(run: Run, *, code: str = RECORDED) -> Resumption:
    """Go on with a run in its own folder, from its newest checkpoint that is whole.

    Args:
        run: The run.
        code: ``recorded``, or ``current`` for the project's code as it is today.

    Returns:
        What became of it.

    Raises:
        RecordError: It is running, has nothing left to train, has no checkpoint, or cannot be run
            again.
        UsageError: There is no such `code`.
    """
    prepared, found = prepare_resumption(run, code=code)
    return start_resumption(prepared, found)


def prepare_resumption(run: Run, *, code: str = RECORDED) -> tuple[Prepared, Found]:
    """Find the checkpoint of a run, and make the command that goes on from it.

    Args:
        run: The run.
        code: As in `resume`.

    Returns:
        What is to be run, and the checkpoint.

    Raises:
        RecordError: As `resume`.
        UsageError: As `resume`.
    """
    if code not in CODES:
        raise UsageError(f"code={code!r}: it is one of {', '.join(CODES)}{near_miss(code, CODES)}")
    check_whole(run)
    key = shown(run.key)
    if run.status == "running":
        raise RecordError(f"the run {key} is running: wait for its end, or stop it first")
    _check_alone(run)
    found = find_checkpoint(run)
    if found.path is None:
        raise RecordError(
            f"the run {key} cannot be gone on with ({found.passed_over}): `thexp-pl reproduce"
            f" {run.key}` begins it anew"
        )
    if code == RECORDED and run.status == "finished":
        _check_left(run, found)
    project = _todays(run) if code == CURRENT else None
    checkpoint = str(found.path)

    def tell(aside: RerunFolder, final: RerunFolder) -> Rerun:
        return Rerun(
            "resumed", (run.key,), run.paths.root, project or final.code, checkpoint, in_place=True
        )

    names = within(run.paths.root, "resumed", run.key)
    return prepare(run, names, tell, project=project), found


def start_resumption(prepared: Prepared, found: Found) -> Resumption:
    """Run the command that goes on with a run to its end.

    Args:
        prepared: What is to be run.
        found: The checkpoint.

    Returns:
        What became of it.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        RecordError: The command cannot be run by itself, or another goes on with the run.
    """
    run = prepared.run
    if prepared.hindrance:
        raise RecordError(
            f"the run {shown(run.key)} cannot be started by itself: {prepared.hindrance}; with"
            " --dry_run the command is shown"
        )
    with _held(run):
        ended = run_again(prepared.command, run.paths.root)
    fault = f"the command ended with {ended.fault}" if ended.fault else ""
    after = read_run(run.paths)
    process = after.manifest.get("process")
    went_on = isinstance(process, dict) and process.get("pid") == ended.pid
    if not fault and not went_on:
        fault = "the command ended without going on with the run: does it still record one?"
    return Resumption(prepared, found, after, fault, went_on)


@contextlib.contextmanager
def _held(run: Run) -> Iterator[None]:
    """Let one command at a time go on with a run: it takes seconds until its process is seen."""
    from filelock import FileLock, Timeout  # 30 ms

    key = shown(run.key)
    lock = FileLock(run.paths.again_lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RecordError(
            f"another `thexp-pl resume` goes on with the run {key} just now: leave it, or roll back"
            " to one of its checkpoints as a new run"
        ) from None
    except OSError as error:
        raise record_error("go on with the run in", run.paths.folder, error) from error
    try:
        now = read_run(run.paths)
        if now.status == "running" or now.manifest.get("process") != run.manifest["process"]:
            raise RecordError(
                f"another process has gone on with the run {key} meanwhile: it is {now.status}"
            )
        yield
    finally:
        lock.release()


def _todays(run: Run) -> Path:
    project = Moved(run, run.paths.folder).project
    if project is None or not project.is_dir():
        raise RecordError(
            f"the project of the run {shown(run.key)} is not at {str(project)!r} any more:"
            " bring it back there, or go on in the recorded code"
        )
    return project


def _check_alone(run: Run) -> None:
    """Refuse a run that shared its process: the command would do the others anew as well."""
    others = [each.key for each in runs_of_process(run) if each.key != run.key]
    if others:
        raise RecordError(
            f"the run {shown(run.key)} was recorded by a process that recorded {len(others)} more,"
            f" such as {shown(others[0])}, and its command would do these anew: go on by hand from"
            f" `thexp-pl rollback {run.key}`"
        )


def _check_left(run: Run, found: Found) -> None:
    """Refuse a run that came to its end, as far as its record tells what that is."""
    fits = [event for event in read_journal(run.paths.journal) if event["event"] == "fit"]
    options: dict[str, Any] = fits[-1] if fits else {}
    record = found.record
    for done, name, unit in (
        (record and record.epoch, "max_epochs", "epochs"),
        (record and record.step, "max_steps", "steps"),
    ):
        limit = options.get(name)
        if isinstance(limit, int) and isinstance(done, int) and 0 <= limit <= done:
            raise RecordError(
                f"the run {shown(run.key)} has finished its {limit} {unit}, so nothing is left to"
                f" train: where the project asks for more by now, `thexp-pl resume {run.key} --code"
                " current` goes on"
            )
