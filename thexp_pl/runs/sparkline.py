"""A curve as a small picture, without a library: lines of SVG in the colour of the text around."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from thexp_pl.record.names import cut, escaped
from thexp_pl.runs.thinning import places_kept
from thexp_pl.runs.words import short

__all__ = ["curve_svg", "described"]

_MARGIN = 2.0  # pixels, for the width of the line and the radius of a point
_MAX_NAME = 80
_DOT = 1.6
_A_COLUMN = 4  # points: the first, the last, the lowest and the highest
_Point = tuple[float, float]


def curve_svg(
    steps: Sequence[float],
    values: Sequence[float],
    width: int = 120,
    height: int = 24,
    name: str = "",
) -> str:
    """Draw a curve.

    Of very many points that share a column of pixels the first, the last, the lowest and the
    highest are drawn, so that a spike is seen. What is not finite leaves a gap; a point between two
    gaps is a dot.

    Args:
        steps: Where the values stand, from left to right; steps that go back are drawn as places.
        values: The values, as many.
        width: In pixels.
        height: In pixels.
        name: Whose values they are, any text, for those who do not see the picture.

    Returns:
        An ``<svg>`` element without ids, styles of a page or scripts. It has the colour of the text
        around it, and says in words what it shows.

    >>> curve_svg([0, 1, 2], [3.0, 1.0, 2.0], 44, 24).count("<path")
    1
    """
    places = places_kept(values, _A_COLUMN * width, steps)
    shown = [(steps[place], values[place]) for place in places]
    words = escape(described(values, name))
    path, dots = "", ""
    for piece in _pieces(_placed(shown, width, height)):
        if len(piece) == 1:
            x, y = piece[0]
            dots += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_DOT}" fill="currentColor"/>'
        else:
            path += "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in piece)
    line = (
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.3" '
        'stroke-linejoin="round"/>'
        if path
        else ""
    )
    return (
        f'<svg role="img" aria-label="{words}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{words}</title>{line}{dots}</svg>"
    )


def described(values: Sequence[float], name: str = "") -> str:
    """Say in words what a curve shows.

    Args:
        values: The values.
        name: Whose they are.

    >>> described([2.0, float("nan"), 0.5], "loss")
    'loss: from 0.5 to 2, last 0.5; some are not finite'
    """
    head = f"{cut(escaped(name), _MAX_NAME)}: " if name else ""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return f"{head}{'no value is finite' if values else 'no values'}"
    bounds = f"from {short(float(min(finite)))} to {short(float(max(finite)))}"
    odd = "; some are not finite" if len(finite) < len(values) else ""
    return f"{head}{bounds}, last {short(float(values[-1]))}{odd}"


def _placed(points: Sequence[_Point], width: int, height: int) -> list[_Point | None]:
    """Put points where they are drawn; None where there is a gap."""
    xs = [step for step, _ in points]
    if any(one > two for one, two in pairwise(xs)):
        xs = list(range(len(points)))
    finite = [value for _, value in points if math.isfinite(value)]
    if not finite:
        return []
    across, down = (min(xs), max(xs)), (min(finite), max(finite))
    return [
        (
            _MARGIN + _share(x, *across) * (width - 2 * _MARGIN),
            height - _MARGIN - _share(value, *down) * (height - 2 * _MARGIN),
        )
        if math.isfinite(value)
        else None
        for x, (_, value) in zip(xs, points, strict=True)
    ]


def _share(value: float, low: float, high: float) -> float:
    # halves: the distance of two floats may be no float
    span = high / 2 - low / 2
    return (value / 2 - low / 2) / span if span else 0.5


def _pieces(points: Sequence[_Point | None]) -> Iterator[list[_Point]]:
    """Go through the parts of a curve between its gaps."""
    piece: list[_Point] = []
    for point in (*points, None):
        if point is not None:
            piece.append(point)
        elif piece:
            yield piece
            piece = []
