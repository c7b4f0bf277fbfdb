"""Whether two runs gave the same: their metrics step by step, and their final weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import zip_longest

from thexp_pl.errors import CheckpointError
from thexp_pl.record.metrics import read_history
from thexp_pl.record.names import escaped
from thexp_pl.rerun.weights import final_weights
from thexp_pl.runs.run import Run

__all__ = ["Verdict", "verify"]

_Value = tuple[int | None, int | None, str, float]


@dataclass(frozen=True)
class Verdict:
    """How two runs compare.

    Args:
        values: How many values of metrics are the same before the first that is not.
        tensors: How many tensors the final weights have; None where they were not compared.
        metrics: Where the metrics diverge; an empty text where they do not.
        weights: How the weights differ, or why they cannot be compared; else an empty text.
    """

    values: int
    tensors: int | None
    metrics: str = ""
    weights: str = ""

    @property
    def identical(self) -> bool:
        """Whether nothing differs, and there was something to compare."""
        is_something = self.values > 0 or self.tensors is not None
        return is_something and not self.metrics and not self.weights

    def __str__(self) -> str:
        told = [text for text in (self.metrics, self.weights) if text]
        if told:
            return "diverged: " + "; ".join(told)
        if not self.identical:
            return "nothing to compare: neither run has metrics or weights"
        weights = "no weights" if self.tensors is None else f"{self.tensors:,} tensors of weights"
        return f"identical: {self.values:,} values of metrics, {weights}"


def verify(one: Run, other: Run, *, ignore: Iterable[str] = ()) -> Verdict:
    """Compare what two runs gave, bit for bit.

    Metrics are compared in the order in which they were recorded: step, epoch, name and value, NaN
    being equal to NaN. Of the weights the newest model, else the newest checkpoint of each counts.

    Args:
        one: A run.
        other: Another, such as a reproduction of it.
        ignore: Patterns of names of metrics that are left out, such as ``time/*``.

    Returns:
        What was found.
    """
    patterns = tuple(ignore)
    values, metrics = _metrics(_values(one, patterns), _values(other, patterns))
    tensors, weights = _weights(one, other)
    return Verdict(values, tensors, metrics, weights)


def _values(run: Run, ignored: tuple[str, ...]) -> Iterator[_Value]:
    for step, epoch, _, name, value in read_history(run.paths).rows():
        if not any(fnmatchcase(name, pattern) for pattern in ignored):
            yield step, epoch, name, value


def _metrics(one: Iterator[_Value], other: Iterator[_Value]) -> tuple[int, str]:
    same = 0
    for then, now in zip_longest(one, other):
        if not _is_same(then, now):
            return same, _told(then, now)
        same += 1
    return same, ""


def _is_same(then: _Value | None, now: _Value | None) -> bool:
    if then is None or now is None or then[:3] != now[:3]:
        return False
    before, after = then[3], now[3]
    if math.isnan(before) or math.isnan(after):
        return math.isnan(before) and math.isnan(after)
    return before == after and math.copysign(1, before) == math.copysign(1, after)


def _told(then: _Value | None, now: _Value | None) -> str:
    if then is not None and now is not None and then[:3] == now[:3]:
        return f"{_place(then)} was {then[3]!r} and is {now[3]!r}"
    if then is None or now is None:
        which, ended = (now, "the first") if then is None else (then, "the second")
        return f"{_place(which)} is recorded by one run alone: {ended} ends before it"
    return f"{_place(then)} was recorded where {_place(now)} is"


def _place(value: _Value | None) -> str:
    if value is None:
        return "nothing"
    step, epoch, name, _ = value
    known = [f"{what} {number}" for what, number in (("step", step), ("epoch", epoch))]
    return f"{escaped(name)} at {', '.join(known)}"


def _weights(one: Run, other: Run) -> tuple[int | None, str]:
    paths = final_weights(one), final_weights(other)
    if paths == (None, None):
        return None, ""
    if paths[0] is None or paths[1] is None:
        run = one if paths[0] is None else other
        return None, f"the weights cannot be compared: {escaped(run.key)} has kept none"
    from thexp_pl.rerun.tensors import compared  # which imports torch

    try:
        return compared(paths[0], paths[1])
    except CheckpointError as error:
        return None, f"the weights cannot be compared: {escaped(str(error))}"
