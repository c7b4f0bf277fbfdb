"""Reporter: what a script gives it, as a Markdown file with pictures and tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.jsonable import dumps, to_jsonable
from thexp_pl.record import Experiment
from thexp_pl.record.numbers import as_count, as_number
from thexp_pl.record.redact import Redactor
from thexp_pl.report.filenames import FileNames
from thexp_pl.report.markup import link, plain, table
from thexp_pl.report.pixels import png_of
from thexp_pl.report.reporter.content import Content, TaggedFile, relative
from thexp_pl.report.reporter.folder import check_inside, numbered_folder, write_file
from thexp_pl.report.reporter.scalars import Scalars, csv_of

__all__ = ["Reporter"]

_PART = "plot"  # of a run
_SUFFIXES = (".md", ".png", ".csv")
_FILE = "report.md"


class Reporter:
    """Gathers scalars, figures and files, and writes them as Markdown with pictures and tables.

    Each Reporter has a folder of its own, numbered: ``0001``, ``0002``, ... Figures are files as
    soon as they are added; scalars are kept in memory, 16 bytes each, until they are reported.
    What is written is free of secrets, as a run's record is. One thread uses it at a time.

    Args:
        place: The folder that the numbered one is made in, when something is first written; or an
            `Experiment`, whose folder ``plot`` it is, and whose journal then names the files.

    Source: thexp's ``Reporter``.

    >>> import tempfile
    >>> reporter = Reporter(tempfile.mkdtemp())
    >>> for step in range(45):
    ...     reporter.add_scalar(1 / (step + 1), step, "loss")
    >>> reporter.report(every=20, otherinfo={"lr": 0.1}).name
    'report.md'
    """

    def __init__(self, place: str | os.PathLike[str] | Experiment) -> None:
        self._run = place if isinstance(place, Experiment) else None
        # where files may be linked to; whatever lies elsewhere is named by its path
        self._home = place.path if isinstance(place, Experiment) else _absolute(place)
        self._redact = place.redact if isinstance(place, Experiment) else Redactor().text
        self._redacted: dict[str, str] = {}
        self._folder: Path | None = None
        self._names = FileNames()
        self._content = Content()
        self._keeps_arrays = False

    @property
    def savedir(self) -> Path:
        """The Reporter's own folder; it is made when it is first asked for.

        Raises:
            RecordError: It cannot be made, or a link leads out of the run.
        """
        if self._folder is None:
            run = self._run
            above = self._home if run is None else run.hold_exp_part(_PART, _SUFFIXES)
            if run is not None:
                check_inside(above, run.path)
            self._folder = numbered_folder(above)
        return self._folder

    @property
    def reportfile(self) -> Path:
        """The file that `report` writes."""
        return self.savedir / _FILE

    def add_scalar(self, value: Any, step: int, tag: str) -> None:
        """Add a value to a curve.

        Args:
            value: A number, or a tensor of one element, which is read from its device now; NaN and
                the infinities are kept.
            step: Where it lies, a whole number of at most 63 bits.
            tag: The curve.

        Raises:
            UsageError: The value or the step is no such number.
        """
        name = self._name(tag)
        number = as_number(name, value)
        try:
            count = as_count("step", step)
        except UsageError as error:
            raise UsageError(str(error).removesuffix(", or None")) from None
        if count is None:
            raise UsageError("the step is None: give a whole number, such as the global step")
        scalars = self._content.scalars.get(name)
        if scalars is None:
            scalars = self._content.scalars[name] = Scalars(f"{self._names.fresh(name)}.png")
        scalars.add(count, number)

    def add_figure(self, figure: Any, tag: str, step: int | None = None) -> Path:
        """Add a picture; it is a file from now on, whatever becomes of the figure.

        Args:
            figure: A matplotlib Figure or anything with its `savefig`, a PIL image, or an array or
                tensor; `thexp_pl.report.pixels.png_of` has the rule for arrays.
            tag: What it shows.
            step: When; None where that does not matter.

        Returns:
            The PNG file, named by tag and step.

        Raises:
            UsageError: No picture can be made of it, or Pillow is not installed.
            RecordError: The file cannot be written.
        """
        name, count = self._name(tag), as_count("step", step)
        data = png_of(figure, name)
        path = self.savedir / f"{self._names.fresh(name, count)}.png"
        write_file(path, data)
        self._content.figures.setdefault(name, []).append((count, path))
        return path

    def add_ftag(self, file: str | os.PathLike[str], tag: str) -> None:
        """Name a file in the report; it is neither read nor copied.

        Args:
            file: The file.
            tag: What it is.
        """
        path = _absolute(file)
        shown = "" if self._home in path.parents else self._redact(str(path))
        self._content.files.append(TaggedFile(self._name(tag), path, shown))

    def add_tag(self, tag: str) -> None:
        """Say something of all that is reported.

        Args:
            tag: One line.
        """
        self._content.tags.append(self._name(tag))

    def savefig(self, figure: Any = None, tag: str = "figure", step: int | None = None) -> Path:
        """Draw the curves of all scalars now; or add a figure, as `add_figure`.

        Args:
            figure: The figure; None for the curves.
            tag: As for `add_figure`.
            step: As for `add_figure`.

        Returns:
            The folder of the curves, or the figure's file.

        Raises:
            UsageError: As for `add_figure`, or matplotlib is not installed.
            RecordError: A file cannot be written.
        """
        if figure is not None:
            return self.add_figure(figure, tag, step)
        self._content.draw(self.savedir)
        return self.savedir

    def savearr(self, array: Any = None, tag: str = "array", step: int | None = None) -> Path:
        """Write all scalars as ``scalars.csv``, every report anew; or add an array's picture.

        Args:
            array: The array, as for `add_figure`; None for the scalars.
            tag: As for `add_figure`.
            step: As for `add_figure`.

        Returns:
            The file.

        Raises:
            UsageError: As for `add_figure`.
            RecordError: The file cannot be written.
        """
        if array is not None:
            return self.add_figure(array, tag, step)
        path = self.savedir / "scalars.csv"
        write_file(path, csv_of(self._content.scalars))
        self._keeps_arrays = True
        return path

    def report(self, every: int = 20, otherinfo: Mapping[str, Any] | None = None) -> Path:
        """Write all that was added so far, over an earlier report of this Reporter.

        Args:
            every: Show each n-th value of a scalar in its table, and the last; its curve has all.
            otherinfo: Whatever else is to be shown as a table, by name.

        Returns:
            The Markdown file; its links are relative to its folder. Without matplotlib it has the
            tables alone, and says so.

        Raises:
            UsageError: `every` is no number of values, or `otherinfo` has no names.
            RecordError: A file cannot be written.
        """
        if otherinfo is not None and not isinstance(otherinfo, Mapping):
            raise UsageError(
                f"otherinfo is a {type(otherinfo).__name__}: give values by name, such as"
                " {'lr': 0.1}"
            )
        title = self._home.name if self._run is None else f"{self._run.name} {self._run.key}"
        written = datetime.now().astimezone().isoformat(timespec="seconds")
        parts = [f"# {plain(title)}", f"Written {written}."]
        if otherinfo:
            parts += ["## Information", table(("name", "value"), self._rows(otherinfo))]
        parts += self.sections(self.savedir, every)
        write_file(self.reportfile, ("\n\n".join(parts) + "\n").encode("utf-8", "replace"))
        return self.reportfile

    def sections(self, folder: Path, every: int = 20) -> list[str]:
        """Give what was added as parts of another report.

        Args:
            folder: The folder of that report, which the links are relative to.
            every: As for `report`.

        Returns:
            Markdown, headings of the second level; nothing where nothing was added.

        Raises:
            UsageError: `every` is no number of values.
            RecordError: A curve's file cannot be written.
        """
        if type(every) is not int or every < 1:
            raise UsageError(f"every must be 1 or more, not {every!r}")
        if not self._content:
            return []
        notes = []
        try:
            self.savefig()
        except UsageError as error:  # there is no matplotlib
            notes.append(f"Without curves: {error}.")
        if self._keeps_arrays:
            notes.append(link("All values", relative(self.savearr(), folder)))
        return self._content.sections(folder, self.savedir, every, notes)

    def _name(self, tag: Any) -> str:
        text = str(tag)
        name = self._redacted.get(text)
        if name is None:
            name = self._redacted[text] = self._redact(text)
        return name

    def _rows(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        told: dict[str, Any] = Redactor().tree(to_jsonable(given))
        for name, value in told.items():
            text = value if isinstance(value, str) else dumps(value).decode()
            yield plain(self._redact(name)), plain(self._redact(text))


def _absolute(path: str | os.PathLike[str]) -> Path:
    try:
        text = os.fspath(path)
    except TypeError:
        raise UsageError(f"{path!r} is no path: give that of a file or folder") from None
    return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111
