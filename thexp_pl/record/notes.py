"""notes.json: the tags and notes of a run, which people add at any time, from any process."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from typing import Any

from thexp_pl.atomic import read_json, write_bytes
from thexp_pl.errors import RecordError
from thexp_pl.jsonable import dumps
from thexp_pl.record.folders import announce
from thexp_pl.record.inside import check_inside
from thexp_pl.record.manifest import now_text
from thexp_pl.record.paths import RunPaths

__all__ = ["add_note", "add_tags", "change_notes", "notes_fault", "read_notes"]

_LOCK_SECONDS = 30
_MAX_BYTES = 16 << 20


def read_notes(paths: RunPaths) -> dict[str, Any]:
    """Read the tags and notes of a run.

    Args:
        paths: The run.

    Returns:
        ``tags``, a list of texts, and ``notes``, a list of objects with ``time`` and ``text``;
        empty where there are none, the file is damaged, or a link leads out of the run's folder.
    """
    try:
        found = _read(paths)
    except (OSError, ValueError):
        found = {}
    if not isinstance(found, dict):
        found = {}
    tags, notes = found.get("tags"), found.get("notes")
    return {
        "tags": [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
        "notes": [note for note in notes if _is_note(note)] if isinstance(notes, list) else [],
    }


def add_note(paths: RunPaths, text: str) -> None:
    """Add a note.

    Args:
        paths: The run.
        text: The note.

    Raises:
        OSError: It cannot be written.
        RecordError: What is there is damaged, or a link out of the folder; it is left as it is.
    """
    change_notes(paths, note=text)


def add_tags(paths: RunPaths, *tags: str) -> None:
    """Add tags that the run does not have yet.

    Args:
        paths: The run.
        *tags: The tags.

    Raises:
        OSError: They cannot be written.
        RecordError: What is there is damaged, or a link out of the folder; it is left as it is.
    """
    change_notes(paths, add=tags)


def change_notes(
    paths: RunPaths, *, add: Iterable[str] = (), remove: Iterable[str] = (), note: str = ""
) -> None:
    """Add and remove tags and add a note, in one step.

    Args:
        paths: The run.
        add: Tags that it is to have.
        remove: Tags that it is to have no more; one that it has not is passed over.
        note: A note; an empty text adds none.

    Raises:
        OSError: They cannot be written.
        RecordError: What is there is damaged, or a link out of the folder; it is left as it is.
    """
    with _changing(paths) as kept:
        gone = set(remove)
        tags = [tag for tag in kept["tags"] if tag not in gone]
        kept["tags"] = tags + [tag for tag in dict.fromkeys(add) if tag not in tags]
        if note:
            kept["notes"].append({"time": now_text(), "text": note})


def notes_fault(paths: RunPaths) -> str:
    """Say what is wrong with the tags and notes of a run.

    Args:
        paths: The run.

    Returns:
        The reason; empty where there is none, or no such file.
    """
    try:
        _kept(paths)
    except OSError as error:
        return str(error)
    return ""


def _read(paths: RunPaths) -> Any:
    check_inside(paths.notes, paths.folder)
    return read_json(paths.notes, limit=_MAX_BYTES)


def _is_note(note: object) -> bool:
    return isinstance(note, dict) and all(
        isinstance(note.get(key), str) for key in ("time", "text")
    )


@contextlib.contextmanager
def _changing(paths: RunPaths) -> Iterator[dict[str, Any]]:
    import filelock  # 70 ms

    with filelock.FileLock(paths.notes_lock, timeout=_LOCK_SECONDS):
        kept = _kept(paths)
        yield kept
        data = dumps(kept, indent=2) + b"\n"
        if len(data) > _MAX_BYTES:  # it could not be read again
            raise RecordError(f"{str(paths.notes)!r} would be larger than {_MAX_BYTES} bytes")
        write_bytes(paths.notes, data)
    announce(paths)


def _kept(paths: RunPaths) -> dict[str, Any]:
    """Read all that is there, for writing it again: unlike a reader, it passes nothing over."""
    fault = "not an object with a list of tags and a list of notes"
    try:
        found = _read(paths)
    except FileNotFoundError:
        return {"schema": 1, "tags": [], "notes": []}
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise RecordError(f"cannot read {str(paths.notes)!r}: {error.strerror}") from None
    except ValueError as error:
        found, fault = None, str(error)
    if not isinstance(found, dict) or found | read_notes(paths) != found:
        raise RecordError(f"{str(paths.notes)!r} is damaged: {fault}; mend it by hand")
    return found
