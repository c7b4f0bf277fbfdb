"""From what varies to the points of a sweep: their digests, and how messages call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from thexp_pl.cli.sweep_configuration import Contents
from thexp_pl.errors import ParamsError, ThexpError, UsageError
from thexp_pl.params.plain import stable_hash, to_plain
from thexp_pl.params.typed import literal
from thexp_pl.record.names import escaped
from thexp_pl.sweeps.point import Point

__all__ = ["named", "plain_literal", "points_of", "script_digest", "values_text"]

_MOST_SHOWN = 120  # letters


def points_of(
    grid: Iterable[Mapping[str, str]], digest: Callable[[Mapping[str, str]], str]
) -> list[Point]:
    """Make points, each once.

    Args:
        grid: The values of the points, as they are typed.
        digest: Gives the digest of a point, and refuses one that cannot be meant.

    Returns:
        The points; of those with one digest the first.

    Raises:
        UsageError: A point is refused; it says which.
    """
    points: dict[str, Point] = {}
    for number, values in enumerate(grid):
        try:
            own = digest(values)
        except ThexpError as error:
            raise UsageError(named(Point(number, values), error)) from None
        points.setdefault(own, Point(len(points), values, own))
    return list(points.values())


def named(point: Point, error: object) -> str:
    """Put the name of a point before what is wrong with it.

    Args:
        point: The point.
        error: What is said of it.

    Returns:
        One line, such as ``point 3 (optim.lr=5): ...``.
    """
    return f"point {point.number} ({values_text(point.values)}): {error}"


def values_text(values: Mapping[str, str]) -> str:
    """Write the values of a point in one line, cut where it is long.

    Args:
        values: As they are typed.

    >>> values_text({"optim.lr": "0.1", "seed": "3"})
    'optim.lr=0.1, seed=3'
    """
    text = ", ".join(f"{name}={value}" for name, value in values.items())
    return escaped(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…")


def script_digest(script: str, fixed: Mapping[str, str], words: Iterable[str]) -> Any:
    """Make what gives the digests of the points of a script, whose flags it alone can read.

    Args:
        script: Its file.
        fixed: The options of one value.
        words: The other words that all points share.

    Returns:
        A function that takes the values of a point.
    """
    shared = {"script": script, "words": list(words)}
    contents = Contents()

    def digest(values: Mapping[str, str]) -> str:
        typed = {**fixed, **values}
        options = {name: contents.of(text, plain_literal(text)) for name, text in typed.items()}
        return stable_hash({**shared, "options": options})

    return digest


def plain_literal(value: Any) -> Any:
    """Read a text as a flag is read, so that its spellings are one.

    Args:
        value: A text; anything else, such as what YAML made of it, stays.

    Returns:
        A plain value; the text itself where it is none.

    >>> plain_literal("1e-1"), plain_literal("true"), plain_literal("adam"), plain_literal("...")
    (0.1, True, 'adam', '...')
    """
    if not isinstance(value, str):
        return value
    words = {"true": True, "false": False, "null": None}
    read = words[value] if value in words else literal(value)
    try:
        return to_plain(read)
    except ParamsError:
        return value
