"""What event files hold: which tags, and of each the values that count."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thexp_pl.record.names import cut, shown
from thexp_pl.report.board.decoding import images_of, kind_of, scalar_of
from thexp_pl.report.board.records import EventRecord, Place, Records
from thexp_pl.report.board.sources import EventFolder
from thexp_pl.report.board.values import KINDS

if TYPE_CHECKING:
    from numpy import bool_, int64
    from numpy.typing import NDArray

__all__ = ["Contents", "Item", "Series", "read_contents"]

_START = 1  # SessionLog.START
_MAX_REASON = 100  # characters


class Item(NamedTuple):
    """Where a value lies that is too large to be held.

    Args:
        place: Its event.
        value: Its place among the values of the event.
        image: Its place among the images of the value.
    """

    place: Place
    value: int
    image: int


@dataclass
class Series:
    """The values of one tag, in the order in which they were written.

    Args:
        restarts: Those of its folder.
        values: Of scalars.
        items: Of everything else.
        steps: Their steps.
        times: Seconds since 1970.
        orders: The number of their event in the folder.
        files: The number of their file.
    """

    restarts: Restarts
    values: array[float] = field(default_factory=lambda: array("d"))
    items: list[Item] = field(default_factory=list)
    steps: array[int] = field(default_factory=lambda: array("q"))
    times: array[float] = field(default_factory=lambda: array("d"))
    orders: array[int] = field(default_factory=lambda: array("q"))
    files: array[int] = field(default_factory=lambda: array("q"))

    def add(self, step: int, time: float, order: int, file: int) -> None:
        """Add what is known of a value besides the value."""
        self.steps.append(step)
        self.times.append(time)
        self.orders.append(order)
        self.files.append(file)

    def counting(self) -> NDArray[int64]:
        """Find the values that count, by step and then as they were written.

        A writer that goes on from step s says so (SessionLog.START): what stood at s and above
        before that counts no more, as in TensorBoard. Where none says so, a step that a later file
        has too is the later file's.

        Returns:
            Their places.
        """
        places, is_latest = self._placed()
        return places[is_latest]

    def replaced(self) -> int:
        """Count the values that are lost to a later file alone, which has others in their place."""
        places, is_latest = self._placed()
        kept, lost = places[is_latest], places[~is_latest]
        if not len(lost) or not self.values:
            return len(lost)
        steps, values = np.asarray(self.steps), np.asarray(self.values)
        stand_in = kept[np.searchsorted(steps[kept], steps[lost], side="right") - 1]
        same = (values[lost] == values[stand_in]) | np.isnan(values[lost] + values[stand_in])
        return int((~same).sum())

    def _placed(self) -> tuple[NDArray[int64], NDArray[bool_]]:
        """Find what no restart went back behind, and what of it is its step's latest file's."""
        steps, orders = np.asarray(self.steps), np.asarray(self.orders)
        least = self.restarts.least_after(orders)
        places = np.flatnonzero((steps < least) | (least == np.iinfo(np.int64).max))
        places = places[np.argsort(steps[places], kind="stable")]
        if not len(places):
            return places, np.zeros(0, bool)
        files, sorted_steps = np.asarray(self.files)[places], steps[places]
        begins = np.flatnonzero(np.append(True, np.diff(sorted_steps) != 0))
        latest = np.maximum.reduceat(files, begins)
        lengths = np.diff(np.append(begins, len(places)))
        is_latest: NDArray[bool_] = files == np.repeat(latest, lengths)
        return places, is_latest


@dataclass
class Restarts:
    """Where the writers of a folder went on from an earlier step.

    Args:
        orders: The numbers of the events that say so.
        steps: The first step that is written again.
    """

    orders: array[int] = field(default_factory=lambda: array("q"))
    steps: array[int] = field(default_factory=lambda: array("q"))

    def least_after(self, orders: NDArray[int64]) -> NDArray[int64]:
        """Find the lowest step that was gone back to after an event.

        Args:
            orders: The numbers of events.

        Returns:
            Of each the lowest step; the greatest there is where nobody went back.
        """
        most = np.iinfo(np.int64).max
        least = np.minimum.accumulate(np.append(np.asarray(self.steps), most)[::-1])[::-1]
        return least[np.searchsorted(np.asarray(self.orders), orders, side="right")]


@dataclass
class Contents:
    """All that some event files hold.

    Args:
        series: By kind and tag.
        damage: What is left out, a line a file.
        replaced: By tag how many values are left out because a later file of the folder has their
            step too, though no writer said that it goes on from there.
    """

    series: dict[str, dict[str, Series]]
    damage: list[str]
    replaced: dict[str, int] = field(default_factory=dict)


def read_contents(folders: list[EventFolder]) -> Contents:
    """Read event files once, from beginning to end.

    Args:
        folders: The folders that hold them.

    Returns:
        What they hold; tags of a folder below the outermost begin with its name.
    """
    contents = Contents({kind: {} for kind in KINDS}, [])
    for folder in folders:
        found = _Folder()
        for number, path in enumerate(folder.files):
            if told := found.read(number, path):
                contents.damage.append(f"{shown(path.name)}: {told}")
        for (kind, tag), series in found.series.items():
            name = f"{folder.name}/{tag}" if folder.name else tag
            while name in contents.series[kind]:  # the tag `a/b` beside the tag `b` of a folder `a`
                name += "'"
            contents.series[kind][name] = series
            if len(folder.files) > 1 and (count := series.replaced()):
                contents.replaced[name] = contents.replaced.get(name, 0) + count
    return contents


class _Folder:
    """What is read of one folder so far."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = {}
        self._restarts = Restarts()
        self._plugins: dict[str, str] = {}
        self._order = 0

    def read(self, number: int, path: Path) -> str:
        """Read one file, and say what is left out of it."""
        records = Records(path)
        unusable: Counter[str] = Counter()
        for record in records:
            self._order += 1
            event = record.event
            if event.HasField("session_log") and event.session_log.status == _START:
                self._restarts.orders.append(self._order)
                self._restarts.steps.append(event.step)
            for place, value in enumerate(event.summary.value):
                try:
                    self._add(record, place, value, number)
                except ValueError as error:
                    unusable[cut(str(error), _MAX_REASON)] += 1
        told = [records.damage] if records.damage else []
        if unusable:
            first, count = next(iter(unusable)), unusable.total()
            told.append(f"values left out: {count}, the first for it is {first}")
        return "; ".join(told)

    def _add(self, record: EventRecord, place: int, value: Any, number: int) -> None:
        event = record.event
        # some writers name the plugin with the first value of a tag alone
        plugin = value.metadata.plugin_data.plugin_name
        plugin = (
            self._plugins.setdefault(value.tag, plugin)
            if plugin
            else self._plugins.get(value.tag, "")
        )
        kind = kind_of(value, plugin)
        if kind is None:
            return
        scalar = scalar_of(value) if kind == "scalars" else 0.0
        series = self.series.get((kind, value.tag))
        if series is None:
            series = self.series[kind, value.tag] = Series(self._restarts)
        if kind == "scalars":
            series.values.append(scalar)
            series.add(event.step, event.wall_time, self._order, number)
            return
        for image in range(len(images_of(value)) if kind == "images" else 1):
            series.items.append(Item(record.place, place, image))
            series.add(event.step, event.wall_time, self._order, number)
