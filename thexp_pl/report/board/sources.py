"""The event files that a word, a run or a folder means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from thexp_pl.errors import RecordError
from thexp_pl.record.inside import leads_out
from thexp_pl.record.names import shown
from thexp_pl.record.roots import known_roots
from thexp_pl.report.board.records import Records
from thexp_pl.runs.keys import find_run
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run

__all__ = ["EventFolder", "Source", "event_folders"]

Source = Run | RunRow | str | os.PathLike[str]

_MARK = "tfevents"  # what TensorBoard knows an event file by


class EventFolder(NamedTuple):
    """Event files that lie together: to TensorBoard, one run.

    Args:
        name: The folder as seen from the one that holds all of them; empty for that one.
        files: The files, in the order in which they were begun.
    """

    name: str
    files: list[Path]


def event_folders(source: Source) -> list[EventFolder]:
    """Find the event files that are meant.

    Args:
        source: A run; the path of an event file, or of a folder with such files anywhere below it;
            or a word that means a run, see `thexp_pl.runs.keys.find_row`.

    Returns:
        The folders that hold event files.

    Raises:
        RecordError: There is no such thing, or no event file in it, or one of a run's is a link out
            of its folder: it may be any of whoever looks at it.
    """
    path, is_run = _path_of(source)
    if not path.is_dir():
        return [EventFolder("", [path])]
    found = {
        Path(folder): sorted(Path(folder, name) for name in names if _MARK in name)
        for folder, _, names in os.walk(path)
    }
    found = {folder: files for folder, files in found.items() if files}
    if not found:
        raise RecordError(
            f"{shown(str(path))} holds no event file: their names have {_MARK!r} in them"
        )
    if is_run:
        _check_links(path, found)
    common = os.path.commonpath(found)
    return [
        EventFolder("/".join(folder.relative_to(common).parts), _in_order(files))
        for folder, files in sorted(found.items())
    ]


def _path_of(source: Source) -> tuple[Path, bool]:
    """Give the path that is meant, and whether it was named as a run."""
    if isinstance(source, Run | RunRow):
        return source.paths.folder, True
    text = os.fspath(source)
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - no error where there is no home
    if text and "\0" not in text and os.path.lexists(path):
        return path.absolute(), False
    try:
        return find_run(known_roots(), text).paths.folder, True
    except RecordError as error:
        raise RecordError(f"no file or folder {shown(text)}; and as a run: {error}") from None


def _check_links(run: Path, found: dict[Path, list[Path]]) -> None:
    for file in (file for files in found.values() for file in files):
        if leads_out(file, run):
            raise RecordError(
                f"{shown(str(file))} is a symbolic link out of its run, which is not followed: name"
                " the event file itself"
            )


def _in_order(files: list[Path]) -> list[Path]:
    """Order files by their first event: names with a process's number do not sort by time."""
    return sorted(files, key=_begun) if len(files) > 1 else files


def _begun(path: Path) -> float:
    return next((record.event.wall_time for record in Records(path)), float("inf"))
