"""Writing metrics while a run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from thexp_pl.record.append import AppendFile, size_without_torn_line
from thexp_pl.record.metrics.spelling import HEADER, spelt
from thexp_pl.record.numbers import Given, as_count, as_numbers, settle
from thexp_pl.record.summary import MetricsSummary

__all__ = ["MetricsWriter"]

_FLUSH_ROWS = 1_000
_MAX_PENDING = 100_000  # calls kept in memory while the disk refuses them
_Call = tuple[int | None, int | None, float, Given]


class MetricsWriter:
    """Appends metrics to a file, at most `flush_seconds` or 1,000 rows after they were given.

    It may be used from several threads; rows that the disk refuses are kept and tried again.

    Args:
        path: The file; made at the first flush, continued where it is there.
        flush_seconds: How long a row may wait in memory.
    """

    def __init__(self, path: Path, flush_seconds: float = 5.0) -> None:
        self._path = path
        self._flush_seconds = flush_seconds
        self._summary = MetricsSummary()
        self._pending: list[_Call] = []
        self._summed = 0  # of the pending calls these are settled, and in the summary
        self._rows = 0
        self._file: AppendFile | None = None
        self._names: dict[str, str] = {}
        self._timer: threading.Timer | None = None
        self._fault: Exception | None = None
        self._lock = threading.RLock()  # a signal handler may come in the midst

    @property
    def summary(self) -> MetricsSummary:
        """The summary of all that was given; what lies on a device is read for it."""
        with self._lock:
            self._sum_up()
        return self._summary

    def write(self, step: int | None, epoch: int | None, values: Mapping[str, float]) -> None:
        """Add one row for each value.

        Args:
            step: The step, counted from 0, or None.
            epoch: The epoch, counted from 0, or None.
            values: By name numbers, or tensors of one element on any device.

        Raises:
            UsageError: A value, the step or the epoch is no number; nothing of it is kept.
            OSError: An earlier flush failed; these rows are kept all the same.
            RuntimeError: A device failed; what it held is lost, all other rows are kept.
        """
        self.add(as_count("step", step), as_count("epoch", epoch), as_numbers(values))

    def add(self, step: int | None, epoch: int | None, given: Given) -> None:
        """Add rows whose values are known to be numbers.

        Args:
            step: As in `write`.
            epoch: As in `write`.
            given: What `as_numbers` gave.

        Raises:
            OSError: As in `write`.
            RuntimeError: As in `write`.
        """
        with self._lock:
            self._pending.append((step, epoch, time.time(), given))
            self._rows += len(given.values)
            fault, self._fault = self._fault, None
            if self._timer is None:
                self._start_timer()
            if self._rows >= _FLUSH_ROWS and fault is None:
                self.flush()
        if fault is not None:
            raise fault

    def flush(self) -> None:
        """Bring all rows to the file.

        Raises:
            OSError: The disk refused them; they are kept, the newest 100,000 calls at most.
            RuntimeError: As in `write`.
        """
        with self._lock:
            self._sum_up()
            self._rows = 0
            calls = self._pending[:]
            try:
                if calls:
                    self._append(calls)
            except OSError:
                self._forget(len(calls) - _MAX_PENDING)
                raise
            self._forget(len(calls))  # only now: a signal handler may flush and end the process
            fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def position(self) -> int:
        """Bring all rows to the file, and tell how long it is then: the next row begins there.

        Returns:
            Its size in bytes.

        Raises:
            OSError: The disk refused them; they are kept.
            RuntimeError: As in `write`.
        """
        with self._lock:
            self.flush()
            if self._file is not None:
                return self._file.size
            return size_without_torn_line(self._path)

    def count_from(self, summary: MetricsSummary) -> None:
        """Have the summary go on from another one; what waits is in it, or passed over.

        Args:
            summary: What it begins with.
        """
        with self._lock:
            self._sum_up()
            self._summary = summary

    def close(self) -> None:
        """Flush and close.

        Raises:
            OSError: The disk refused the last rows.
            RuntimeError: As in `write`.
        """
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            try:
                self.flush()
            finally:
                if self._file is not None:
                    self._file.close()
                    self._file = None

    def _sum_up(self) -> None:
        calls = [call[3] for call in self._pending[self._summed :]]
        try:
            settle(calls)
        except Exception as error:  # noqa: BLE001 - a device raises what it likes
            self._fault = error  # told by `flush`, or to the next caller of `write`
        for given in calls:
            self._summary.add(given.values)
        self._summed = len(self._pending)

    def _forget(self, count: int) -> None:
        count = max(count, 0)
        del self._pending[:count]
        self._summed -= count

    def _append(self, calls: Iterable[_Call]) -> None:
        if self._file is None:
            self._file = AppendFile(self._path)
        lines = [] if self._file.size else [HEADER]
        names = self._names
        for step, epoch, when, given in calls:
            head = f"{'' if step is None else step},{'' if epoch is None else epoch},{when:.3f}"
            for name, value in given.values.items():
                field = names.get(name)
                if field is None:
                    field = names[name] = spelt(name)
                lines.append(f"{head},{field},{value!r}")
        self._file.append("\n".join([*lines, ""]).encode("utf-8", "backslashreplace"))

    def _start_timer(self) -> None:
        self._timer = threading.Timer(self._flush_seconds, self._flush_in_time)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # the interpreter is ending: no new threads
            self.flush()

    def _flush_in_time(self) -> None:
        with self._lock:
            self._timer = None
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - told to the next caller of `write`
                self._fault = error
                self._start_timer()
