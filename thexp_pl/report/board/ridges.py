"""Histograms over the steps as one figure: a ridge each, one behind the other."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thexp_pl.report.figures.labels import shortened
from thexp_pl.report.figures.letters import said_of_letters
from thexp_pl.report.figures.settings import own_settings
from thexp_pl.report.figures.style import PALETTE, dress, dress_text, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy import float64
    from numpy.typing import NDArray

    from thexp_pl.report.board.values import Histogram

__all__ = ["draw_ridges", "rebinned"]

_MOST_RIDGES = 24
_MOST_LABELS = 8
_BINS = 90
_OVERLAP = 2.5  # the highest ridge, in distances between two of them
_LARGEST = 1e150  # what is larger has no place: matplotlib multiplies limits
_TAG = 60  # characters


@own_settings()
def draw_ridges(
    tag: str, histograms: Sequence[Histogram], width: str | float, height: float | None
) -> Figure:
    """Draw how a distribution changes, from the first step at the top to the last.

    Args:
        tag: What it is a distribution of.
        histograms: By step; of more than 24 some are left out, never the first and the last.
        width: As for `thexp_pl.report.figures.style.new_figure`.
        height: In inches, or None.

    Returns:
        The figure. A ridge's height is the share of all values that lie there.
    """
    figure = new_figure(width, height)
    axes = dress(figure.add_subplot())
    axes.set(xlabel=shortened(tag, _TAG), ylabel="step")
    for text in said_of_letters([tag]):
        warnings.warn(text, UserWarning, stacklevel=4)
    drawable = [
        one for one in histograms if len(one.counts) and np.abs(one.limits).max() < _LARGEST
    ]
    if not drawable:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", va="center")
        dress_text(axes.texts[0])
        return figure
    chosen = [drawable[place] for place in _evenly(len(drawable), _MOST_RIDGES)]
    low, high = (float(edge([edge(one.limits) for one in chosen])) for edge in (np.min, np.max))
    margin = (high - low) * 0.02 or abs(low) * 0.02 or 1.0
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    shares = np.stack([rebinned(one.limits, one.counts, edges) for one in chosen])
    heights = shares * (_OVERLAP / (shares.max() or 1.0))
    centres = (edges[1:] + edges[:-1]) / 2
    for place, ridge in enumerate(heights):
        top = place - np.where(ridge > 0, ridge, np.nan)
        axes.fill_between(centres, top, place, color=PALETTE[0], linewidth=0, zorder=2 + place)
        axes.plot(centres, top, color="white", linewidth=0.6, zorder=2 + place)
    labelled = _evenly(len(chosen), _MOST_LABELS)
    axes.set_yticks(labelled, [f"{chosen[place].step:,}" for place in labelled])
    axes.set_ylim(len(chosen) - 0.7, np.min(np.arange(len(chosen)) - heights.max(axis=1)) - 0.3)
    axes.grid(visible=False)
    axes.set_xlim(edges[0], edges[-1])
    return figure


def rebinned(
    limits: NDArray[float64], counts: NDArray[float64], edges: NDArray[float64]
) -> NDArray[float64]:
    """Bring a histogram into other bins; within a bin its values are taken as spread evenly.

    Args:
        limits: float64 (bins + 1,), not falling.
        counts: float64 (bins,).
        edges: float64 (others + 1,), rising, around all of `limits`.

    Returns:
        float64 (others,): the share of the values in each; they add up to 1, or to 0 where there
        are no values.

    >>> import numpy as np
    >>> edges = np.array([0.0, 1.0, 2.0, 4.0])
    >>> rebinned(np.array([0.0, 2.0, 2.0]), np.array([2.0, 6.0]), edges).tolist()
    [0.125, 0.875, 0.0]
    """
    below = np.append(0.0, np.cumsum(counts))
    shares: NDArray[float64] = np.diff(np.interp(edges, limits, below)) / (below[-1] or 1.0)
    return shares


def _evenly(count: int, most: int) -> list[int]:
    """Choose places evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]
