"""What the curves of a figure are called: by what tells the runs, or groups of them, apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thexp_pl.compare.columns import Column, Table
from thexp_pl.compare.values import MISSING, differ
from thexp_pl.record.names import escaped
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.words import short

__all__ = ["group_labels", "run_labels", "shortened"]

_MOST = 48  # characters of a label
_HASH = 8  # of these, so many
_HASHES = ("code", "packages", "commit")


def run_labels(rows: Sequence[RunRow]) -> list[str]:
    """Name runs by the parameters that differ between them, and by their keys where none tell.

    Where these are too long, by the fewest that tell the runs apart, and in short.

    Args:
        rows: The runs.

    Returns:
        A name each, no two the same.
    """
    table = Table(rows)
    columns = [Column("param", name) for name in table.param_names]
    cells = {column.name: table.values(column) for column in columns}
    told = {name: values for name, values in cells.items() if differ(values)}
    for names in (list(told), _fewest(told, len(rows))):
        labels = _written([{name: told[name][i] for name in names} for i in range(len(rows))])
        if len(set(labels)) == len(rows) and all(len(label) <= _MOST for label in labels):
            return labels
    labels = [shortened(label, _MOST) for label in labels]
    if len(set(labels)) == len(rows):
        return labels
    if len({row.key for row in rows}) == len(rows):
        return [escaped(row.key) for row in rows]
    return [escaped(f"{row.root}/{row.experiment}/{row.key}") for row in rows]


def group_labels(groups: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> list[str]:
    """Name groups of runs by their values, and say how many runs each has.

    Args:
        groups: Of each what tells it apart, by name; `MISSING` where its runs have none.
        sizes: How many runs each has.

    Returns:
        A name each, no two the same.
    """
    bare = [{name: own[name] for name in own if name != "experiment"} for own in groups]
    labels = _written(bare)  # an experiment is often named after the parameters
    if len(set(labels)) < len(labels):
        labels = _written(groups)
    labels = [shortened(label, _MOST) for label in labels]
    ends = [f"n={size}" for size in sizes]
    if len(set(labels)) < len(labels):
        ends = [f"{number}, {end}" for number, end in enumerate(ends, 1)]
    return [f"{one} ({end})" if one else end for one, end in zip(labels, ends, strict=True)]


def shortened(text: str, limit: int) -> str:
    """Leave out the middle of a text that is too long for a figure.

    >>> shortened("abcdefgh", 5)
    'abc…h'
    """
    text = escaped(text)
    return text if len(text) <= limit else f"{text[: limit // 2 + 1]}…{text[-(limit - 1) // 4 :]}"


def _fewest(told: Mapping[str, Sequence[Any]], count: int) -> list[str]:
    """Choose few parameters that tell all runs apart: each time the one that tells the most."""
    marks = [""] * count
    chosen: list[str] = []
    while len(set(marks)) < count:
        longer = {
            name: [f"{mark}{value!r}," for mark, value in zip(marks, values, strict=True)]
            for name, values in told.items()
        }
        best = max(longer, key=lambda name: (len(set(longer[name])), -len(name)), default="")
        if not best or len(set(longer[best])) == len(set(marks)):
            return list(told)  # there are runs that no parameter tells apart
        marks = longer[best]
        chosen.append(best)
    return chosen


def _written(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write values by name, in few letters where these tell them apart."""
    names = list(dict.fromkeys(name for own in groups for name in own))
    lasts = [name.rpartition(".")[2] for name in names]
    called = {
        name: last if lasts.count(last) == 1 else name
        for name, last in zip(names, lasts, strict=True)
    }
    told = len({repr(own) for own in groups})
    write: Callable[[Any], str]
    for write in (short, str):
        labels = [_label(own, called, write) for own in groups]
        if len(set(labels)) == told:
            break
    return labels


def _label(own: Mapping[str, Any], called: Mapping[str, str], write: Callable[[Any], str]) -> str:
    parts = []
    for name, value in own.items():
        text = "none" if value is MISSING else write(value)
        text = text[:_HASH] if name in _HASHES and value is not MISSING else text
        parts.append(text if name == "experiment" else f"{called[name]}={text}")
    return escaped(", ".join(parts))
