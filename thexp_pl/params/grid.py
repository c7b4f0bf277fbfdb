"""The points of a grid search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from thexp_pl.params.base import BaseParams

__all__ = ["ParamsGrid"]

ParamsT = TypeVar("ParamsT", bound="BaseParams")


class ParamsGrid(Generic[ParamsT]):
    """The points of a grid: copies of one Params, each with other values.

    Made by `BaseParams.grid_search`; grids nest by calling `grid_search` again.

    Args:
        points: The Params of each point, in order.

    >>> from thexp_pl import Params
    >>> params = Params()
    >>> params.lr = 0.1
    >>> grid = params.grid_search("lr", [0.1, 0.01]).grid_search("epoch", [1, 2])
    >>> [(point.lr, point.epoch) for point in grid]
    [(0.1, 1), (0.1, 2), (0.01, 1), (0.01, 2)]
    >>> len(grid), params.epoch
    (4, 10)
    """

    def __init__(self, points: Iterable[ParamsT]) -> None:
        self._points = list(points)

    def grid_search(self, name: str, values: Iterable[Any]) -> ParamsGrid[ParamsT]:
        """Cross every point with the values of one more parameter, which vary fastest."""
        values = list(values)
        return ParamsGrid(
            point for outer in self._points for point in outer.grid_search(name, values)
        )

    def __iter__(self) -> Iterator[ParamsT]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: int) -> ParamsT:
        return self._points[index]
