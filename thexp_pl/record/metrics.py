"""metrics.csv: every metric of a run, one value a row.

The columns are ``step,epoch,time,name,value``: step and epoch are integers or empty, time is in
seconds since 1970, value as Python prints a float (``nan`` and ``inf`` included). It is plain CSV
with each row on one line: a name with a comma, a quote or a space at an end is quoted, and a
backslash, a line feed or a carriage return in a name is written as ``\\\\``, ``\\n`` or ``\\r``.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thexp_pl.record.append import AppendFile, whole_lines
from thexp_pl.record.numbers import as_count, as_number
from thexp_pl.record.summary import MetricsSummary

__all__ = ["MetricColumns", "MetricsWriter", "read_metrics"]

_HEADER = "step,epoch,time,name,value"
_FLUSH_ROWS = 1_000
_MAX_PENDING = 100_000  # calls kept in memory while the disk refuses them
_Call = tuple[int | None, int | None, float, dict[str, float]]


class MetricsWriter:
    """Appends metrics to a file, at most `flush_seconds` or 1,000 rows after they were given.

    It may be used from several threads; rows that the disk refuses are kept and tried again.

    Args:
        path: The file; made at the first flush, continued where it is there.
        flush_seconds: How long a row may wait in memory.
    """

    def __init__(self, path: Path, flush_seconds: float = 5.0) -> None:
        self.summary = MetricsSummary()
        self._path = path
        self._flush_seconds = flush_seconds
        self._pending: list[_Call] = []
        self._rows = 0
        self._file: AppendFile | None = None
        self._names: dict[str, str] = {}
        self._timer: threading.Timer | None = None
        self._fault: OSError | None = None
        self._lock = threading.RLock()  # a signal handler may come in the midst

    def write(self, step: int | None, epoch: int | None, values: Mapping[str, float]) -> None:
        """Add one row for each value.

        Args:
            step: The step, counted from 0, or None.
            epoch: The epoch, counted from 0, or None.
            values: The metrics by name.

        Raises:
            UsageError: A value, the step or the epoch is no number; nothing of it is kept.
            OSError: An earlier flush failed; these rows are kept all the same.
        """
        # All of it here: a row that cannot be written would take those that wait with it.
        numbers = {str(name): as_number(name, value) for name, value in values.items()}
        call = (as_count("step", step), as_count("epoch", epoch), time.time(), numbers)
        with self._lock:
            self._pending.append(call)
            self._rows += len(numbers)
            self.summary.add(numbers)
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
        """
        with self._lock:
            calls, self._pending, self._rows = self._pending, [], 0
            if not calls:
                return
            try:
                self._append(calls)
            except OSError:
                self._pending = [*calls, *self._pending][-_MAX_PENDING:]
                raise

    def close(self) -> None:
        """Flush and close.

        Raises:
            OSError: The disk refused the last rows.
        """
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            try:
                self.flush()
            finally:
                if self._file is not None:
                    self._file.close()
                    self._file = None

    def _append(self, calls: Iterable[_Call]) -> None:
        if self._file is None:
            self._file = AppendFile(self._path)
        lines = [] if self._file.size else [_HEADER]
        for step, epoch, when, values in calls:
            head = f"{'' if step is None else step},{'' if epoch is None else epoch},{when:.3f}"
            lines += [f"{head},{self._spelt(name)},{value!r}" for name, value in values.items()]
        self._file.append("\n".join([*lines, ""]).encode("utf-8", "backslashreplace"))

    def _spelt(self, name: str) -> str:
        spelt = self._names.get(name)
        if spelt is None:
            spelt = self._names[name] = _spell(name)
        return spelt

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
            except OSError as error:
                self._fault = error  # told to the next caller of `write`
                self._start_timer()


@dataclass
class MetricColumns:
    """The rows of a metrics file, column by column.

    Args:
        step: Steps, None where there was none.
        epoch: Epochs, None where there was none.
        time: Seconds since 1970.
        name: Names.
        value: Values.
    """

    step: list[int | None] = field(default_factory=list)
    epoch: list[int | None] = field(default_factory=list)
    time: list[float] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.value)

    def rows(self) -> Iterator[tuple[int | None, int | None, float, str, float]]:
        """Go through the rows in the order in which they were written.

        Yields:
            step, epoch, time, name, value.
        """
        return zip(self.step, self.epoch, self.time, self.name, self.value, strict=True)


def read_metrics(path: Path) -> MetricColumns:
    """Read a metrics file, also one that is being written or whose writer was killed.

    Args:
        path: The file.

    Returns:
        Its rows; none where there is no file. A torn last line and lines that are no rows are
        passed over.

    Raises:
        OSError: It is there but cannot be read.
    """
    columns = MetricColumns()
    names: dict[str, str] = {}
    for line in whole_lines(path):
        try:
            step, epoch, when, rest = line.split(",", 3)
            spelt, value = rest.rsplit(",", 1)
            row = (int(step) if step else None, int(epoch) if epoch else None, float(when))
            number = float(value)
        except ValueError:  # the header, or a line that something else left
            continue
        if spelt not in names:
            names[spelt] = _unspell(spelt)
        columns.step.append(row[0])
        columns.epoch.append(row[1])
        columns.time.append(row[2])
        columns.name.append(names[spelt])
        columns.value.append(number)
    return columns


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_LETTERS = {"\\": "\\", "n": "\n", "r": "\r"}


def _spell(name: str) -> str:
    text = re.sub(r"[\\\n\r]", lambda found: _ESCAPES[found[0]], name)
    if re.search(r'[",]|^\s|\s$|^$', text):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text


def _unspell(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    return re.sub(r"\\([\\nr])", lambda found: _LETTERS[found[1]], text)
