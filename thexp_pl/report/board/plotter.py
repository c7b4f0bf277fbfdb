"""`Plotter`: plain data as files for a paper."""

from __future__ import annotations

import csv
import io
import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thexp_pl import atomic
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.report.board.given import Given, in_order
from thexp_pl.report.board.naming import TagNames
from thexp_pl.report.board.ridges import draw_ridges
from thexp_pl.report.board.values import Curve, Histogram, Picture, Text
from thexp_pl.report.figures.labels import shortened
from thexp_pl.report.figures.layout import draw_panels
from thexp_pl.report.figures.lines import smoothed
from thexp_pl.report.figures.panel import Line, Panel
from thexp_pl.report.figures.style import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plotter"]

_FORMATS = ("png", "svg", "pdf", "csv")
_LABEL = 48  # characters


class Plotter:
    """Writes plain data into files of a folder, each whole or not at all.

    The same data give the same bytes. Files are named after tags, made safe: of two tags that would
    have one name the later gets a number behind it. What has the name of such a file is replaced,
    everything else in the folder stays.

    Args:
        folder: Where to; made with the first file.
        formats: Of curves and histograms: ``png``, ``svg`` and ``pdf`` are figures, which need
            matplotlib (the extra ``report``), ``csv`` the numbers in them.
        width: Of figures: ``single`` (3.3 inches, a column of a paper), ``double`` (6.9 inches) or
            a number of inches.
        height: In inches; by default what suits the width.
        smooth: How much curves are smoothed, from 0 (not at all) to below 1, as TensorBoard does
            it; behind a smoothed curve its values are drawn faintly. Files of numbers hold the
            values.

    Raises:
        UsageError: A format or a number is none of these, or a figure needs matplotlib.

    >>> import tempfile
    >>> plotter = Plotter(tempfile.mkdtemp(), formats=["csv"])
    >>> [path] = plotter.curves("train/loss", {"lr 0.1": ([0, 1], [2.5, 1.5])})
    >>> path.name
    'train_loss.csv'
    >>> print(path.read_text(), end="")
    name,step,time,value
    lr 0.1,0,,2.5
    lr 0.1,1,,1.5
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        formats: str | Iterable[str] = ("png", "csv"),
        width: str | float = "single",
        height: float | None = None,
        smooth: float = 0.0,
    ) -> None:
        self._folder = Path(folder)
        self._formats = [formats] if isinstance(formats, str) else list(dict.fromkeys(formats))
        for one in self._formats:
            if one not in _FORMATS:
                raise UsageError(
                    f"no format {shown(str(one))}: there are {', '.join(_FORMATS)}"
                    f"{near_miss(str(one), _FORMATS)}"
                )
        if not self._formats:
            raise UsageError(f"no format: give some of {', '.join(_FORMATS)}")
        if not _is_number(smooth) or not 0 <= smooth < 1:
            raise UsageError(f"smooth={smooth!r} is no weight: give one from 0 to below 1")
        if {*self._formats} - {"csv"}:
            new_figure(width, height)  # what cannot be drawn is refused before a file is written
        self._size = (width, height)
        self._smooth = smooth
        self.names = TagNames()

    def curves(self, tag: str, curves: Mapping[str, Given]) -> list[Path]:
        """Write curves: one figure of all of them, and their numbers.

        Args:
            tag: What they show.
            curves: By name the steps (finite) and the values, of the same length, in lists, arrays
                or tensors of any device; or a `Curve`. They are put in the order of the steps;
                where all steps are the same, the values are drawn one after another.

        Returns:
            The files. What is not to be seen in the figure is warned of.

        Raises:
            UsageError: Steps and values do not fit together, or a package is not installed.
            OSError: A file cannot be written.
        """
        if not isinstance(curves, Mapping) or not curves:
            raise UsageError(
                f"no curve for {shown(str(tag))}: give at least one, by name, such as"
                " {'ours': (steps, values)}"
            )
        ordered = {name: in_order(name, curve) for name, curve in curves.items()}
        rows = ((name, *row) for name, own in ordered.items() for row in _rows(own))
        head = ("name", "step", "time", "value")
        return self._write("scalars", tag, lambda: self._drawn(tag, ordered), head, rows)

    def histograms(self, tag: str, histograms: Sequence[Histogram]) -> list[Path]:
        """Write histograms: a figure with a ridge for each step, and their numbers.

        Args:
            tag: What they are of.
            histograms: By step, one or more.

        Returns:
            The files.

        Raises:
            UsageError: A package is not installed.
            OSError: A file cannot be written.
        """
        rows = (
            (one.step, one.time, *row)
            for one in histograms
            for row in zip(one.limits[:-1], one.limits[1:], one.counts, strict=True)
        )
        head = ("step", "time", "left", "right", "count")
        return self._write(
            "histograms", tag, lambda: draw_ridges(tag, histograms, *self._size), head, rows
        )

    def images(self, tag: str, images: Iterable[Picture]) -> list[Path]:
        """Write images as PNG files into a folder of the tag, named by their steps.

        Args:
            tag: What they show.
            images: By step; one that is a PNG is written as it is.

        Returns:
            The files, such as ``0000100.png``, and ``0000100-2.png`` for the second of a step.

        Raises:
            OSError: An image is damaged, or a file cannot be written.
        """
        numbered = _numbered((image.step, image) for image in images)
        return [
            self._put(f"{self.names.of('images', tag)}/{name}.png", image.as_png())
            for name, image in numbered
        ]

    def texts(self, tag: str, texts: Iterable[Text]) -> list[Path]:
        """Write texts as Markdown files into a folder of the tag, named by their steps.

        Args:
            tag: What they are about.
            texts: By step.

        Returns:
            The files, such as ``0000100.md``.

        Raises:
            OSError: A file cannot be written.
        """
        numbered = _numbered((text.step, text.text) for text in texts)
        return [
            self._put(f"{self.names.of('texts', tag)}/{name}.md", _encoded(f"{text}\n"))
            for name, text in numbered
        ]

    # -- files -----------------------------------------------------------------------------------

    def _write(
        self,
        kind: str,
        tag: str,
        draw: Callable[[], Figure],
        head: Sequence[str],
        rows: Iterable[Sequence[Any]],
    ) -> list[Path]:
        name = self.names.of(kind, tag)
        figure: Figure | None = None
        written = []
        for suffix in self._formats:
            if suffix == "csv":
                written.append(self._put(f"{name}.csv", _table(head, rows)))
                continue
            figure = draw() if figure is None else figure
            path = self._place(f"{name}.{suffix}")
            save_figure(figure, path)
            written.append(path)
        return written

    def _put(self, name: str, data: bytes) -> Path:
        path = self._place(name)
        atomic.write_bytes(path, data)
        return path

    def _place(self, name: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _drawn(self, tag: str, curves: Mapping[str, Curve]) -> Figure:
        lines = []
        for place, curve in enumerate(curves.values()):
            is_flat = not len(curve.steps) or curve.steps[0] == curve.steps[-1]
            x = np.arange(len(curve.steps)) if is_flat else curve.steps
            smooth = smoothed(curve.values, self._smooth)
            faint = curve.values if self._smooth else None
            lines.append(Line(place, x.astype(np.float64), smooth, faint=faint))
        width, height = self._size
        figure, unseen = draw_panels(
            [Panel(tag, lines)],
            [shortened(name, _LABEL) for name in curves],
            x_label="step",
            width=width,
            height=height,
            title="",
            log_x=False,
            log_y=False,
        )
        for text in unseen:
            warnings.warn(text, UserWarning, stacklevel=4)
        return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _rows(curve: Curve) -> Iterator[tuple[Any, ...]]:
    for step, time, value in zip(*(column.tolist() for column in curve), strict=True):
        yield step, "" if math.isnan(time) else time, value


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return _encoded(buffer.getvalue())


def _numbered(values: Iterable[tuple[int, Any]]) -> Iterator[tuple[str, Any]]:
    counts: Counter[int] = Counter()
    for step, value in values:
        counts[step] += 1
        yield f"{step:07d}" + (f"-{counts[step]}" if counts[step] > 1 else ""), value


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
