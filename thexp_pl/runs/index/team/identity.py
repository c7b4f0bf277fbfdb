"""Which experiment root is which, wherever it is mounted and whatever it is called there.

A root's mark (``.thexp/root.json``) holds a random id. The id and the number of the mark's inode
name the root: on a file system that several machines share both are the same for all, and a copy
of a root has another inode.

A copy of a whole disk has the same id and inode. So whoever tells of a root leaves a token with
the server and in the root (``.thexp/told.json``): where the server has one that the root does not
hold, someone told of another copy since, and this one becomes a root of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json, write_json
from thexp_pl.record.paths import root_mark
from thexp_pl.runs.index.team.tables import TeamRoot
from thexp_pl.runs.index.team.teller import digest, machine

__all__ = ["identity_of", "is_copy", "is_here", "leave_token"]

_ID = re.compile(r"[0-9a-f]{32}")
_MAX_BYTES = 1 << 20
_LETTERS = 32
_TOKENS = 100  # the last ones; a server that was set back has an older one


def identity_of(root: str, *, anew: bool = False) -> str:
    """Give a root's identity; an id is put into its mark where there is none.

    Args:
        root: Its real path.
        anew: Whatever id there is, another is put there.

    Returns:
        The identity; of a root that may not be written, one by machine and path.
    """
    mark = root_mark(Path(root))
    with contextlib.suppress(OSError, ValueError, RecursionError):
        held = _held(mark)
        if anew or _id_in(held) is None:
            write_json(mark, {**held, "id": secrets.token_hex(_LETTERS // 2)})
        return _marked(mark)
    return digest(f"{machine()}\n".encode() + os.fsencode(root))


def is_copy(root: str, listed: TeamRoot) -> bool:
    """Say whether a root of a listed identity is another copy than the one that was told of last.

    Args:
        root: Its real path.
        listed: The root, as the server had it before.
    """
    tokens = _tokens(root)
    return bool(listed.token and tokens) and listed.token not in tokens


def leave_token(root: str) -> str:
    """Leave a token in a root that is told of.

    Args:
        root: Its real path.

    Returns:
        The token for the server; empty where the root may not be written.
    """
    token = secrets.token_hex(4)
    with contextlib.suppress(OSError):
        write_json(_told(root), {"told": [token, *_tokens(root)][:_TOKENS]})
        return token
    return ""


def is_here(path: str, listed: TeamRoot) -> bool:
    """Say whether a root that another machine tells of can be read here at the same path.

    Args:
        path: Where that machine has it.
        listed: The root, as the server has it.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        is_same = os.path.realpath(path) == path
        is_same = is_same and _marked(root_mark(Path(path))) == listed.identity
        return is_same and not is_copy(path, listed)
    return False


def _told(root: str) -> Path:
    return root_mark(Path(root)).with_name("told.json")


def _tokens(root: str) -> list[Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        held = read_json(_told(root), limit=_MAX_BYTES)
        found = held.get("told") if isinstance(held, dict) else None
        return found if isinstance(found, list) else []
    return []


def _marked(mark: Path) -> str:
    found = _id_in(_held(mark))
    if found is None:
        raise ValueError("a mark without an id")
    return f"{found}-{mark.stat().st_ino:x}"


def _held(mark: Path) -> dict[str, Any]:
    held = read_json(mark, limit=_MAX_BYTES)
    if not isinstance(held, dict):
        raise ValueError("a mark that is no object")
    return held


def _id_in(held: dict[str, Any]) -> str | None:
    found = held.get("id")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None
