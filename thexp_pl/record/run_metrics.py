"""The metrics of a run as the process that records it writes them, whatever was written before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thexp_pl.record.metrics import History, MetricsWriter, read_history
from thexp_pl.record.metrics.history import Range, checked_ranges, history_of
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.summary import MetricsSummary

__all__ = ["RunMetrics"]


class RunMetrics(MetricsWriter):
    """Appends to a run's metrics file, and knows which of its rows are the run's history.

    Args:
        paths: The run.
    """

    def __init__(self, paths: RunPaths) -> None:
        super().__init__(paths.metrics)
        self._paths = paths
        self._history = History()

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
            ``kept`` and ``until``, see `History`.

        Raises:
            OSError: The disk refuses what waits.
            ValueError: The ranges are not of this file.
        """
        size = self.position()
        kept = self._history.until(size) if rows is None else checked_ranges(rows, size)
        return {"kept": kept, "until": size}

    def take_up(self) -> None:
        """Go on with the history that the journal tells of.

        Raises:
            OSError: It, or the metrics, cannot be read.
        """
        self._history = history_of(self._paths.journal)
        self.count_from(self.whole_summary())

    def join(self) -> None:
        """Write on where another process does, which sums up what both have written."""
        self._history = history_of(self._paths.journal)

    def whole_summary(self) -> MetricsSummary:
        """Summarise what is in the file, whoever wrote it.

        Raises:
            OSError: It cannot be read.
        """
        return MetricsSummary.of(read_history(self._paths).rows())
