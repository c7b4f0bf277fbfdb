"""Tags and notes, as the pages change them."""

from __future__ import annotations

import os
from typing import Any

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.jsonable import loads
from thexp_pl.record.names import shown
from thexp_pl.record.notes import change_notes
from thexp_pl.record.paths import RunPaths

__all__ = ["LARGEST", "edit_notes"]

LARGEST = 1 << 20  # bytes of a request
_LONGEST_TAG = 200  # letters
_MOST_TAGS = 100
_WORDS = {"add", "remove", "note"}


def edit_notes(paths: RunPaths, body: bytes) -> None:
    """Change the tags and notes of a run.

    Args:
        paths: The run.
        body: JSON, an object with ``add`` and ``remove``, lists of tags, and ``note``, a text;
            each may be left out.

    Raises:
        UsageError: It asks for what cannot be.
        RecordError: What is there is damaged, or the run is gone; it is left as it is.
        OSError: It cannot be written.
    """
    add, remove, note = _read(body)
    if not os.path.lexists(paths.manifest):  # a lock would make the folder anew
        raise RecordError(f"the run {shown(paths.key)} is gone; reload the list")
    from filelock import Timeout

    try:
        change_notes(paths, add=add, remove=remove, note=note)
    except Timeout:
        raise RecordError(
            "another process holds the notes of this run; try again when it has ended"
        ) from None


def _read(body: bytes) -> tuple[list[str], list[str], str]:
    try:
        asked = loads(body)
    except ValueError as error:
        raise UsageError(f"the change is no JSON: {error}") from None
    if not isinstance(asked, dict) or not asked or not asked.keys() <= _WORDS:
        raise UsageError(f"a change is an object with some of {', '.join(sorted(_WORDS))}")
    note = asked.get("note", "")
    if not isinstance(note, str) or ("note" in asked and not note.strip()):
        raise UsageError("the note is empty; give it at least one visible character")
    return _tags(asked.get("add", [])), _tags(asked.get("remove", [])), note.strip()


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _MOST_TAGS:
        raise UsageError(f"tags are a list of at most {_MOST_TAGS} texts")
    for tag in value:
        if not isinstance(tag, str):
            raise UsageError(f"a tag is a text, and {shown(repr(tag))} is none")
        if not tag.strip():
            raise UsageError("a tag is empty; give it at least one visible character")
        if len(tag) > _LONGEST_TAG:
            raise UsageError(f"a tag has at most {_LONGEST_TAG} letters; make it a note")
    return value
