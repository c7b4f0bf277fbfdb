"""The data of a run that lies in its project, and that its snapshot left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.globvars import MARK_FOLDER
from thexp_pl.record.names import escaped, shown
from thexp_pl.record.paths import root_mark
from thexp_pl.rerun.folders import RerunFolder
from thexp_pl.rerun.mirror import Mirror, make_folder
from thexp_pl.rerun.moved import Moved
from thexp_pl.runs.run import Run

__all__ = ["declared", "link_data", "link_root", "name_left_out"]

_NAMED = 5


def declared(run: Run, moved: Moved) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Go through the files and folders that a run has declared to use.

    Args:
        run: The run.
        moved: Where its project is now.

    Yields:
        The place then, absolute, and what was recorded.
    """
    for entry in run.manifest["uses"]:
        path = moved.found(entry.get("path")) if entry.get("kind") in ("file", "folder") else None
        if path is not None:
            yield path, entry


def link_data(run: Run, moved: Moved, more: Iterable[str] = ()) -> str:
    """Have the restored project see the data that lies in the recorded one, see `Mirror`.

    What was restored is left as it is.

    Args:
        run: The run.
        moved: Where its project is now.
        more: What to bring besides, as seen from the project, or absolute paths in it.

    Returns:
        What of the data the run can change in the project; an empty text for nothing.

    Raises:
        UsageError: Of `more`, one is not there or lies elsewhere.
        OSError: A file cannot be made.
    """
    mirror = Mirror(moved)
    for path, _ in declared(run, moved):
        _bring(path, mirror)
    for text in more:
        path = Path(os.path.normpath(os.path.join(moved.project or "", text)))  # noqa: PTH118
        name = moved.name(path)
        if name is None or name == Path() or not os.path.lexists(path):
            raise UsageError(
                f"--link {shown(text)} names nothing in the project {shown(str(moved.project))}"
                f"{_of_reproduction(run)}: name a file or a folder in it"
            )
        _bring(path, mirror)
    return mirror.told


def _of_reproduction(run: Run) -> str:
    parent = run.manifest["parent"] or {}
    if parent.get("how") != "reproduced" or not isinstance(parent.get("key"), str):
        return ""
    return f" of {shown(run.key)}, itself a reproduction of {shown(parent['key'])}"


def _bring(path: Path, mirror: Mirror) -> None:
    place = _place(path, mirror.moved)
    if place is not None and path.exists():
        mirror.bring(path, place)


def _place(path: Path, moved: Moved) -> Path | None:
    """Say where a path leads that a script gives as seen from its project.

    Beside the project, as for ``../data``, it leads into the folder around the restored one.
    """
    name = moved.name(path)
    if name is not None:
        return None if name == Path() else moved.code / name
    if moved.project is None or moved.project.parent not in path.parents:
        return None
    folder = RerunFolder(moved.code.parent)
    place = folder.folder / path.relative_to(moved.project.parent)
    return None if any(own == place or own in place.parents for own in folder.all()) else place


def link_root(run: Run, moved: Moved) -> None:
    """Have a script that reads its experiment root by a path from the project find the runs there.

    What it records goes to the root by itself, see `thexp_pl.record.rerun`. In its place in the
    project stands a folder with a link to each experiment, marked as a root: no snapshot holds it.

    Args:
        run: The run.
        moved: Where its project is now.

    Raises:
        OSError: It cannot be made.
    """
    root, project = run.paths.root, moved.project
    place = _place(root, moved)
    if project is not None and root in project.parents and project.is_dir():
        # a run that was itself done again, beside such a folder
        marked = (entry for entry in project.iterdir() if root_mark(entry).is_file())
        place = next((moved.place(entry) for entry in marked), None)
    if place is None or os.path.lexists(place) or not root_mark(root).is_file():
        return
    if make_folder(place / MARK_FOLDER, moved):
        shutil.copyfile(root_mark(root), root_mark(place))
        for entry in sorted(root.iterdir()):
            if entry.is_dir() and not entry.name.startswith("."):
                (place / entry.name).symlink_to(entry)


def name_left_out(run: Run) -> str:
    """Name what the snapshot of a run's code has left out.

    Args:
        run: The run.

    Returns:
        A few words; an empty text for nothing.
    """
    found = (run.manifest["code"] or {}).get("left_out")
    entries = [
        f"{shown(entry['path'])} ({escaped(str(entry.get('why')))})"
        for entry in (found if isinstance(found, list) else ())
        if isinstance(entry, dict)
        and isinstance(entry.get("path"), str)
        and "experiment root" not in str(entry.get("why"))
    ]
    more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
    return f"{', '.join(entries[:_NAMED])}{more}"
