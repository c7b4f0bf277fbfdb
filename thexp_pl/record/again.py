"""What a run takes over in a process that is to be a run again, see `thexp_pl.record.rerun`."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record import rerun
from thexp_pl.record.code.walk import is_repository
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.record.folders import run_folders
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.names import shown
from thexp_pl.record.options import RecordOptions
from thexp_pl.record.paths import RunPaths

__all__ = ["Turn", "next_turn", "stand_in", "take_checkpoint"]

_TREE = re.compile("[0-9a-f]{40,64}")

_given: Path | None = None  # the root that the script's first Experiment named
_begun = 0  # how many of the runs have been taken
_is_taken = False  # the checkpoint, by a fit


@dataclass(frozen=True)
class Turn:
    """One of the runs that a process is to be again.

    Args:
        how: As in `Rerun`.
        in_place: Whether it goes on in its own folder.
        project: As in `Rerun`.
        checkpoint: As in `Rerun`.
        parent: The recorded run.
        manifest: Its manifest.
        written: The ``tree`` of `Rerun`.
    """

    how: str
    in_place: bool
    project: Path | None
    checkpoint: str
    parent: RunPaths
    manifest: dict[str, Any]
    written: str = ""

    @property
    def origin(self) -> dict[str, str] | None:
        """What a new run says of its parent; None where there is no new one."""
        return None if self.in_place else {"key": self.parent.key, "how": self.how}

    @property
    def tree(self) -> str | None:
        """The tree of the recorded code, where git kept it."""
        tree = (self.manifest["code"] or {}).get("tree")
        return tree if isinstance(tree, str) and _TREE.fullmatch(tree) else None

    @property
    def restored(self) -> str | None:
        """The tree that was written out as the project; None where that is the user's own one."""
        own = self.project is None or is_repository(os.fsencode(self.project))
        return None if own else self.written or self.tree

    def applied(self, options: RecordOptions) -> RecordOptions:
        """Give the choices of the record with the folder that stands for the project."""
        return options if self.project is None else replace(options, project=self.project)


def stand_in(root: Path) -> Path:
    """Give the root that an Experiment records to.

    Args:
        root: What the script names.

    Returns:
        The recorded root in place of the one that the script's first Experiment named, in a process
        that is to be a run again; else the root itself.

    Raises:
        RecordError: What the process was told cannot be read.
    """
    global _given
    told = rerun.current()
    if told is None:
        return root
    _given = root if _given is None else _given
    return told.root if root == _given else root


def next_turn(root: Path, experiment: str) -> Turn | None:
    """Give the recorded run that the run which starts now is again.

    Args:
        root: The root that it is recorded to.
        experiment: Its experiment.

    Returns:
        The n-th of the recorded runs to the n-th that asks; None where this process is to be no run
        again, and with a warning where it starts more of them.

    Raises:
        RecordError: The recorded run cannot be found or read.
    """
    global _begun
    told = rerun.current()
    if told is None or root != told.root or not told.runs:
        return None
    _begun += 1
    if _begun > len(told.runs):
        warnings.warn(
            f"this is run {_begun} of a process that recorded {len(told.runs)} before: it is none"
            " of those again",
            RecorderWarning,
            stacklevel=5,
        )
        return None
    parent = _find(root, experiment, told.runs[_begun - 1])
    try:
        manifest = read_manifest(parent.manifest)
    except (OSError, ValueError) as error:
        raise RecordError(
            f"the run {parent.key} cannot be done again: its run.json cannot be used ({error})"
        ) from error
    return Turn(told.how, told.in_place, told.project, told.checkpoint, parent, manifest, told.tree)


def _find(root: Path, experiment: str, key: str) -> RunPaths:
    paths = RunPaths(root, experiment, key)
    if not paths.manifest.exists():  # the script may name its experiment otherwise each time
        found = [other for other in run_folders(root) if other.key == key]
        if not found:
            raise RecordError(
                f"the run {shown(key)} cannot be done again: it is not in {str(root)!r}"
            )
        paths = found[0]
    return paths


def take_checkpoint() -> str:
    """Give the checkpoint that the first fit goes on from; it is given once.

    Returns:
        Its path; an empty text in a process that was told of none, and from the second fit on.

    Raises:
        RecordError: What the process was told cannot be read.
    """
    global _is_taken
    told = rerun.current()
    if told is None or _is_taken:
        return ""
    _is_taken = True
    return told.checkpoint
