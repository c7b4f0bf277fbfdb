"""Whether two runs gave the same: their metrics step by step, their weights and states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import zip_longest

from thexp_pl.errors import CheckpointError
from thexp_pl.record.metrics import read_history
from thexp_pl.record.names import escaped
from thexp_pl.rerun.weights import Kept, kept_files
from thexp_pl.runs.run import Run

__all__ = ["Verdict", "verify"]

_NAMED = 3

_Value = tuple[int | None, int | None, str, float]


@dataclass(frozen=True)
class Verdict:
    """How two runs compare.

    Args:
        values: How many values of metrics are the same before the first that is not.
        tensors: How many tensors and arrays the compared files hold; None where none was compared.
        metrics: Where the metrics diverge; an empty text where they do not.
        weights: How the weights and states differ, or why they cannot be compared; else an empty
            text.
        others: How many numbers and texts the compared files hold beside.
        files: The files that were compared, as seen from the first run's folder.
    """

    values: int
    tensors: int | None
    metrics: str = ""
    weights: str = ""
    others: int = 0
    files: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether nothing differs, and there was something to compare."""
        is_something = self.values > 0 or bool(self.tensors) or self.others > 0
        return is_something and not self.metrics and not self.weights

    def __str__(self) -> str:
        told = [text for text in (self.metrics, self.weights) if text]
        if told:
            return "diverged: " + "; ".join(told)
        if not self.identical:
            return "nothing to compare: neither run has metrics or weights"
        return f"identical: {self.values:,} values of metrics, {self._told_files()}"

    def _told_files(self) -> str:
        if not self.tensors and not self.others:
            return "no weights"
        names = ", ".join(self.files[:_NAMED])
        more = f" and {len(self.files) - _NAMED} more files" if len(self.files) > _NAMED else ""
        counts = f"{self.tensors:,} tensors and {self.others:,} other values"
        return escaped(f"{counts} of {names}{more}")


def verify(
    one: Run,
    other: Run,
    *,
    ignore: Iterable[str] = (),
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Verdict:
    """Compare what two runs gave, bit for bit.

    Metrics are compared in the order in which they were recorded: step, epoch, name and value, NaN
    being equal to NaN. Of weights and states, all that `kept_files` finds is compared, to the last
    number and text in it.

    Args:
        one: A run.
        other: Another, such as a reproduction of it.
        ignore: Patterns of names of metrics that are left out, such as ``time/*``, here and in the
            files.
        progress: Called with the bytes of the files that were compared and their number; before,
            while metrics are compared, with 0 and 0.

    Returns:
        What was found.
    """
    progress(0, 0)
    patterns = tuple(ignore)
    values, metrics = _metrics(_values(one, patterns), _values(other, patterns))
    found = _files(one, other, patterns, progress)
    return replace(found, values=values, metrics=metrics)


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


def _files(
    one: Run, other: Run, ignored: tuple[str, ...], progress: Callable[[int, int], object]
) -> Verdict:
    then, now = kept_files(one), kept_files(other)
    if not then and not now:
        return Verdict(0, None)
    for run, kept in ((one, then), (other, now)):
        if not kept:
            return _not_compared(f"{run.key} has kept none")
    from thexp_pl.rerun.tensors import compared  # which imports torch

    tensors, others, faults = 0, 0, []
    sizes = {name: _size(then.get(name)) + _size(now.get(name)) for name in then | now}
    done, total = 0, sum(sizes.values())
    for name in sorted(sizes):
        progress(done, total)
        done += sizes[name]
        if name not in then or name not in now:
            alone = then.get(name) or now[name]
            faults.append(f"{escaped(alone.name)} is kept by one run alone")
        elif then[name].place != now[name].place:
            faults.append(
                f"{escaped(then[name].name)} is of {then[name].place} and"
                f" {escaped(now[name].name)} of {now[name].place}"
            )
        else:
            try:
                found = compared(then[name], now[name], (one.key, other.key), ignored)
            except CheckpointError as error:
                return _not_compared(str(error))
            tensors += found.tensors
            others += found.others
            faults += [found.fault] if found.fault else []
    return Verdict(0, tensors, "", _told_fault(faults), others, tuple(_names(then)))


def _size(kept: Kept | None) -> int:
    return kept.path.stat().st_size if kept is not None and kept.path.is_file() else 0


def _names(kept: dict[str, Kept]) -> list[str]:
    return [kept[name].name for name in sorted(kept)]


def _told_fault(faults: list[str]) -> str:
    if not faults:
        return ""
    more = f"; of the files {len(faults) - 1} more differ" if len(faults) > 1 else ""
    return f"{faults[0]}{more}"


def _not_compared(why: str) -> Verdict:
    return Verdict(0, None, "", f"the weights cannot be compared: {escaped(why)}")
