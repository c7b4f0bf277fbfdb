"""The curves of a run as a figure of matplotlib, in the cell of a notebook."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.names import escaped
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs import ExperimentViewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["picture"]

_MOST = 12


def picture(paths: RunPaths, metrics: Sequence[str]) -> str | None:
    """Draw metrics of a run.

    Args:
        paths: The run.
        metrics: Their names; the first twelve are drawn.

    Returns:
        An ``<img>`` that holds the picture; None where matplotlib is not installed, or the index
        knows nothing of the run.
    """
    if find_spec("matplotlib") is None:
        return None
    from thexp_pl.report.figures.metrics import metric_figure

    with contextlib.suppress(RecordError, UsageError):  # it has just gone
        row = ExperimentViewer([paths.root]).row(paths.key)
        if row.paths.folder == paths.folder:  # not another of the same key
            return _image(metric_figure([row], metrics[:_MOST], width="double"), metrics[:_MOST])
    return None


def _image(figure: Figure, metrics: Sequence[str]) -> str:
    from thexp_pl.report.figures.style import figure_bytes

    data = base64.b64encode(figure_bytes(figure, ".svg")).decode()
    words = escape(escaped(f"curves of {', '.join(metrics)}"))
    # an image of its own: neither its ids nor its styles are those of the notebook's page
    return f'<img alt="{words}" style="max-width:100%" src="data:image/svg+xml;base64,{data}">'
