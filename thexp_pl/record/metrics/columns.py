"""The rows of a metrics file, column by column."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, TypeVar

from thexp_pl.record.metrics.spelling import unspelt

__all__ = ["ABSENT", "Chunk", "MetricColumns"]

ABSENT = -(2**63)  # stands for None in a column of 64 bit integers; no step or epoch is so small
Numbers: TypeAlias = "array[Any] | memoryview[Any]"
_Value = TypeVar("_Value")


class Chunk(NamedTuple):
    """Some rows: arrays, or views of arrays, of 64 bits a number, 32 those of `codes`.

    Args:
        steps: `ABSENT` where there was none.
        epochs: `ABSENT` where there was none.
        times: Seconds since 1970.
        codes: Places in `MetricColumns.names`.
        values: The values.
    """

    steps: Numbers
    epochs: Numbers
    times: Numbers
    codes: Numbers
    values: Numbers


class MetricColumns:
    """The rows of a metrics file, column by column, 36 bytes a row.

    The columns are given as lists of plain Python values, made when they are first asked for;
    `passed_over` is how many whole lines of the file were no rows.
    """

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.passed_over = 0
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(chunk.values) for chunk in self.chunks)

    @cached_property
    def step(self) -> list[int | None]:
        """Steps, None where there was none."""
        return _joined(_counts(chunk.steps) for chunk in self.chunks)

    @cached_property
    def epoch(self) -> list[int | None]:
        """Epochs, None where there was none."""
        return _joined(_counts(chunk.epochs) for chunk in self.chunks)

    @cached_property
    def time(self) -> list[float]:
        """Seconds since 1970."""
        return _joined(chunk.times.tolist() for chunk in self.chunks)

    @cached_property
    def name(self) -> list[str]:
        """Names."""
        return _joined(self._names(chunk) for chunk in self.chunks)

    @cached_property
    def value(self) -> list[float]:
        """Values."""
        return _joined(chunk.values.tolist() for chunk in self.chunks)

    def rows(self) -> Iterator[tuple[int | None, int | None, float, str, float]]:
        """Go through the rows in the order in which they were written.

        Yields:
            step, epoch, time, name, value.
        """
        for chunk in self.chunks:
            yield from zip(
                _counts(chunk.steps),
                _counts(chunk.epochs),
                chunk.times,
                self._names(chunk),
                chunk.values,
                strict=True,
            )

    def code(self, field: str) -> int:
        """Give the place in `names` of a name as it is written in the file.

        Args:
            field: The name's field.

        Returns:
            Its place; a new one is put last.
        """
        code = self._codes.setdefault(field, len(self.names))
        if code == len(self.names):
            self.names.append(unspelt(field))
        return code

    def _names(self, chunk: Chunk) -> list[str]:
        return list(map(self.names.__getitem__, chunk.codes.tolist()))


def _counts(numbers: Numbers) -> list[int | None]:
    counts: list[Any] = numbers.tolist()
    if ABSENT in counts:
        return [None if count == ABSENT else count for count in counts]
    return counts


def _joined(parts: Iterable[list[_Value]]) -> list[_Value]:
    joined: list[_Value] = []
    for part in parts:
        joined += part
    return joined
