"""A plain copy of the code, where there is no git to take a snapshot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_bytes
from thexp_pl.record.code.entry import running_files
from thexp_pl.record.code.extras import entry_and_extras
from thexp_pl.record.code.left_out import LeftOut
from thexp_pl.record.code.rules import unfit
from thexp_pl.record.places import placed

__all__ = ["copy_plainly"]


def copy_plainly(
    target: Path,
    project: Path | None,
    root: Path,
    *,
    max_bytes: int = 10_000_000,
    redact: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Copy the script that was started and the modules of the project that it has loaded.

    Args:
        target: The folder to make.
        project: The project's folder; None where it is not known, then the script alone is copied.
        root: The experiment root.
        max_bytes: Larger files are left out.
        redact: Takes secrets out of a notebook's cells.

    Returns:
        As `take_snapshot`, with ``how`` ``"copy"``, and None for the hashes and for ``untracked``.

    Raises:
        OSError: The copy cannot be written; nothing is left behind.
    """
    top = None if project is None else Path(os.path.realpath(project))
    left_out = LeftOut()
    contents = {} if top is None else _contents(top, max_bytes, left_out)
    entry, extras = entry_and_extras(top, contents, max_bytes, redact)
    aside = target.parent / f".tmp-{os.urandom(8).hex()}"
    aside.mkdir()
    try:
        for path, content in (contents | extras).items():
            file = aside / os.fsdecode(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            if path in contents and top is not None:
                shutil.copymode(top / os.fsdecode(path), file)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return {
        "how": "copy",
        "tree": None,
        "commit": None,
        "project": None if top is None else placed(top, root),
        "entry": None if entry is None else os.fsdecode(entry),
        "files": len(contents) + len(extras),
        "untracked": None,
        **left_out.facts(),
    }


def _contents(top: Path, max_bytes: int, left_out: LeftOut) -> dict[bytes, bytes]:
    contents = {}
    for path in running_files(top):
        why = unfit(path)
        if not why:
            try:
                contents[path] = read_bytes(top / os.fsdecode(path), limit=max_bytes)
            except ValueError:
                why = f"larger than {max_bytes:,} bytes"
            except OSError:
                why = "cannot be read"
        if why:
            left_out.add(path, why)
    return contents
