"""The pictures of a run's report: curves of its metrics, and what it has left in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from thexp_pl.errors import UsageError
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.curve import draw_curve
from thexp_pl.report.filenames import FileNames
from thexp_pl.report.markup import picture, plain
from thexp_pl.report.page.curves import curves_data
from thexp_pl.report.reporter.folder import check_inside

__all__ = ["curve_sections", "picture_sections"]

CURVES = "curves"  # the folder of the curves, beside the report
_MOST_CURVES = 30  # each takes some 70 ms to draw, and the training waits
_MOST_PICTURES = 200
_SHOWN = (".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp")


def curve_sections(paths: RunPaths, folder: Path) -> list[str]:
    """Draw the metrics of a run, a file each.

    Args:
        paths: The run's files; it may still go on.
        folder: The folder of the report; the files come into its folder ``curves``.

    Returns:
        Markdown with links relative to the report: of at most 30 metrics, and how many more there
        are; nothing where there is no metric. Without matplotlib one line that says so.

    Raises:
        OSError: A file cannot be written.
        RecordError: A link leads out of the folder.
    """
    curves = curves_data(paths)["curves"]
    if not curves:
        return []
    parts = ["## Curves"]
    names = FileNames()
    (folder / CURVES).mkdir(exist_ok=True)
    check_inside(folder / CURVES, folder)
    for name in list(curves)[:_MOST_CURVES]:
        curve, file = curves[name], f"{CURVES}/{names.fresh(name)}.png"
        axis = "step" if curve["by"] == "step" else "value"
        try:
            if draw_curve(curve["x"], [float(y) for y in curve["y"]], folder / file, axis):
                parts += [f"### {plain(name)}", picture(name, Path(file))]
        except UsageError as error:  # there is no matplotlib
            return [*parts, f"Not drawn: {error}."]
    if len(curves) > _MOST_CURVES:
        parts.append(f"Of {len(curves):,} metrics the first {_MOST_CURVES} are drawn.")
    return parts


def picture_sections(folder: Path, but: Path | None = None) -> list[str]:
    """Show the pictures that a run has left in the folder of its report.

    Args:
        folder: The folder; links in it are not followed.
        but: A folder in it whose pictures are shown elsewhere.

    Returns:
        Markdown with links relative to the folder: the newest 200, in order of their names, and how
        many more there are; nothing where there is none.
    """
    found = {path: path.lstat().st_mtime_ns for path in _pictures(folder, (folder / CURVES, but))}
    if not found:
        return []
    newest = sorted(found, key=found.__getitem__, reverse=True)[:_MOST_PICTURES]
    parts = ["## Pictures"]
    for path in sorted(newest):
        inner = path.relative_to(folder)
        parts += [f"### {plain(str(inner))}", picture(path.stem, inner)]
    if len(found) > len(newest):
        parts.append(f"{len(found) - len(newest):,} older ones are not shown.")
    return parts


def _pictures(folder: Path, but: tuple[Path | None, ...]) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) not in but]
        for name in files:
            path = Path(place, name)
            shown = path.suffix.lower() in _SHOWN and not name.startswith(".")
            if shown and not path.is_symlink():
                yield path
