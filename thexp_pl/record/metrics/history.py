"""Which rows of metrics.csv are a run's history, where the run was gone on with in its own folder.

A training that goes on from a checkpoint writes again what it had written after the checkpoint was
saved. Nothing is deleted: with each checkpoint it is recorded which bytes of the file were the
history at its moment, and where the run goes on from it, the journal's ``resume`` event takes that
up, with how long the file is by then. What lies between is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import loads
from thexp_pl.record.append import whole_lines
from thexp_pl.record.inside import check_inside
from thexp_pl.record.metrics.columns import MetricColumns
from thexp_pl.record.metrics.reading import read_metrics, read_ranges
from thexp_pl.record.paths import RunPaths

__all__ = [
    "History",
    "Range",
    "checked_ranges",
    "history_of",
    "ranges_before",
    "ranges_there",
    "read_history",
]

Range = tuple[int, int]
_MAX_RANGES = 100_000


@dataclass(frozen=True)
class History:
    """The part of a metrics file that counts.

    Args:
        kept: The ranges of bytes, in the order of their rows, of what earlier attempts wrote.
        since: The byte from which on all counts.
    """

    kept: tuple[Range, ...] = ()
    since: int = 0

    def until(self, size: int) -> tuple[Range, ...]:
        """Give the ranges that count in a file of this size.

        Args:
            size: In bytes; whole lines.

        >>> History(((0, 40),), 100).until(160)
        ((0, 40), (100, 160))
        """
        return (*self.kept, (self.since, size)) if size > self.since else self.kept


def ranges_there(ranges: Iterable[Range], size: int) -> tuple[Range, ...]:
    """Give what there is of ranges in a file that may have become shorter.

    Args:
        ranges: The ranges.
        size: Of the file, in bytes.

    >>> ranges_there([(0, 40), (100, 160), (200, 210)], 120)
    ((0, 40), (100, 120))
    """
    return tuple((start, min(stop, size)) for start, stop in ranges if start < size)


def history_of(journal: Path) -> History:
    """Read what counts from a run's journal.

    Args:
        journal: The file.

    Returns:
        What the last event that says so tells; the whole file where none does.

    Raises:
        OSError: The journal is there but cannot be read.
    """
    for line in reversed(whole_lines(journal)):
        if '"passed_over"' not in line:  # thousands of events may tell of files that changed
            continue
        try:
            event = loads(line)
            told = event["passed_over"]
            if event["event"] != "resume" or type(told["until"]) is not int or told["until"] < 0:
                continue
            return History(checked_ranges(told["kept"], told["until"]), told["until"])
        except (ValueError, LookupError, TypeError):  # something else left the line
            continue
    return History()


def checked_ranges(value: Any, size: int) -> tuple[Range, ...]:
    """Take ranges that were read from a file.

    Args:
        value: Pairs of integers, each range behind the one before.
        size: Of the file; ranges end there.

    Returns:
        The ranges.

    Raises:
        ValueError: They are none.
    """
    if not isinstance(value, list | tuple) or len(value) > _MAX_RANGES:
        raise ValueError("no list of ranges")
    ranges: list[Range] = []
    least = 0
    for pair in value:
        if not isinstance(pair, list | tuple) or [type(each) for each in pair] != [int, int]:
            raise ValueError("a range is no pair of integers")
        start, stop = pair
        if not least <= start <= stop <= size:
            raise ValueError("a range lies outside of the file, or before the one before it")
        ranges.append((start, stop))
        least = stop
    return tuple(ranges)


def read_history(paths: RunPaths) -> MetricColumns:
    """Read the metrics of a run without the rows that it went back behind; what readers use.

    Args:
        paths: The run's files.

    Returns:
        The rows, as if the run had never stopped.

    Raises:
        OSError: A file is there but cannot be read, or is a link out of the run's folder.
        RecordError: The metrics are larger than 1 GiB.
    """
    check_inside(paths.metrics, paths.folder)
    history = history_of(paths.journal)
    if history == History():
        return read_metrics(paths.metrics)
    return read_ranges(paths.metrics, [*history.kept, (history.since, None)])


def ranges_before(path: Path, ranges: Iterable[Range], step: int) -> tuple[Range, ...]:
    """Cut ranges of a metrics file before the first row of a step.

    Args:
        path: The file.
        ranges: The ranges, of whole lines.
        step: The step; rows without one belong to what they stand behind.

    Returns:
        The ranges up to there; all of them where there is no file.

    Raises:
        OSError: The file cannot be read.
    """
    data = path.read_bytes() if path.exists() else b""
    kept: list[Range] = []
    for start, stop in ranges:
        at = start
        for line in data[start:stop].splitlines(keepends=True):
            head = line.split(b",", 1)[0]
            if head.isdigit() and int(head[:20]) >= step:
                return (*kept, (start, at)) if at > start else tuple(kept)
            at += len(line)
        kept.append((start, stop))
    return tuple(kept)
