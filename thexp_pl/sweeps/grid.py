"""The points of a grid: counted before they are made."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.values import Values, read_values

__all__ = ["Grid", "grid_points"]

_MOST = 100_000  # points: beyond them nobody reads what came out, and the disk holds it all


class Grid:
    """The points of a grid.

    Attributes:
        count: How many they are.

    Args:
        lists: By the name of each option that varies its values; they are crossed, and the last
            ones vary fastest.
        rows: Points of their own, which are crossed with the lists.
        zipped: Whether the lists, which are of one length, go together.
    """

    def __init__(
        self,
        lists: Mapping[str, Sequence[str]],
        rows: Sequence[Mapping[str, str]] = ({},),
        *,
        zipped: bool = False,
    ) -> None:
        self._lists = lists
        self._rows = rows
        self._zipped = zipped
        lengths = [len(values) for values in lists.values()]
        self.count = len(rows) * (max(lengths, default=1) if zipped else math.prod(lengths))

    @property
    def names(self) -> tuple[str, ...]:
        """The options that vary."""
        return tuple(dict.fromkeys([*itertools.chain.from_iterable(self._rows), *self._lists]))

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Give each point: by name the value, as it is typed."""
        for row in self._rows:
            lists = self._lists.values()
            for values in zip(*lists, strict=True) if self._zipped else itertools.product(*lists):
                yield {**row, **dict(zip(self._lists, values, strict=True))}


def grid_points(
    options: Mapping[str, str],
    rows: Sequence[Mapping[str, str]] | None = None,
    *,
    zipped: bool = False,
) -> tuple[dict[str, str], Grid]:
    """Tell what varies from what is fixed, and count the points.

    Args:
        options: By dotted name what is typed for it, see `read_values`.
        rows: The points of a file, see `thexp_pl.sweeps.points_file`; None for none.
        zipped: The lists go together in place of being crossed.

    Returns:
        The options of one value, by name, and the points of the others.

    Raises:
        UsageError: A value cannot be read, the lists to be zipped differ in length, a name of the
            file is given as an option too, or there are too many points.

    >>> fixed, grid = grid_points({"lr": "0.1,0.01", "seed": "0..2", "width": "8"})
    >>> fixed, grid.count, next(iter(grid))
    ({'width': '8'}, 6, {'lr': '0.1', 'seed': '0'})
    """
    values = {name: read_values(name, text) for name, text in options.items()}
    lists = {name: own for name, own in values.items() if len(own) > 1}
    fixed = {name: own[0] for name, own in values.items() if name not in lists}
    if zipped:
        _check_lengths(lists)
    grid = Grid(lists, ({},) if rows is None else rows, zipped=zipped)
    twice = next((name for row in rows or () for name in row if name in options), None)
    if twice is not None:
        raise UsageError(f"--{twice} is given, and the file of points has it too; leave one out")
    if grid.count > _MOST:
        raise UsageError(
            f"{grid.count:,} points are more than the {_MOST:,} of a sweep; vary less, or let a"
            " search choose (--sampler tpe --trials N)"
        )
    return fixed, grid


def _check_lengths(lists: Mapping[str, Values]) -> None:
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"--{name} has {count:,}" for name, count in lengths.items())
        raise UsageError(f"--zip takes lists of one length: {told}; make them equal")
