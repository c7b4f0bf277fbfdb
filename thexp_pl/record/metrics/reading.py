"""Reading metrics back, also while they are written, and from files that something has damaged."""

from __future__ import annotations

import contextlib
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path

from thexp_pl.record.append import Block, whole_blocks
from thexp_pl.record.metrics.columns import ABSENT, Chunk, MetricColumns
from thexp_pl.record.metrics.spelling import HEADER

__all__ = ["read_metrics", "read_ranges"]

_WORTH_NUMPY = 4 << 20  # bytes that take as long line by line as numpy takes to import
_HEADER = f"{HEADER}\n".encode()


def read_metrics(path: Path) -> MetricColumns:
    """Read a metrics file, also one that is being written or whose writer was killed.

    Args:
        path: The file.

    Returns:
        Its rows; none where there is no file. A torn last line and lines that are no rows are
        passed over.

    Raises:
        OSError: It is there but cannot be read.
        RecordError: It is larger than 1 GiB.
    """
    return read_ranges(path, [(0, None)])


def read_ranges(path: Path, ranges: Iterable[tuple[int, int | None]]) -> MetricColumns:
    """Read parts of a metrics file, one after the other.

    Args:
        path: The file.
        ranges: The first byte of each part, and the byte after its last; None for the file's end.

    Returns:
        Their rows, as `read_metrics`.

    Raises:
        OSError: As `read_metrics`.
        RecordError: As `read_metrics`.
    """
    columns = MetricColumns()
    fast = None
    if "numpy" in sys.modules or _size(path) >= _WORTH_NUMPY:
        with contextlib.suppress(ImportError):
            from thexp_pl.record.metrics.blocks import BlockReader

            fast = BlockReader(columns)
    for start, stop in ranges:
        for block in whole_blocks(path, start, stop):
            if block.data(len(_HEADER)) == _HEADER:
                block = block._replace(start=block.start + len(_HEADER))
            if fast is None or not fast.read(block):
                _read_lines(block, columns)
    return columns


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read_lines(block: Block, columns: MetricColumns) -> None:
    steps, epochs, codes = array("q"), array("q"), array("i")
    times, values = array("d"), array("d")
    for line in block.lines():
        try:
            step, epoch, when, rest = line.split(",", 3)
            field, value = rest.rsplit(",", 1)
            row = (_count(step), _count(epoch), float(when), float(value))
        except ValueError:  # a line that something else left
            columns.passed_over += 1
            continue
        steps.append(row[0])
        epochs.append(row[1])
        times.append(row[2])
        codes.append(columns.code(field))
        values.append(row[3])
    columns.chunks.append(Chunk(steps, epochs, times, codes, values))


def _count(text: str) -> int:
    count = int(text) if text else ABSENT
    if text and not ABSENT < count < -ABSENT:
        raise ValueError(text)
    return count
