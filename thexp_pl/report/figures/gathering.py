"""The curves of several runs, and what is to be said of those that are not whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from thexp_pl.compare.stats.doubts import named
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.names import escaped, shown
from thexp_pl.report.figures.curves import Axis, Curve, RunCurves, read_curves
from thexp_pl.report.figures.tags import choose_tags, means_tag
from thexp_pl.runs.row import BRING, RunRow, told_away

__all__ = ["Gathered", "Identity", "gather", "identity_of"]

Identity = tuple[str, str, str]  # of a run: root, experiment, key


@dataclass(frozen=True)
class Gathered:
    """What was read of several runs.

    Args:
        rows: The runs that have a curve.
        tags: The metrics that are shown.
        curves: By run the curves by metric.
        remarks: What is left out, in sentences without a full stop.
    """

    rows: list[RunRow]
    tags: list[str]
    curves: Mapping[Identity, Mapping[str, Curve]]
    remarks: list[str]


def identity_of(row: RunRow) -> Identity:
    """Tell a run from all others; a copy of a root has the same keys."""
    return str(row.root), row.experiment, row.key


def gather(rows: Sequence[RunRow], words: Sequence[str], axis: Axis) -> Gathered:
    """Read curves of runs.

    Args:
        rows: The runs.
        words: The metrics, see `thexp_pl.report.figures.tags.choose_tags`.
        axis: What they are over.

    Returns:
        The curves.

    Raises:
        UsageError: There is no run, a word means no metric, or no curve is over such an axis.
        RecordError: No run can be read.
    """

    def wanted(name: str) -> bool:
        return not words or any(means_tag(word, name) for word in words)

    if not rows:
        raise UsageError("there is no run to draw: name one; `thexp-pl list` shows the keys")
    read: list[tuple[RunRow, RunCurves]] = []
    remarks = [f"left out: {away}: bring them here, {BRING}"] if (away := told_away(rows)) else []
    for row in (row for row in rows if not row.away):
        try:
            read.append((row, read_curves(row, wanted, axis)))
        except OSError as error:
            remarks.append(f"left out: {escaped(row.key)}: {escaped(str(error))}")
    if not read:
        raise RecordError(f"the metrics of no run can be read; {remarks[0]}")
    tags = choose_tags(words, (name for _, one in read for name in one.names))
    if not tags:
        raise UsageError("these runs have recorded no metric: there is nothing to draw")
    kept = [row for row, one in read if one.curves]
    if not kept:
        raise UsageError(f"{shown(tags[0])} has no {axis} in these runs: give another --x")
    curves = {identity_of(row): one.curves for row, one in read}
    return Gathered(kept, tags, curves, [*remarks, *_remarks(read, tags)])


def _remarks(read: Sequence[tuple[RunRow, RunCurves]], tags: Sequence[str]) -> Iterator[str]:
    for row, one in read:
        if one.damaged:
            yield f"{escaped(row.key)}: damaged lines of its metrics, left out: {one.damaged:,}"
    for tag in tags:
        without = [escaped(row.key) for row, one in read if tag not in one.curves]
        if without:
            yield f"{shown(tag)}: left out, for they have none: {named(without)}"
        by_text: dict[str, list[str]] = {}
        for row, one in read:
            for name, text in one.remarks:
                if name == tag:
                    by_text.setdefault(text, []).append(escaped(row.key))
        for text, keys in by_text.items():
            yield f"{shown(tag)} {text}: {named(keys)}"
