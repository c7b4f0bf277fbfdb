"""The metrics of a run as the process that records it writes them, whatever was written before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.append import whole_blocks
from thexp_pl.record.metrics import History, MetricsWriter, read_history
from thexp_pl.record.metrics.history import Range, checked_ranges, history_of, ranges_there
from thexp_pl.record.metrics.reading import read_ranges
from thexp_pl.record.metrics.spelling import HEADER
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.summary import MetricsSummary

__all__ = ["RunMetrics"]

_MAX_SIZE = (1 << 63) - 1  # of a file
_HEADER = f"{HEADER}\n".encode()


class RunMetrics(MetricsWriter):
    """Appends to a run's metrics file, and knows which of its rows are the run's history.

    Args:
        paths: The run.
    """

    def __init__(self, paths: RunPaths) -> None:
        super().__init__(paths.metrics)
        self._paths = paths
        self._history = History()
        self.has_gone_back = False  # whether another writer of it has

    def rows(self) -> tuple[Range, ...]:
        """Bring all metrics to the disk, and tell where the run's history is in their file.

        Returns:
            Ranges of bytes.

        Raises:
            OSError: The disk refuses them.
        """
        return self._history.until(self.position())

    def passed_over(self, rows: Sequence[Range] | None) -> dict[str, Any]:
        """Say what a ``resume`` event says of the metrics.

        Args:
            rows: What `rows` gave at the moment that is gone on from; None where that is not known:
                nothing is passed over then.

        Returns:
            ``kept`` and ``until``, see `History`; where the file is shorter than it was at that
            moment ``lost``, how many bytes are not there.

        Raises:
            OSError: The disk refuses what waits.
            ValueError: The ranges are none.
        """
        size = self.position()
        wanted = self._history.until(size) if rows is None else checked_ranges(rows, _MAX_SIZE)
        kept = ranges_there(wanted, size)
        lost = _length(wanted) - _length(kept)
        return {"kept": kept, "until": size, **({"lost": lost} if lost else {})}

    def take_up(self, told: Mapping[str, Any] | None = None) -> None:
        """Go on with the history that the journal tells of.

        Args:
            told: What `passed_over` gave, where the journal has just been told.

        Raises:
            OSError: It, or the metrics, cannot be read.
            RecordError: Some of the history that was told of is gone; it is gone on all the same.
        """
        self.join()
        self.count_from(self.whole_summary())
        if told is not None:
            self._check_whole(told)

    def join(self) -> None:
        """Write on where another process does, which sums up what both have written."""
        self._history = history_of(self._paths.journal)
        self.has_gone_back = self._history != History()

    def whole_summary(self) -> MetricsSummary:
        """Summarise what is in the file, whoever wrote it.

        Raises:
            OSError: It cannot be read.
        """
        return MetricsSummary.of(read_history(self._paths).rows())

    def _check_whole(self, told: Mapping[str, Any]) -> None:
        kept, lost = told["kept"], told.get("lost", 0)
        rows = len(read_ranges(self._paths.metrics, kept))
        damaged = max(_lines(self._paths.metrics, kept) - rows, 0)
        faults = [f"{lost:,} bytes of them are gone"] if lost else []
        faults += [f"{damaged:,} damaged lines are passed over"] if damaged else []
        if faults:
            raise RecordError(
                f"{str(self._paths.metrics)!r} does not hold all metrics that came before the"
                f" checkpoint: {' and '.join(faults)}, {rows:,} rows are kept; to record them anew,"
                f" go on from an older checkpoint, with `thexp-pl rollback {self._paths.key}@EPOCH`"
            )


def _length(ranges: Iterable[Range]) -> int:
    return sum(stop - start for start, stop in ranges)


def _lines(path: Path, ranges: Iterable[Range]) -> int:
    """Count the lines of ranges, the header aside."""
    count = 0
    for start, stop in ranges:
        for block in whole_blocks(path, start, stop):
            data = block.data()
            count += data.count(b"\n") - data.startswith(_HEADER)
    return count
