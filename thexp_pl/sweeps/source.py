"""Where the points of a sweep come from: a list that is known, or a search that suggests them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from thexp_pl.sweeps.point import Point

if TYPE_CHECKING:
    from thexp_pl.sweeps.standing import State

__all__ = ["ListSource", "Source"]


class Source(Protocol):
    """Gives the points of a sweep, one after the other."""

    @property
    def points(self) -> Sequence[Point]:
        """The points that are there before any is asked for: what became of them is counted."""

    @property
    def total(self) -> int:
        """How many points there are to be, those of `points` among them."""

    def next(self) -> Point | None:
        """Give the next point; None where there is none just now."""

    def told(self, point: Point, state: State) -> None:
        """Learn what has become of a point that will not be tried again.

        Args:
            point: The point.
            state: Where it stands.
        """

    def is_over(self) -> bool:
        """Say whether `next` gives no point any more, whatever becomes of those it gave."""


class ListSource:
    """The points of a grid, in their order.

    Args:
        points: The points.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = tuple(points)
        self._given = 0

    @property
    def total(self) -> int:
        """How many points there are."""
        return len(self.points)

    def next(self) -> Point | None:
        """Give the next point; None after the last."""
        if self.is_over():
            return None
        self._given += 1
        return self.points[self._given - 1]

    def told(self, point: Point, state: State) -> None:
        """Learn what has become of a point, which changes nothing here.

        Args:
            point: The point.
            state: Where it stands.
        """

    def is_over(self) -> bool:
        """Say whether all points have been given."""
        return self._given == len(self.points)
