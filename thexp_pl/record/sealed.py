"""JSON files that hold the hash of their own content, so that a changed byte can be found."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from thexp_pl.atomic import read_json, write_bytes
from thexp_pl.jsonable import dumps

__all__ = ["SEAL", "seal_fault", "write_sealed"]

SEAL = "sha256"
_MAX_BYTES = 64 << 20


def write_sealed(path: str | os.PathLike[str], value: Mapping[str, Any]) -> None:
    """Replace a file's content by an object as indented JSON, with a last entry ``sha256``.

    That is the hash of the same JSON without the entry; see `thexp_pl.atomic.write_bytes`.

    Args:
        path: The file.
        value: The object, not empty; an entry ``sha256`` of its own gives way.

    Raises:
        OSError: It cannot be written; the old file is untouched.
    """
    text = dumps({name: item for name, item in value.items() if name != SEAL}, indent=2)
    seal = hashlib.sha256(text).hexdigest()
    write_bytes(path, b'%s,\n  "%s": "%s"\n}\n' % (text[:-2], SEAL.encode(), seal.encode()))


def seal_fault(path: str | os.PathLike[str]) -> str:
    """Say whether such a file is as it was written; white space does not count.

    Args:
        path: The file.

    Returns:
        What is wrong; an empty text where nothing is, or the file has no hash, as those of earlier
        releases have not.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not strict JSON.
    """
    content = read_json(path, limit=_MAX_BYTES)
    if not isinstance(content, dict) or SEAL not in content:
        return ""
    seal = content.pop(SEAL)
    if seal == hashlib.sha256(dumps(content, indent=2)).hexdigest():
        return ""
    return f"it is not what the run wrote: its {SEAL} is not that of its content"
