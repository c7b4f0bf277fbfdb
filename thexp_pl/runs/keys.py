"""The words that mean one run: a key, the beginning of one, ``@last``, an experiment's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from thexp_pl.errors import RecordError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.runs.run import Run, folders_of, read_run, read_runs

__all__ = ["find_run"]

_LAST = re.compile(r"@last(?:~([0-9]{1,18}))?")


def find_run(roots: Iterable[Path], text: str) -> Run:
    """Find the run that a word means.

    Args:
        roots: The experiment roots to look in.
        text: A key; the beginning of just one key; ``@last`` for the run that started last and
            ``@last~2`` for the second before it; or an experiment, whose latest run is meant.

    Returns:
        The run.

    Raises:
        RecordError: There is none, or more than one.
    """
    roots = list(roots)
    if (back := _LAST.fullmatch(text)) is not None:
        return _last(read_runs(roots), text, int(back[1] or 0))
    folders = folders_of(roots)
    found = [paths for paths in folders if paths.key == text]
    found = found or [paths for paths in folders if text and paths.key.startswith(text)]
    if len(found) == 1:
        return read_run(found[0])
    if found:
        some = ", ".join(sorted(f"{paths.key} in {paths.root}" for paths in found)[:3])
        raise RecordError(
            f"the key {shown(text)} means {len(found)} runs ({some}, ...): give more of the key,"
            " or one root"
        )
    named = [run for run in read_runs(roots) if run.paths.experiment == text]
    if named:
        return named[-1]
    hint = near_miss(text, {name for paths in folders for name in (paths.key, paths.experiment)})
    raise RecordError(f"no run has the key {shown(text)}{hint}; `thexp-pl list` shows the keys")


def _last(runs: list[Run], text: str, back: int) -> Run:
    if not runs:
        raise RecordError("no run is recorded yet, so none is the last; record one first")
    if back >= len(runs):
        raise RecordError(f"no run is {shown(text)}: {len(runs)} are recorded")
    return runs[-1 - back]
