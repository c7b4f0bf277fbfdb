"""One attempt at a point: a process of its own, that begins its run or goes on with it.

``python -m thexp_pl.sweeps.attempt ROOT KEY NUMBER`` makes one, in the place where it is to run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.folders import record_error
from thexp_pl.record.locks import take
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.rerun import Rerun
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.rerun.checkpoints import find_checkpoint
from thexp_pl.rerun.moved import Moved
from thexp_pl.rerun.siblings import runs_of_process
from thexp_pl.rerun.variables import decided_variables
from thexp_pl.runs.run import Run
from thexp_pl.sweeps.configuration import CONFIG_VARIABLES, kept_words
from thexp_pl.sweeps.overseeing import oversee
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import State, state_of
from thexp_pl.sweeps.sweep import Sweep, read_points, read_sweep

__all__ = ["AlreadyDone", "AlreadyRunning", "begin_attempt", "run_attempt"]

_LOCK_SECONDS = 0.5  # whoever only looks whether it is held, holds it for less
_ENDED_EARLY = ("failed", "interrupted", "killed", "lost")


class AlreadyDone(RecordError):  # noqa: N818 - a state, not a fault
    """The point is finished."""


class AlreadyRunning(RecordError):  # noqa: N818 - as above
    """A process of the point lives."""


def begin_attempt(
    sweep: Sweep, point: Point, *, environment: Mapping[str, str | None] | None = None
) -> subprocess.Popen[bytes]:
    """Start the process of a point.

    It goes on with the newest run of the point where that ended early and has a checkpoint that is
    whole, and begins a new run otherwise. It runs in the sweep's code, in a session of its own;
    what it prints is appended to the point's log. For as long as it lives it holds the point's
    lock. The variables that decide results are those of the submission.

    Args:
        sweep: The sweep.
        point: The point.
        environment: Further variables, None for one to take away.

    Returns:
        The process, whose end is to be waited for.

    Raises:
        AlreadyDone: The point is finished.
        AlreadyRunning: A process of it lives.
        RecordError: It cannot be started.
    """
    paths = sweep.paths
    if not paths.code.is_dir():
        raise RecordError(
            f"the code of the sweep {shown(sweep.key)} is not there any more: the command that"
            " submitted it writes it out again"
        )
    try:
        descriptor = take(paths.point_lock(point.number), _LOCK_SECONDS)
        if descriptor is None:
            raise AlreadyRunning(f"point {point.number} of {sweep.key} is running")
        try:
            state = _unheld(sweep, point)
            told = _told(sweep, point, state)
            inherited = told.write(paths.told(point.number))
            variables = {**_variables(sweep), **inherited, **(environment or {})}
            return _started(sweep, point, variables, descriptor)
        finally:
            os.close(descriptor)  # the process has its own
    except OSError as error:
        if isinstance(error, RecordError):
            raise
        raise record_error("start a point of the sweep in", paths.folder, error) from error


def run_attempt(
    root: str | os.PathLike[str],
    key: str,
    number: int,
    environment: Mapping[str, str | None] | None = None,
) -> int:
    """Make one attempt at a point, to its end; a process of it that lives is waited for before.

    SIGTERM, SIGINT and SIGUSR1 are handed on to the process once, which then ends with a
    checkpoint; a second SIGINT kills it.

    Args:
        root: The experiment root, as seen from here.
        key: The sweep's key.
        number: The point's number.
        environment: As for `begin_attempt`.

    Returns:
        The exit code of the process; the negative number of the signal that ended it; 0 where the
        point is finished without one.

    Raises:
        RecordError: There is no such sweep or point, or it cannot be started.
    """
    sweep = read_sweep(SweepFolder(Path(os.path.abspath(root)), key))  # noqa: PTH100 - `..`
    points = read_points(sweep)
    if not 0 <= number < len(points):
        raise RecordError(
            f"the sweep {shown(key)} has no point {number}: its {len(points)} points are counted"
            " from 0"
        )
    point = points[number]
    with contextlib.suppress(AlreadyDone):
        return oversee(
            lambda: begin_attempt(sweep, point, environment=environment),
            AlreadyRunning,
            lambda: state_of(sweep, point),
        )
    return 0


def _unheld(sweep: Sweep, point: Point) -> State:
    """Say how a point stands whose lock this process holds."""
    state = state_of(sweep, point, is_own=True)
    if state.is_done:
        raise AlreadyDone(f"point {point.number} of {sweep.key} is {state.status}")
    if state.is_alive:
        where = "" if state.paths is None else f" as {state.paths.key}"
        raise AlreadyRunning(f"point {point.number} of {sweep.key} is running{where}")
    return state


def _told(sweep: Sweep, point: Point, state: State) -> Rerun:
    entry = {"key": sweep.key, "point": point.number, "digest": point.digest}
    if point.trial is not None:
        entry["trial"] = point.trial
    submitted = {"code": sweep.facts["code"], "git": sweep.facts.get("git")}
    root, code = sweep.paths.root, sweep.paths.code
    checkpoint = _checkpoint(state)
    if state.run is None or checkpoint is None:
        return Rerun("swept", (), root, code, tree=sweep.tree, sweep=entry, submitted=submitted)
    keys = (state.run.key,)
    return Rerun("resumed", keys, root, code, str(checkpoint), True, sweep.tree, entry, submitted)


def _checkpoint(state: State) -> Path | None:
    """Find what the newest run of a point can go on from in its own folder."""
    run = state.run
    if run is None or run.damage or state.status not in _ENDED_EARLY:
        return None
    found = find_checkpoint(run).path
    if found is not None and len(runs_of_process(run)) > 1:
        return None  # its process would do the others anew as well
    return found


def _variables(sweep: Sweep) -> dict[str, str | None]:
    submitted = Run(
        RunPaths(sweep.paths.root, "", ""), {"environment": {}, "editable": {}, **sweep.facts}
    )
    variables = decided_variables(submitted, Moved(submitted, sweep.paths.code))
    given = [name for name in variables if name in CONFIG_VARIABLES and variables[name]]
    copies = kept_words((str(variables[name]) for name in given), sweep.files, sweep.paths)
    return {**variables, **dict(zip(given, copies, strict=True))}


def _started(
    sweep: Sweep, point: Point, variables: Mapping[str, str | None], lock: int
) -> subprocess.Popen[bytes]:
    words = kept_words([*sweep.words, *point.words()], sweep.files, sweep.paths)
    words = [sys.executable, *([] if words[0].endswith(".py") else ["-m", "thexp_pl"]), *words]
    merged = {**os.environ, **variables}
    log = sweep.paths.log(point.number)
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            words,
            cwd=sweep.paths.code / sweep.folder,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )


def _main(words: list[str]) -> int:
    root, key, number = words
    code = run_attempt(root, key, int(number))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
