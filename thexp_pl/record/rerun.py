"""A process that is to be a run again, or one of a sweep: what it is told by who starts it.

The variable ``THEXP_PL_RERUN`` of its environment names a file, which `Rerun.write` wrote. The
process that finds it first writes its own number beside it: what this process starts in turn
inherits both, and is not meant, but for the ranks of its training.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json, write_json
from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown

__all__ = ["KINSHIPS", "VARIABLE", "Rerun", "at_home", "current"]

KINSHIPS = ("resumed", "reproduced")
_SWEPT = "swept"
VARIABLE = "THEXP_PL_RERUN"
_TAKER = "THEXP_PL_RERUN_TAKER"  # the number of the process that is meant
_MAX_BYTES = 1 << 20
_TREE = re.compile("([0-9a-f]{40,64})?")


@dataclass(frozen=True)
class Rerun:
    """What a process is told that is to be a run again, or a run of a sweep.

    Args:
        how: ``"reproduced"``, ``"resumed"`` or, for a new run of a sweep, ``"swept"``.
        runs: The keys of the runs that the recorded process had recorded, in the order of their
            start: the n-th run that this one starts takes the n-th as its parent.
        root: Their experiment root, absolute; the root that the script's first Experiment names is
            taken to be this one.
        project: The folder that stands for the recorded project, absolute: the snapshot is taken of
            it; None to find it as ever.
        checkpoint: The file that the first fit goes on from, or an empty text.
        in_place: Go on with the same runs in their own folders, in place of new ones.
        tree: The code that was written out as the project, where the recorded run ran several; an
            empty text for the one that its manifest names.
        sweep: Of a run of a sweep what its manifest says of that: ``key``, ``point``, ``digest``.
        submitted: Of a run of a sweep ``code`` and ``git`` as they were at submission, as in a
            manifest; `project` stands for the ``project`` that ``code`` names.
    """

    how: str
    runs: tuple[str, ...]
    root: Path
    project: Path | None = None
    checkpoint: str = ""
    in_place: bool = False
    tree: str = ""
    sweep: Mapping[str, Any] = field(default_factory=dict)
    submitted: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> dict[str, str]:
        """Write it to a file.

        Args:
            path: The file, which has to be there until the process has read it.

        Returns:
            What to put into the environment of the process.

        Raises:
            OSError: It cannot be written.
        """
        project = None if self.project is None else str(self.project)
        write_json(path, {**asdict(self), "root": str(self.root), "project": project})
        return {VARIABLE: os.path.abspath(path), _TAKER: ""}  # noqa: PTH100 - keeps `..` out


def current() -> Rerun | None:
    """Give what this process was told, if it is to be a run again.

    Returns:
        It; on a rank that this process's parent has started it names no run. None in a process
        that was told nothing, or that one which was told has started for something else.

    Raises:
        RecordError: The file cannot be read, or holds something else.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    taker = os.environ.get(_TAKER)
    if not taker:
        taker = os.environ[_TAKER] = str(os.getpid())
    if taker == str(os.getpid()):
        return _read(path)
    return replace(_read(path), runs=()) if _is_rank_of(taker) else None


def at_home(path: str) -> str:
    """Name a path in the code of a sweep as it is called in the project that was submitted.

    Args:
        path: An absolute path.

    Returns:
        The path there; one that lies elsewhere, or in a process of no sweep, is as it was.

    Raises:
        RecordError: What the process was told cannot be read.
    """
    told = current()
    if told is None or told.project is None or not told.submitted:
        return path
    home = os.path.join(os.path.realpath(told.root), told.submitted["code"]["project"])  # noqa: PTH118
    for top in (str(told.project), os.path.realpath(told.project)):
        if path == top or path.startswith(f"{top}/"):
            return os.path.normpath(f"{home}/{path[len(top) :]}")
    return path


def _is_rank_of(process: str) -> bool:
    """Say whether a process has started this one as a rank, as Lightning does."""
    return (
        process == str(os.getppid())
        and os.environ.get("LOCAL_RANK", "0") != "0"
        and "TORCHELASTIC_RUN_ID" not in os.environ  # its ranks start none
        and parent_process() is None  # a worker of a loader
    )


@cache
def _read(path: str) -> Rerun:
    try:
        return _checked(read_json(path, limit=_MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError(
            f"{VARIABLE}={shown(path)} does not say which run is to be done again: {reason}; start"
            " it by `thexp-pl reproduce` or `thexp-pl resume`, or unset the variable"
        ) from error


def _checked(told: Any) -> Rerun:
    if not isinstance(told, dict):
        raise ValueError("not a JSON object")
    runs, how, in_place = told.get("runs"), told.get("how"), told.get("in_place")
    if how not in (*KINSHIPS, _SWEPT):
        raise ValueError(f"'how' is none of {', '.join((*KINSHIPS, _SWEPT))}")
    if not isinstance(runs, list) or not all(_is_name(key) for key in runs):
        raise ValueError("'runs' is no list of keys")
    if not isinstance(in_place, bool) or (in_place and how != "resumed"):
        raise ValueError("'in_place' is no truth value, or is true of what is not resumed")
    checkpoint = told.get("checkpoint")
    if not isinstance(checkpoint, str) or "\0" in checkpoint:
        raise ValueError("'checkpoint' is no path")
    tree = told.get("tree", "")
    if not isinstance(tree, str) or not _TREE.fullmatch(tree):
        raise ValueError("'tree' is no hash")
    project = told.get("project")
    folder = None if project is None else _folder("project", project)
    root = _folder("root", told.get("root"))
    sweep, submitted = told.get("sweep") or {}, told.get("submitted") or {}
    if (how == _SWEPT or sweep or submitted) and not _is_of_sweep(sweep, submitted):
        raise ValueError("'sweep' and 'submitted' describe no point of a sweep")
    return Rerun(how, tuple(runs), root, folder, checkpoint, in_place, tree, sweep, submitted)


def _is_of_sweep(sweep: Any, submitted: Any) -> bool:
    if not isinstance(sweep, dict) or not isinstance(submitted, dict):
        return False
    code, git = submitted.get("code"), submitted.get("git")
    return (
        _is_name(sweep.get("key"))
        and type(sweep.get("point")) is int
        and isinstance(sweep.get("digest"), str)
        and isinstance(code, dict)
        and isinstance(code.get("project"), str)
        and (git is None or isinstance(git, dict))
    )


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key not in ("", ".", "..") and not set(key) & set("/\0")


def _folder(name: str, value: Any) -> Path:
    if not isinstance(value, str) or not os.path.isabs(value) or "\0" in value:  # noqa: PTH117
        raise ValueError(f"{name!r} is no absolute path")
    return Path(value)


def _take() -> None:
    # At the import: what a script starts before its first run is not meant either.
    if os.environ.get(VARIABLE):
        os.environ[_TAKER] = os.environ.get(_TAKER) or str(os.getpid())


_take()
