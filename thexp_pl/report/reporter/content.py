"""What a Reporter was given, and the Markdown that shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from thexp_pl.report.curve import draw_curve
from thexp_pl.report.markup import link, picture, plain, table
from thexp_pl.report.reporter.folder import refused
from thexp_pl.report.reporter.scalars import Scalars

__all__ = ["Content", "TaggedFile", "relative"]


class TaggedFile(NamedTuple):
    """A file that a report names.

    Args:
        tag: What it is.
        path: Where it is, absolute.
        shown: The path as it is shown; empty where it is linked to.
    """

    tag: str
    path: Path
    shown: str


class Content:
    """What was added, free of secrets."""

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.scalars: dict[str, Scalars] = {}
        self.figures: dict[str, list[tuple[int | None, Path]]] = {}
        self.files: list[TaggedFile] = []

    def __bool__(self) -> bool:
        return bool(self.tags or self.scalars or self.figures or self.files)

    def draw(self, folder: Path) -> None:
        """Draw the curves that have new values.

        Args:
            folder: Where their pictures are.

        Raises:
            UsageError: matplotlib is not installed.
            RecordError: A file cannot be written.
        """
        for scalars in self.scalars.values():
            if scalars.drawn < len(scalars):
                path = folder / scalars.picture
                try:
                    scalars.is_shown = draw_curve(scalars.steps, scalars.values, path)
                except OSError as error:
                    raise refused("write", path, error) from error
                scalars.drawn = len(scalars)

    def sections(self, base: Path, own: Path, every: int, notes: list[str]) -> list[str]:
        """Show all of it.

        Args:
            base: The folder of the report, which its links are relative to.
            own: The folder of the curves.
            every: Show each n-th value of a scalar in its table.
            notes: Paragraphs on all scalars, in Markdown.

        Returns:
            Markdown, headings of the second level and the third.
        """
        parts = ["## Tags", "\n".join(f"- {plain(tag)}" for tag in self.tags)] if self.tags else []
        if self.scalars:
            parts += ["## Scalars", *notes]
        for tag, scalars in self.scalars.items():
            parts.append(f"### {plain(tag)}")
            if scalars.is_shown:
                parts.append(picture(tag, relative(own / scalars.picture, base)))
            parts.append(scalars.table(every))
        parts += self._shown_figures(base)
        if self.files:
            parts += ["## Files", table(("tag", "file", "size"), self._rows(base))]
        return parts

    def _shown_figures(self, base: Path) -> Iterator[str]:
        if self.figures:
            yield "## Figures"
        for tag, figures in self.figures.items():
            yield f"### {plain(tag)}"
            for step, path in figures:
                if step is not None:
                    yield f"Step {step}:"
                yield picture(tag, relative(path, base))

    def _rows(self, base: Path) -> Iterator[tuple[str, str, str]]:
        for tag, path, shown in self.files:
            named = plain(shown) if shown else link(path.name, relative(path, base))
            try:
                size = f"{path.stat().st_size:,} bytes"
            except (OSError, ValueError):
                size = "not there"
            yield plain(tag), named, size


def relative(path: Path, base: Path) -> PurePath:
    """Give the way to a file from the folder of a report.

    Args:
        path: The file, absolute.
        base: The folder, absolute.
    """
    return PurePath(os.path.relpath(path, base))
