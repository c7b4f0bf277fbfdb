"""Metrics of many runs as one figure: a panel for each metric, a curve for each run or group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from thexp_pl.compare.values import as_names
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.report.extras import needs
from thexp_pl.report.figures.grouping import each_alone, grouped_by
from thexp_pl.runs.row import RunRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thexp_pl.report.figures.bands import Band
    from thexp_pl.report.figures.curves import Axis

__all__ = ["BANDS", "X_AXES", "metric_figure"]

X_AXES = ("step", "epoch", "time")
BANDS = ("std", "ci", "minmax", "none")


def metric_figure(
    runs: Iterable[RunRow],
    tags: str | Sequence[str] = (),
    *,
    by: str | Sequence[str] | None = None,
    band: Band = "std",
    smooth: float = 0.0,
    x: Axis = "step",
    log_x: bool = False,
    log_y: bool = False,
    width: str | float = "single",
    height: float | None = None,
    title: str = "",
    seed: str = "",
    mix: bool = False,
    lineage: Sequence[RunRow] = (),
    remark: Callable[[str], object] | None = None,
) -> Figure:
    """Draw metrics of runs; the record is read, and nothing else.

    Args:
        runs: The runs, as the index tells of them (`thexp_pl.runs.ExperimentViewer.rows`).
        tags: Names of metrics, or patterns such as ``eval_*``: a panel for each. None means all.
        by: Names of parameters, metrics or facts: runs that have the same of these are repeats, as
            for `thexp_pl.compare.summarise`, and are drawn as their mean with a band. The mean at a
            step is that of the runs whose curves reach it. None for a curve a run.
        band: ``std``: the standard deviation (n - 1) to both sides; ``ci``: the 95 % confidence
            interval of the mean, which needs scipy; ``minmax``: from the least to the greatest;
            ``none``. There is none where fewer than two runs have a value.
        smooth: The weight of TensorBoard's smoothing, from 0 to below 1; each run is smoothed by
            itself, before any mean. Of a run that is drawn alone the recorded curve is drawn too.
        x: ``step``, ``epoch`` (several rows of one are drawn as their mean) or ``time`` since the
            run's start.
        log_x: Draw the x axis logarithmically.
        log_y: The same of the y axis.
        width: ``single`` (3.3 inches, a column of a paper), ``double`` (6.9) or inches.
        height: In inches; by default what the panels need.
        title: Above all.
        seed: As for `thexp_pl.compare.summarise`.
        mix: Leave repeats together whose code, packages or Python differ.
        lineage: As for `thexp_pl.compare.summarise`.
        remark: Takes each sentence about what the figure leaves out.

    Returns:
        The figure, which belongs to no window; `thexp_pl.report.figures.save_figure` writes it.

    Raises:
        UsageError: A name is not there, a number is out of its range, there is nothing to draw, or
            a package is not installed.
        RecordError: No run's metrics can be read.
    """
    _check("x", x, X_AXES)
    _check("band", band, BANDS)
    if isinstance(smooth, bool) or not 0 <= smooth < 1:
        raise UsageError(f"smooth is {smooth!r}: give a weight from 0 to below 1, such as 0.6")
    needs("matplotlib", "a figure")
    # numpy, which matplotlib draws with, takes a while
    from thexp_pl.report.figures import drawing
    from thexp_pl.report.figures.gathering import gather
    from thexp_pl.report.figures.layout import draw_panels

    gathered = gather(list(runs), as_names(tags), x)
    remarks = gathered.remarks
    if by is None:
        sets = each_alone(gathered.rows)
        panels = drawing.lines_of_runs(gathered, sets, smooth)
    else:
        sets, copies = grouped_by(gathered.rows, by, seed=seed, mix=mix, lineage=lineage)
        panels = drawing.lines_of_groups(gathered, sets, smooth, band)
        remarks += [*copies, *drawing.doubts_of(gathered, sets, x)]
    panels, unit = drawing.in_units(panels, x)
    figure, unseen = draw_panels(
        panels,
        [one.label for one in sets],
        x_label=unit,
        width=width,
        height=height,
        title=title,
        log_x=log_x,
        log_y=log_y,
    )
    if remark is not None:
        for text in (*remarks, *unseen):
            remark(text)
    return figure


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"{name} is {shown(str(value))}: give one of {', '.join(known)}"
            f"{near_miss(str(value), known)}"
        )
