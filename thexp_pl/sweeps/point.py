"""`Point`: one run of a sweep, before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Point"]


@dataclass(frozen=True)
class Point:
    """One run of a sweep, before it runs.

    Args:
        number: Its place in the sweep, from 0.
        values: The options that vary, as they are typed: by dotted name a text, such as
            ``{"optim.lr": "0.1", "seed": "3"}``.
        digest: The hash of what its run is trained with: the same for the same values, however
            they are spelt, and the same rest of the command.
        trial: The number of the study's trial that it is; None in a sweep that is no search.
    """

    number: int
    values: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    trial: int | None = None

    def words(self) -> list[str]:
        """Give the flags that make the fixed part of the command this point's.

        Returns:
            Words such as ``--optim.lr=0.1``.
        """
        return [f"--{name}={value}" for name, value in self.values.items()]
