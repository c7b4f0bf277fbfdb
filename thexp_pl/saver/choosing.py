"""The words that name a checkpoint: ``last``, ``best`` and ``RUN@CHECKPOINT``, or a path."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

from thexp_pl.errors import CheckpointError, UsageError, near_miss
from thexp_pl.record import rerun
from thexp_pl.record.folders import as_root
from thexp_pl.record.names import shown
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.run import Run
from thexp_pl.saver import listing
from thexp_pl.saver.best import recorded
from thexp_pl.saver.listing import AbsentError, Entry, as_path
from thexp_pl.saver.lock import undisturbed
from thexp_pl.saver.names import CHECKPOINT, kind_of, sidecar_path
from thexp_pl.saver.reading import open_regular, verify
from thexp_pl.saver.sidecar import DamagedError, read_sidecar

__all__ = ["BEST", "LAST", "NotFoundError", "checkpoint_path"]

LAST, BEST = "last", "best"
_WANTED = {
    LAST: "an undamaged checkpoint",
    BEST: "one that says by which metric it is best; save with a monitor, or name another",
}
MAX_DIGITS = 18  # more than any file name or list of runs needs, and Python reads them at once
MODULES = "modules"  # the folder of a run in which the facade and SaverCallback save

Which = str | os.PathLike[str]
Root = str | os.PathLike[str] | None


class NotFoundError(CheckpointError):
    """Nothing is there of that name; the name can be mended."""

    exit_code = 2


def checkpoint_path(which: Which, *, experiment: str | None = None, root: Root = None) -> Path:
    """Give the checkpoint that a word or a path names, once it is validated.

    What has a sidecar must have the size and the hash that it records; another file, such as one of
    Lightning's own ModelCheckpoint, is taken as it is. Damaged checkpoints are passed over by
    ``last`` and ``best`` with one warning that names them.

    Args:
        which: What is meant.

            - ``"last"``: the newest checkpoint of the experiment, in its latest run that has one;
            - ``"best"``: the checkpoint that was best by the metric that the sidecars name, in the
              latest run of the experiment that kept one;
            - ``"RUN@CHECKPOINT"``: RUN is a key, the beginning of just that key, ``@last``,
              ``@last~2`` (the second run before it), or an experiment, whose latest run is meant;
              CHECKPOINT is ``last``, ``best``, a number of completed epochs, or the name of a file
              in the run's ``modules``;
            - a path; one of a file called ``last`` or ``best`` is ``./last``.
        experiment: Where to look for ``last`` and ``best``; by default in the experiment of the run
            that started last.
        root: The experiment root to look in; by default all that the user's home knows.

    Returns:
        The file; a path as it was given.

    Raises:
        CheckpointError: There is none, or it is damaged.
        RecordError: RUN is no run, or several.
        UsageError: `which` can name no checkpoint, `experiment` no experiment or `root` no folder.
    """
    if experiment is not None and not isinstance(experiment, str):
        raise UsageError(f"experiment={experiment!r} names no experiment: give its name as text")
    if root is not None:
        as_path(root)
    if not isinstance(which, str | os.PathLike) or not os.fspath(which):
        raise UsageError(
            f"{which!r} names no checkpoint: give 'last', 'best', 'RUN@CHECKPOINT' or a path"
        )
    if which in (LAST, BEST):
        return _in_experiment(str(which), experiment, root)
    run, at, name = which.rpartition("@") if isinstance(which, str) else ("", "", "")
    if at and "/" not in name and not _is_there(as_path(which)):
        return _in_run(str(which), run, name, root)
    return _at_path(as_path(which))


# -- in the runs of an experiment ------------------------------------------------------------------


def _in_experiment(word: str, experiment: str | None, root: Root) -> Path:
    everything = _runs(root)
    runs = _of_experiment(everything, experiment)
    problems: list[str] = []
    for run in reversed(runs):
        found = _look(run, word)
        problems += found.problems
        if found.path is not None:
            return _taken(found.path, problems)
    if runs:
        name = shown(runs[-1].paths.experiment)
        raise _none(problems, word, f"no run of {name} has {_WANTED[word]}")
    where = "any known root" if root is None else str(as_root(root))
    known = {run.paths.experiment for run in everything}
    what = "no run" if experiment is None else f"no run of {shown(experiment)}"
    raise _none([], word, f"{what} is recorded in {where}{near_miss(experiment or '', known)}")


def _taken(path: Path, problems: list[str]) -> Path:
    if problems:
        # from here through `_in_...` and `checkpoint_path` to the line that asked
        text = "; ".join([*problems, f"taking {path} instead"])
        warnings.warn(text, UserWarning, stacklevel=4)
    return path


def _none(problems: list[str], word: str, why: str) -> NotFoundError:
    return NotFoundError("; ".join([*problems, f"there is no checkpoint {word!r}: {why}"]))


def _runs(root: Root) -> list[Run]:
    if root is not None and not as_root(root).is_dir():
        return []
    return _as_then(ExperimentViewer(None if root is None else [root]).runs())


def _as_then(runs: list[Run]) -> list[Run]:
    """Leave out what a run that is done again could not see: itself, and what came after it."""
    told = rerun.current()
    if told is None or told.how != "reproduced":
        return runs
    first = next((place for place, run in enumerate(runs) if run.key in told.runs), len(runs))
    own = [run for run in runs[first:] if run.manifest.get("process", {}).get("pid") == os.getpid()]
    return runs[:first] + own


def _of_experiment(runs: list[Run], experiment: str | None) -> list[Run]:
    """Give the runs of an experiment, oldest first; by default of the one that ran last."""
    if experiment is None and runs:
        latest = runs[-1].paths
        return [run for run in runs if run.paths.folder.parent == latest.folder.parent]
    return [run for run in runs if run.paths.experiment == experiment]


# -- in one run ------------------------------------------------------------------------------------


def _in_run(which: str, key: str, name: str, root: Root) -> Path:
    if not key or not name:
        raise UsageError(
            f"{which!r} names no checkpoint: write RUN@CHECKPOINT, as in '@last@best' or"
            " '@last@0000003.ckpt'"
        )
    run = ExperimentViewer(None if root is None else [root]).run(key)
    if name in (LAST, BEST):
        found = _look(run, name)
        if found.path is None:
            raise _none(found.problems, which, f"the run {run.key} has not {_WANTED[name]}")
        return _taken(found.path, found.problems)
    folder = run.paths.folder / MODULES
    names = _names(folder)
    if name in names:
        return _at_path(folder / name)
    if name.isascii() and name.isdecimal() and names:
        return _of_epoch(folder, name)
    held = f"it has {', '.join(names)}" if names else "it has none"
    raise NotFoundError(
        f"the run {run.key} has no checkpoint {shown(name)}: {held}"
        f"{near_miss(name, [LAST, BEST, *names])}"
    )


def _of_epoch(folder: Path, digits: str) -> Path:
    if len(digits) > MAX_DIGITS:
        raise UsageError(f"{shown(digits)} is no number of completed epochs: it is too large")

    def look() -> Path:
        path = listing.find(folder, CHECKPOINT, int(digits), byindex=False)
        _verify_file(path)
        return path

    try:
        return undisturbed(folder, look)
    except AbsentError as error:
        raise NotFoundError(str(error)) from None


def _names(folder: Path) -> list[str]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    return [name for name in names if name.endswith((".ckpt", ".pth")) and name[0] != "."]


# -- in one folder ---------------------------------------------------------------------------------


class _Found(NamedTuple):
    path: Path | None
    problems: list[str]


class _DamageFoundError(DamagedError):
    """Something is damaged: worth another look where somebody is writing."""

    def __init__(self, found: _Found) -> None:
        super().__init__("; ".join(found.problems))
        self.found = found


def _look(run: Run, word: str) -> _Found:
    folder = run.paths.folder / MODULES
    if not folder.is_dir():
        return _Found(None, [])
    try:
        return undisturbed(folder, lambda: _choose(folder, word))
    except _DamageFoundError as error:
        return error.found


def _choose(folder: Path, word: str) -> _Found:
    entries = listing.committed(folder, CHECKPOINT)
    best = recorded(entries)
    ranked = best.ranked(entries) if best else []
    wanted = entries[::-1] if word == LAST else ranked
    chosen: Entry | None = None
    problems: list[str] = []
    for entry in wanted:
        fault = _fault(entry.path)
        if not fault:
            chosen = entry
            break
        problems.append(fault)
    # without a sidecar any file may be the best, and one of a later epoch the last
    known = (chosen.epoch, chosen.repeat) if chosen is not None and word == LAST else (-1, -1)
    stray = listing.uncommitted(folder, CHECKPOINT).items()
    problems += filter(None, (_fault(path) for path, numbers in stray if numbers > known))
    found = _Found(None if chosen is None else chosen.path, problems)
    if problems:
        raise _DamageFoundError(found)
    return found


def _fault(path: Path) -> str:
    try:
        _verify_file(path)
    except DamagedError as error:
        return str(error)
    return ""


def _verify_file(path: Path) -> None:
    """Check that a file is the one that its sidecar records."""
    with open_regular(path) as file:
        record = read_sidecar(path).record
        if record is not None:  # of thexp's own there is none
            verify(file, path, record)


def _at_path(path: Path) -> Path:
    if not _is_there(path):
        names = _names(path.parent)
        hint = near_miss(path.name, names + [LAST, BEST] * (path.parent == Path()))
        raise NotFoundError(f"there is no file {str(path)!r}{hint}")
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder, not a checkpoint: name a file in it")
    if not path.is_file():
        raise UsageError(f"{str(path)!r} is not a regular file, so no checkpoint: name another")
    if kind_of(path.name) or _is_there(sidecar_path(path)):
        undisturbed(path.parent, lambda: _verify_file(path))
    return path


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - no error for a name that is too long
