"""Which experiment roots there are: one small file a root in the user's home."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from thexp_pl.atomic import read_json, write_json
from thexp_pl.errors import RecordError
from thexp_pl.record.paths import root_mark, roots_folder

__all__ = ["gone_roots", "known_roots", "register_root"]

_SCHEMA = 1
_MAX_BYTES = 1 << 20


def register_root(root: Path) -> None:
    """Mark a folder as an experiment root and note in the user's home where it is.

    Args:
        root: The experiment root.

    Raises:
        OSError: One of the two small files cannot be written.
    """
    mark = root_mark(root)
    if not mark.exists():
        mark.parent.mkdir(exist_ok=True)
        write_json(mark, {"schema": _SCHEMA})
    real = str(root.resolve())
    # One file a root, named after it: processes that start together write the same thing.
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    entry = roots_folder() / f"{name}.json"
    if not entry.exists():
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_json(entry, {"schema": _SCHEMA, "path": real})


def known_roots() -> list[Path]:
    """List the experiment roots that the user's home knows and that are there.

    Returns:
        Their paths, sorted; an entry that cannot be read is passed over.

    Raises:
        RecordError: The folder of the entries is there but cannot be read.
    """
    return [root for root in _noted_roots() if root.is_dir()]


def gone_roots() -> list[Path]:
    """List the experiment roots that the user's home knows and that are not there.

    Returns:
        Their paths, sorted: they were moved or deleted, or their disk is not mounted.

    Raises:
        RecordError: As for `known_roots`.
    """
    return [root for root in _noted_roots() if not root.is_dir()]


def _noted_roots() -> list[Path]:
    folder = roots_folder()
    try:
        entries = [entry for entry in folder.iterdir() if entry.suffix == ".json"]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(
            f"cannot read the experiment roots in {str(folder)!r}: {error.strerror or error};"
            " free it, name another home in THEXP_HOME, or name the root itself"
        ) from error
    roots = set()
    for entry in entries:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            root = Path(read_json(entry, limit=_MAX_BYTES)["path"])
            root.is_dir()  # Python 3.10 to 3.13 raise at what no path can be
            roots.add(root)
    return sorted(roots)
