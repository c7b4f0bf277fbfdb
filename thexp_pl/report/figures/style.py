"""How figures look: sizes and fonts for a paper, colours that can be told apart; and their files.

matplotlib's settings (``rcParams``) are global and belong to the user's own figures: what a figure
needs is set on the figure itself, as far as a figure can hold it; see `settings` for the rest.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl import atomic
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.report.extras import needed
from thexp_pl.report.figures.letters import families
from thexp_pl.report.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DASHES",
    "FONT_SIZE",
    "PALETTE",
    "SUFFIXES",
    "WIDTHS",
    "checked_suffix",
    "dress",
    "dress_text",
    "figure_bytes",
    "line_look",
    "new_figure",
    "save_figure",
    "width_of",
]

WIDTHS = {"single": 3.3, "double": 6.9}  # inches: one column of a paper, both of them
FONT_SIZE = 8.0  # points
LINE = 1.0  # points
SUFFIXES = (".png", ".svg", ".pdf")
_DPI = 300
_ASPECT = 0.68  # height by width
_LEAST, _MOST = 1.0, 40.0  # inches; at 300 dpi the largest takes 0.6 GB to draw
_THIN = 0.6  # points: axes and ticks

# Okabe and Ito 2008, whose colours the colour-blind can tell apart, with indigo in the place of
# yellow, which hardly shows on paper.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#332288",
    "#000000",
)
# for more lines than colours: lengths of dash and gap in widths of the line
DASHES: tuple[Any, ...] = (
    "solid",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (8, 1.2, 1, 1.2, 1, 1.2)),
)
_METADATA = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@own_settings()
def new_figure(width: str | float = "single", height: float | None = None) -> Figure:
    """Make an empty figure of a size that fits a paper; it belongs to no window.

    Args:
        width: ``single`` (3.3 inches), ``double`` (6.9 inches) or a number of inches.
        height: In inches; by default 0.68 of the width.

    Returns:
        The figure. Axes that are added to it get its look by `dress`.

    Raises:
        UsageError: A size is none, or matplotlib is not installed.

    >>> figure = new_figure("double")
    >>> axes = dress(figure.add_subplot())
    >>> [round(float(inches), 2) for inches in figure.get_size_inches()]
    [6.9, 4.69]
    """
    wide = width_of(width)
    high = wide * _ASPECT if height is None else _inches(height, "height")
    figure: Figure = needed("matplotlib.figure", "a figure").Figure(
        figsize=(wide, high), dpi=100, facecolor="white", edgecolor="white", layout="constrained"
    )
    return figure


def width_of(width: str | float) -> float:
    """Read the width of a figure.

    Args:
        width: As for `new_figure`; a number may be a text.

    Returns:
        Inches.

    Raises:
        UsageError: It is no width.

    >>> width_of("single"), width_of("4.5")
    (3.3, 4.5)
    """
    return WIDTHS[width] if isinstance(width, str) and width in WIDTHS else _inches(width, "width")


def dress(axes: Axes) -> Axes:
    """Give axes the look of a figure for a paper.

    Args:
        axes: The axes, of whatever is drawn there; texts set later keep the look.

    Returns:
        The same axes.
    """
    axes.set_prop_cycle(color=list(PALETTE))
    axes.set_facecolor("white")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_linewidth(_THIN)
        spine.set_edgecolor("black")
    labels: dict[str, Any] = {"labelfontfamily": families(), "labelsize": FONT_SIZE - 1}
    axes.tick_params(
        which="both", width=_THIN, direction="out", color="black", labelcolor="black", **labels
    )
    axes.tick_params(which="major", length=2.5)
    axes.tick_params(which="minor", length=1.5)
    axes.grid(visible=True, which="major", color="#E0E0E0", linewidth=_THIN, linestyle="solid")
    axes.set_axisbelow(True)
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        dress_text(text)
    for axis in (axes.xaxis, axes.yaxis):  # the factor of all ticks
        axis.get_offset_text().set(fontfamily=families(), fontsize=FONT_SIZE - 1, color="black")
    return axes


def dress_text(text: Any, size: float = FONT_SIZE) -> None:
    """Give a text the figure's font, and take it for what it is, ``$`` and ``\\`` included.

    Args:
        text: A ``matplotlib.text.Text``.
        size: In points.
    """
    text.set(fontfamily=families(), fontsize=size, color="black", parse_math=False, usetex=False)


def line_look(place: int) -> dict[str, Any]:
    """Give what one line is told apart by: eight colours, then the same colours dashed.

    There are 40 looks; then they begin again.

    Args:
        place: Its place among the lines of the axes, from 0.

    Returns:
        Keywords for ``Axes.plot``.

    >>> line_look(0)["color"], line_look(8)["color"], line_look(8)["linestyle"]
    ('#0072B2', '#0072B2', (0, (4, 1.5)))
    """
    turn = place // len(PALETTE)
    return {
        "color": PALETTE[place % len(PALETTE)],
        "linestyle": DASHES[turn % len(DASHES)],
        "linewidth": LINE,
    }


# -- files ---------------------------------------------------------------------------------------


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, whole or not at all; the same figure gives the same bytes.

    Args:
        figure: Any figure of matplotlib's.
        path: The file; ``.png`` has 300 dots an inch, ``.svg`` keeps its text as text, ``.pdf``
            holds its fonts.

    Raises:
        UsageError: Its suffix is another one.
        OSError: It cannot be written; what stood there stays.
    """
    atomic.write_bytes(path, figure_bytes(figure, checked_suffix(path)))


@own_settings()
def figure_bytes(figure: Figure, suffix: str) -> bytes:
    """Give what `save_figure` writes.

    Args:
        figure: Any figure of matplotlib's.
        suffix: One of `SUFFIXES`.

    Returns:
        The content of the file.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=_DPI, metadata=_METADATA[suffix])
    return buffer.getvalue()


def checked_suffix(path: str | os.PathLike[str]) -> str:
    """Say in which form a figure's file is to be written.

    Args:
        path: The file.

    Returns:
        One of `SUFFIXES`.

    Raises:
        UsageError: It ends otherwise.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{shown(os.fspath(path))} does not say in which form: end it in"
            f" {', '.join(SUFFIXES)}{near_miss(suffix, SUFFIXES) if suffix else ''}"
        )
    return suffix.lower()


def _inches(value: str | float, what: str) -> float:
    try:
        inches = float(value)
    except (TypeError, ValueError):
        inches = math.nan
    if isinstance(value, bool) or not _LEAST <= inches <= _MOST:
        known = f" (or {', '.join(WIDTHS)})" if what == "width" else ""
        hint = near_miss(str(value), WIDTHS) if what == "width" else ""
        raise UsageError(
            f"the {what} {shown(str(value))} is no number of inches between {_LEAST:g} and"
            f" {_MOST:g}{known}{hint}"
        )
    return inches
