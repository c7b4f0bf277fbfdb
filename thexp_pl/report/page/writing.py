"""A page written to a file: whole or not at all, and never over another file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from thexp_pl.atomic import write_text
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.record.outputs import output_error, refuse_taken
from thexp_pl.report.extras import needs
from thexp_pl.report.page.building import page_data
from thexp_pl.report.page.html import page_html
from thexp_pl.runs.row import RunRow

__all__ = ["write_page"]

_SUFFIXES = (".html", ".htm")


def write_page(
    rows: Sequence[RunRow],
    path: str | os.PathLike[str],
    *,
    code: bool = True,
    title: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the page of a run, or of several, to a file that a browser opens from disk.

    Args:
        rows: The runs, as `thexp_pl.runs.selecting.select_runs` gives them.
        path: The file, which must not be there yet.
        code: Show the sources and patches of a single run.
        title: The page's title; by default what it shows.
        progress: Called with how many runs were read, and how many there are.

    Returns:
        The file, an absolute path.

    Raises:
        RecordError: It is there already, or cannot be written; nothing is left behind.
        UsageError: There is no run, `path` is no name of a page, or a package of the extra
            ``report`` is absent.
    """
    for package in ("plotly", "jinja2"):  # said before thousands of runs are read
        needs(package, "a page")
    _refuse_other(path)
    target = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    refuse_taken(target)
    html = page_html(page_data(rows, code=code, title=title, progress=progress))
    refuse_taken(target)  # it took a while
    try:
        write_text(target, html)
    except OSError as error:
        raise output_error(target, error) from error
    return target


def _refuse_other(path: str | os.PathLike[str]) -> None:
    """Refuse what names no page, of which a part is asked for that must not be removed."""
    asked = os.fspath(path)
    if not asked:
        raise UsageError("'' names no file: name one, such as report.html")
    if Path(asked).is_dir():
        within = shown(str(Path(asked, "report.html")), 200)
        raise UsageError(f"{shown(asked, 200)} is a folder: name a file in it, such as {within}")
    if Path(asked).suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"a page is HTML, and {shown(asked, 200)} does not end in .html: name a file that does"
        )
