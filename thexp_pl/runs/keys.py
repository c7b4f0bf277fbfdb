"""The words that mean one run: a key, the beginning of one, ``@last``, an experiment's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from thexp_pl.errors import RecordError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.runs.index import Index
from thexp_pl.runs.index.texts import kept_name
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run, read_run

__all__ = ["find_row", "find_run", "find_sweep"]

_LAST = re.compile(r"@last(?:~([0-9]{1,18}))?")
_NEWEST = "started DESC, key DESC"
_HERE = "+root IN (SELECT id FROM roots WHERE host = '')"  # these come first
_BEGINS = "key >= ? AND key < ?"
_AFTER_ALL = "\U0010ffff"  # no letter comes after it
_SWEEP = "sweep-"  # how the key of a sweep begins
_MAX_LETTERS = 300  # difflib takes the square of them
_MAX_GUESSED = 5_000  # of the newest keys


def find_run(roots: Iterable[Path], text: str) -> Run:
    """Find the run that a word means, and read its files.

    Args:
        roots: The experiment roots to look in.
        text: The word, see `find_row`.

    Returns:
        The run.

    Raises:
        RecordError: There is none, or more than one.
    """
    index = Index(roots)
    index.refresh()
    return read_run(find_row(index, text).paths)


def find_row(index: Index, text: str) -> RunRow:
    """Find the run that a word means.

    Args:
        index: The index of the runs to look among, up to date.
        text: A key; the beginning of just one key; ``@last`` for the run that started last and
            ``@last~2`` for the second before it; or an experiment, whose latest run is meant. Of a
            team's runs those with files here come first.

    Returns:
        The run.

    Raises:
        RecordError: There is none, or more than one.
    """
    if (back := _LAST.fullmatch(text)) is not None:
        return _last(index, text, int(back[1] or 0))
    word = kept_name(text)
    for where, values in (("key = ?", (word,)), (_BEGINS, (word, text + _AFTER_ALL))):
        found = index.select(where, values, limit=3) if text else []
        here = index.select(f"{where} AND {_HERE}", values, limit=2) if len(found) > 1 else found
        if len(here) == 1:
            return here[0]
        if found:
            raise _several(text, found, len(index.keys(where, values)))
    for where in (f"experiment = ? AND {_HERE}", "experiment = ?"):
        named = index.select(where, (word,), _NEWEST, limit=1)
        if named:
            return named[0]
    _refuse_sweep(index, text)
    hint = near_miss(text[:_MAX_LETTERS], {*index.keys()[-_MAX_GUESSED:], *index.experiments()})
    raise RecordError(f"no run has the key {shown(text)}{hint}; `thexp-pl list` shows the keys")


def find_sweep(index: Index, text: str) -> str | None:
    """Find the sweep that a word means.

    Args:
        index: The index of the runs to look among, up to date.
        text: A sweep's key, or the beginning of just one, ``sweep-`` and more.

    Returns:
        The key; None where no run belongs to a sweep of that name, and none was submitted here.

    Raises:
        RecordError: It means several.
    """
    if not text.startswith(_SWEEP):
        return None
    from thexp_pl.runs.sweeps import submitted_keys  # `list` without a sweep is as quick

    values = (kept_name(text), text + _AFTER_ALL)
    known = {*index.sweeps("sweep != '' AND sweep >= ? AND sweep < ?", values)}
    keys = sorted(known.union(*(submitted_keys(root, text) for root in index.roots)))
    if text in keys or len(keys) < 2:
        return text if text in keys else next(iter(keys), None)
    told = ", ".join(map(shown, keys[:3])) + (", ..." if len(keys) > 3 else "")
    raise RecordError(f"{shown(text)} means {len(keys)} sweeps ({told}): give more of the key")


def _refuse_sweep(index: Index, text: str) -> None:
    sweep = find_sweep(index, text)
    if sweep is not None:
        from thexp_pl.runs.sweeps import runs_of_sweep

        where = runs_of_sweep(index, sweep)
        count = index.count(where.sql, where.values)
        runs = "1 run" if count == 1 else f"{count} runs"
        raise RecordError(
            f"{shown(text)} is a sweep of {runs}, and one run is wanted: `thexp-pl list"
            f" {shown(sweep)[1:-1]}` shows their keys"
        )


def _several(text: str, some: list[RunRow], count: int) -> RecordError:
    places = sorted(f"{row.key} in {str(row.place.folder.parent)!r}" for row in some)
    told = ", ".join(places) + (", ..." if count > len(some) else "")
    ways = [
        *(["give more of the key"] if any(row.key != text for row in some) else []),
        *(["name one root with `--exps_dir DIR`"] if len({row.root for row in some}) > 1 else []),
    ]
    way_out = ", or ".join(ways) or "rename one of the folders"
    return RecordError(f"the key {shown(text)} means {count} runs ({told}): {way_out}")


def _last(index: Index, text: str, back: int) -> RunRow:
    found = index.select(_HERE, order=_NEWEST, limit=1, skip=back)
    if found:
        return found[0]
    count = len(index.keys(_HERE))
    if not count:
        raise RecordError("no run is recorded yet, so none is the last; record one first")
    raise RecordError(f"no run is {shown(text)}: {count} are recorded")
