"""`BoardPlotter`: what TensorBoard would show, as values and as files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Container, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from thexp_pl.errors import RecordError, UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.report.board.contents import Item, Series, read_contents
from thexp_pl.report.board.decoding import histogram_of, images_of, text_of
from thexp_pl.report.board.plotter import Plotter
from thexp_pl.report.board.records import Place, read_event
from thexp_pl.report.board.sources import Source, event_folders
from thexp_pl.report.board.values import Curve, Histogram, Picture, Text

__all__ = ["BoardPlotter"]

_TOLD = 3  # of the damaged files


class BoardPlotter:
    """Takes scalars, images, histograms and texts out of TensorBoard's event files.

    The files are read once, when it is made, whoever wrote them: thexp_pl, torch's SummaryWriter,
    tensorboardX, TensorFlow. No value is left out to save room, as TensorBoard does, and steps that
    a restarted training wrote again count once, as they were written last. What is damaged or not
    yet whole is left out, with one warning; with another, steps of several files at once.

    Where event files lie in several folders, a tag begins with the folder's name, as seen from the
    one that holds all of them.

    Args:
        source: A run (as `ExperimentViewer` gives it) or a word that means one, such as its key; an
            event file; or a folder that holds event files, anywhere below it.

    Raises:
        RecordError: There is no such thing, or no event file in it.
    """

    def __init__(self, source: Source) -> None:
        folders = event_folders(source)
        self._contents = read_contents(folders)
        damage = self._contents.damage
        if damage:
            more = f"; and {len(damage) - _TOLD} files more" if len(damage) > _TOLD else ""
            told = f"not all could be read: {'; '.join(damage[:_TOLD])}{more}"
            warnings.warn(told, UserWarning, stacklevel=2)
        if replaced := self._contents.replaced:
            some = ", ".join(f"{shown(tag)} {n:,}" for tag, n in [*replaced.items()][:_TOLD])
            told = (
                f"values left out, as a file begun later has their steps too:"
                f" {sum(replaced.values()):,} ({some}{', ...' if len(replaced) > _TOLD else ''})"
            )
            warnings.warn(told, UserWarning, stacklevel=2)

    def tags(self) -> dict[str, list[str]]:
        """Name what there is.

        Returns:
            The tags of each kind: ``scalars``, ``images``, ``histograms`` and ``texts``.
        """
        return {kind: sorted(series) for kind, series in self._contents.series.items()}

    def scalars(self, tag: str) -> Curve:
        """Give a scalar over the steps.

        Args:
            tag: Its tag.

        Returns:
            Steps, times and values, rising by step.

        Raises:
            UsageError: There is no such tag.
        """
        series = self._series("scalars", tag)
        places = series.counting()
        columns = (series.steps, series.times, series.values)
        return Curve(*(np.asarray(column)[places] for column in columns))

    def images(self, tag: str) -> list[Picture]:
        """Give images; `Picture.pixels` are their pixels.

        Args:
            tag: Their tag.

        Returns:
            The images, rising by step.

        Raises:
            UsageError: There is no such tag.
        """
        return list(self._pictures(tag))

    def histograms(self, tag: str) -> list[Histogram]:
        """Give histograms.

        Args:
            tag: Their tag.

        Returns:
            The histograms, rising by step.

        Raises:
            UsageError: There is no such tag.
        """
        return list(self._histograms(tag))

    def texts(self, tag: str) -> list[Text]:
        """Give texts.

        Args:
            tag: Their tag.

        Returns:
            The texts, rising by step.

        Raises:
            UsageError: There is no such tag.
        """
        return list(self._texts(tag))

    def save(
        self,
        folder: str | os.PathLike[str],
        tags: str | Iterable[str] | None = None,
        formats: str | Iterable[str] = ("png", "csv"),
        smooth: float = 0.0,
        steps: Container[int] | None = None,
        width: str | float = "single",
        height: float | None = None,
    ) -> list[Path]:
        """Save what there is, in files named by tag and step; `Plotter` says how they are made.

        Scalars and histograms become figures and tables, one for each tag: ``loss.pdf``,
        ``loss.csv``. Images become PNG files and texts Markdown files, one for each step, in a
        folder for each tag: ``images_samples/0000100.png``.

        Args:
            folder: Where to.
            tags: Which ones: tags, or patterns with ``*``, ``?`` and ``[...]``; by default all.
            formats: Of figures and tables: ``png``, ``svg``, ``pdf``, ``csv``.
            smooth: As for `Plotter`.
            steps: Those to save, such as ``range(0, 10_000, 500)``; by default all.
            width: As for `Plotter`.
            height: As for `Plotter`.

        Returns:
            The files that were written.

        Raises:
            UsageError: A tag or an option is none, or a package is not installed.
            OSError: A file cannot be written.
        """
        if steps is not None and not hasattr(steps, "__contains__"):
            raise UsageError(f"steps is {steps!r}: give several, such as range(0, 1000, 100)")
        plotter = Plotter(folder, formats, width, height, smooth)
        known = self.tags()
        pairs = [(kind, tag) for kind, own in known.items() for tag in own]
        for pair in pairs:  # a tag's name is the same, whichever are asked for
            plotter.names.of(*pair)
        chosen = _chosen([tags] if isinstance(tags, str) else tags, {tag for _, tag in pairs})
        steps = _Everything() if steps is None else steps
        return [
            path
            for kind, tag in pairs
            if tag in chosen
            for path in self._saved(plotter, kind, tag, steps)
        ]

    def _saved(self, plotter: Plotter, kind: str, tag: str, steps: Container[int]) -> list[Path]:
        if kind == "scalars":
            curve = self.scalars(tag)
            kept = np.array([step in steps for step in curve.steps.tolist()], dtype=bool)
            curve = Curve(*(column[kept] for column in curve))
            return plotter.curves(tag, {tag: curve}) if len(curve.steps) else []
        if kind == "histograms":
            histograms = [one for one in self._histograms(tag) if one.step in steps]
            return plotter.histograms(tag, histograms) if histograms else []
        if kind == "images":
            images = (one for one in self._pictures(tag) if one.step in steps)
            return plotter.images(tag, _as_png(tag, images))
        return plotter.texts(tag, (one for one in self._texts(tag) if one.step in steps))

    # -- values that are read when they are asked for ----------------------------------------------

    def _pictures(self, tag: str) -> Iterator[Picture]:
        for step, time, value, item in self._values("images", tag):
            yield Picture(step, time, images_of(value)[item.image])

    def _histograms(self, tag: str) -> Iterator[Histogram]:
        for step, time, value, _ in self._values("histograms", tag):
            try:
                histogram = Histogram(step, time, *histogram_of(value))
            except ValueError as error:
                _warn(f"{shown(tag)}: the histogram of step {step} is left out: {error}")
            else:
                yield histogram

    def _texts(self, tag: str) -> Iterator[Text]:
        for step, time, value, _ in self._values("texts", tag):
            yield Text(step, time, text_of(value))

    def _values(self, kind: str, tag: str) -> Iterator[tuple[int, float, Any, Item]]:
        series = self._series(kind, tag)
        place: Place | None = None
        for index in series.counting().tolist():
            item = series.items[index]
            if item.place != place:  # an event may hold many values
                try:
                    event, place = read_event(item.place), item.place
                except (OSError, ValueError) as error:
                    raise RecordError(
                        f"{shown(str(item.place.path))} cannot be read any more: {error}"
                    ) from error
            yield series.steps[index], series.times[index], event.summary.value[item.value], item

    def _series(self, kind: str, tag: str) -> Series:
        known = self._contents.series[kind]
        if tag not in known:
            others = [other for other, own in self._contents.series.items() if tag in own]
            way_out = f"; it is among the {' and the '.join(others)}" if others else ""
            raise UsageError(f"no {kind} of the tag {shown(tag)}{near_miss(tag, known)}{way_out}")
        return known[tag]


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


def _chosen(words: Iterable[str] | None, known: set[str]) -> set[str]:
    if words is None:
        return known
    chosen: set[str] = set()
    for word in words:
        own = {word} if word in known else {tag for tag in known if fnmatchcase(tag, word)}
        if not own:
            some = ", ".join(shown(tag) for tag in sorted(known)[:_TOLD]) or "none"
            more = ", ..." if len(known) > _TOLD else ""
            raise UsageError(
                f"no tag {shown(word)}{near_miss(word, known)}; there are {some}{more}"
            )
        chosen |= own
    return chosen


def _as_png(tag: str, pictures: Iterable[Picture]) -> Iterator[Picture]:
    for picture in pictures:
        try:
            encoded = picture.as_png()
        except RecordError as error:
            _warn(f"{shown(tag)}: {error}; it is left out")
        else:
            yield picture._replace(encoded=encoded)


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)
