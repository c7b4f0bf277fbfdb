"""Which checkpoints are the best, by a value that their info holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from thexp_pl.errors import UsageError, near_miss
from thexp_pl.saver.listing import Entry

__all__ = ["Best", "as_number", "recorded"]

MODES = ("min", "max")


@dataclass(frozen=True)
class Best:
    """What "best" means.

    Args:
        monitor: The key of the info that holds the value. A checkpoint without it, or with what is
            no finite number there, is never the best.
        mode: ``"min"`` where smaller is better, ``"max"`` where greater is.

    Raises:
        UsageError: `monitor` is no name, or `mode` is neither.
    """

    monitor: str
    mode: str = "min"

    def __post_init__(self) -> None:
        if not isinstance(self.monitor, str) or not self.monitor:
            raise UsageError(f"monitor={self.monitor!r}: give the name of a value in the info")
        if self.mode not in MODES:
            hint = near_miss(str(self.mode), MODES)
            raise UsageError(f"mode={self.mode!r}: give 'min' or 'max'{hint}")

    def ranked(self, entries: Iterable[Entry]) -> list[Entry]:
        """Sort those that have the value, the best first; of equals the one saved earlier."""
        sign = 1 if self.mode == "min" else -1
        valued = [(_number(entry.sidecar.info.get(self.monitor)), entry) for entry in entries]
        found = [(sign * number, entry) for number, entry in valued if number is not None]
        return [entry for _, entry in sorted(found)]

    def to_dict(self) -> dict[str, str]:
        """Spell it as a record does."""
        return asdict(self)


def recorded(entries: list[Entry]) -> Best | None:
    """Read what "best" meant at the newest save that says so.

    Args:
        entries: Of one folder, oldest first.

    Returns:
        It; None where the best were not kept.
    """
    for entry in reversed(entries):
        best = entry.sidecar.record.best if entry.sidecar.record else None
        if isinstance(best, dict):
            try:
                return Best(best.get("monitor", ""), best.get("mode", ""))
            except UsageError:  # a later version may know another mode
                continue
    return None


def as_number(value: Any) -> float | None:
    """Give the number that a value stands for.

    Args:
        value: Anything.

    Returns:
        An int or a float as it is, and what `float` makes of a value that is neither truth nor
        text, a tensor or an array of one element on any device among them; None where that is
        nothing, or not finite.

    >>> import torch
    >>> as_number(torch.tensor([[0.5]])), as_number(True), as_number("0.5"), as_number([0.5])
    (0.5, None, None, None)
    """
    try:
        # `float` alone warns of an array that has dimensions
        value = value.item() if hasattr(value, "item") else value
        if not isinstance(value, int | float | str | bytes | bytearray):
            value = float(value)
    except Exception:  # noqa: BLE001 - whatever a class of the user's raises, it is no number
        return None
    return _number(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer beyond every float still compares
        return value
