"""The curves of a run that this process records, read on from where they were read before."""

from __future__ import annotations

from array import array

from thexp_pl.record import Experiment
from thexp_pl.record.metrics import read_history
from thexp_pl.record.metrics.columns import MetricColumns
from thexp_pl.record.metrics.reading import read_ranges
from thexp_pl.runs.curves import Curve, curves_of, without_steps
from thexp_pl.runs.thinning import places_kept

__all__ = ["GrowingCurves"]

_MOST = 4_000  # points of a curve; then every fourth stays, extremes among them
_LEFT = 2_000

_Rows = tuple[tuple[int, int], ...]


class GrowingCurves:
    """The curves of a run; of those that grow long, fewer points than there are.

    Args:
        run: The run.
    """

    def __init__(self, run: Experiment) -> None:
        self._run = run
        self._read: _Rows = ()
        self._curves: dict[str, Curve] = {}

    def read(self) -> dict[str, Curve]:
        """Bring what was recorded to the disk, and read what is new there.

        Returns:
            The curves by name.

        Raises:
            OSError: The file cannot be read.
            RecordError: It is larger than 1 GiB.
        """
        rows = self._run.kept_rows()
        if rows is None:  # it has ended
            self._curves = curves_of(read_history(self._run.paths))
        else:
            new = _behind(self._read, rows)
            if new is None:  # it went back to an earlier moment
                self._curves, new = {}, rows
            self._read = rows
            self._add(read_ranges(self._run.paths.metrics, new))
        return {name: self._curves[name] for name in without_steps(self._curves)}

    def _add(self, columns: MetricColumns) -> None:
        for name, new in curves_of(columns).items():
            curve = self._curves.setdefault(name, Curve())
            curve.steps.extend(new.steps)
            curve.epochs.extend(new.epochs)
            curve.values.extend(new.values)
            curve.by_step &= new.by_step
            if len(curve.values) > _MOST:
                self._curves[name] = _thinned(curve)


def _thinned(curve: Curve) -> Curve:
    places = places_kept(curve.values, _LEFT, curve.xs)
    return Curve(
        array("q", [curve.steps[place] for place in places]),
        array("q", [curve.epochs[place] for place in places]),
        array("d", [curve.values[place] for place in places]),
        by_step=curve.by_step,
    )


def _behind(read: _Rows, rows: _Rows) -> _Rows | None:
    """Give the part of ranges that was not read yet; None where what was read counts no more."""
    if not read:
        return rows
    *before, (start, stop) = read
    place = len(before)
    if tuple(before) != rows[:place] or len(rows) <= place:
        return None
    if rows[place][0] != start or rows[place][1] < stop:
        return None
    return ((stop, rows[place][1]), *rows[place + 1 :])
