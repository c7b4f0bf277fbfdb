"""The metrics of a run as curves: where the values of each stand, and what they are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from thexp_pl.record.metrics.columns import ABSENT, Chunk, MetricColumns

__all__ = ["Curve", "curves_of", "leading", "without_steps"]

_OF_ONE_STEP = "_step"


@dataclass
class Curve:
    """The values of one metric, or those behind some row.

    Args:
        steps: Where they stand, 64 bit integers; `ABSENT` where there was no step.
        epochs: The epochs, as the steps.
        values: The values, as many.
        before: How many values the metric has before these.
        by_step: Whether all values have a step, those before too.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    epochs: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    before: int = 0
    by_step: bool = True

    @property
    def xs(self) -> Sequence[int]:
        """Where the values stand: at which step, or without one, the how manieth they are."""
        return self.steps if self.by_step else range(self.before, self.before + len(self.values))


def curves_of(columns: MetricColumns, after: int = 0) -> dict[str, Curve]:
    """Sort the rows of a run's metrics by their names.

    Args:
        columns: The rows.
        after: Give only what stands behind so many rows: those before are counted, which takes a
            tenth of the time.

    Returns:
        The curves by name, in the order in which their first values were recorded; one that has no
        value behind `after` is empty.
    """
    found = {name: Curve() for name in columns.names}
    curves = [found[name] for name in columns.names]  # one name may be spelt in two ways
    left = after
    for chunk in columns.chunks:
        count = len(chunk.codes)
        if left > 0:
            _count(Chunk(*(column[:left] for column in chunk)), curves)
        if left < count:
            _add(Chunk(*(column[max(left, 0) :] for column in chunk)), curves)
        left -= count
    return found


def _count(chunk: Chunk, curves: Sequence[Curve]) -> None:
    for code, count in Counter(chunk.codes.tolist()).items():
        curves[code].before += count
    _note_steps(chunk, curves)


def _add(chunk: Chunk, curves: Sequence[Curve]) -> None:
    adding = [(one.steps.append, one.epochs.append, one.values.append) for one in curves]
    rows = zip(chunk.codes, chunk.steps, chunk.epochs, chunk.values, strict=True)
    for code, step, epoch, value in rows:
        add_step, add_epoch, add_value = adding[code]
        add_step(step)
        add_epoch(epoch)
        add_value(value)
    _note_steps(chunk, curves)


def _note_steps(chunk: Chunk, curves: Sequence[Curve]) -> None:
    steps = chunk.steps.tolist()
    if ABSENT in steps:
        for code in {code for code, step in zip(chunk.codes, steps, strict=True) if step == ABSENT}:
            curves[code].by_step = False


def without_steps(names: Iterable[str]) -> list[str]:
    """Leave out the values of single steps, such as ``loss_step``, where there is ``loss`` too.

    Args:
        names: The names of metrics.

    >>> without_steps(["loss_step", "loss", "lr_step"])
    ['loss', 'lr_step']
    """
    known = list(names)
    return [name for name in known if name.removesuffix(_OF_ONE_STEP) not in {*known} - {name}]


def leading(names: Iterable[str]) -> str | None:
    """Choose the one metric that is shown where there is room for one.

    Args:
        names: The names of metrics.

    Returns:
        A loss before others, and means before the values of single steps; None of none.

    >>> leading(["acc", "train_loss", "loss_step"])
    'train_loss'
    """
    told = without_steps(names)
    told.sort(key=lambda name: (name != "loss", name.endswith(_OF_ONE_STEP), "loss" not in name))
    return told[0] if told else None
