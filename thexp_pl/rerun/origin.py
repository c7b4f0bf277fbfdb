"""The checkpoint that a run has gone on from."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from thexp_pl.errors import CheckpointError
from thexp_pl.record.facts.hashing import hash_file
from thexp_pl.record.journal import read_journal
from thexp_pl.record.names import shown
from thexp_pl.record.paths import trash_of
from thexp_pl.rerun.moved import Moved
from thexp_pl.runs.run import Run
from thexp_pl.saver.choosing import checkpoint_path

__all__ = ["origin_of"]


def origin_of(run: Run, moved: Moved) -> Path | None:
    """Find the checkpoint that a run has gone on from.

    Args:
        run: The run.
        moved: Where the paths of its record are.

    Returns:
        The file, checked, where its run was removed that in the trash; None for a run that began
        anew.

    Raises:
        CheckpointError: It is gone, or not what it was.
    """
    parent: dict[str, Any] = run.manifest["parent"] or {}
    if parent.get("how") != "resumed":
        return None
    path = moved.found(parent.get("checkpoint")) or _from_journal(run, parent.get("key"))
    if path is None:
        raise CheckpointError(
            f"the run {shown(run.key)} went on from a checkpoint of another, and its record does"
            f" not say from which: reproduce {shown(str(parent.get('key')))}, that other run"
        )
    try:
        found = checkpoint_path(_in_trash(path, run.paths.root) or path)
        _check(found, parent.get("sha256"))
    except CheckpointError as error:
        raise CheckpointError(
            f"the run {shown(run.key)} went on from a checkpoint that is not there as it was"
            f" ({error}): reproduce the run {shown(str(parent.get('key')))} in its place"
        ) from error
    return found


def _from_journal(run: Run, parent: Any) -> Path | None:
    with contextlib.suppress(OSError):
        for event in read_journal(run.paths.journal):
            path = event.get("path")
            if event["event"] == "resume" and event.get("run") == parent and isinstance(path, str):
                return Path(path)
    return None


def _in_trash(path: Path, root: Path) -> Path | None:
    """Say where a file lies whose run was removed since; None for one that is where it was."""
    if not path.is_file():
        for spelling in (root, Path(os.path.realpath(root))):
            if spelling in path.parents:
                place = trash_of(root) / path.relative_to(spelling)
                return place if place.is_file() else None
    return None


def _check(path: Path, sha256: Any) -> None:
    if isinstance(sha256, str) and hash_file(path, lambda: False).sha256 != sha256:
        raise CheckpointError(f"{path} is another file by now")
