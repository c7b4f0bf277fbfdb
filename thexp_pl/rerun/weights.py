"""What a run has kept of weights and states: which files hold it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from thexp_pl.errors import CheckpointError
from thexp_pl.runs.run import Run
from thexp_pl.saver import listing
from thexp_pl.saver.names import CHECKPOINT, KEYPOINT, MODEL, Kind

__all__ = ["Kept", "kept_files"]

_SUFFIXES = (".ckpt", ".pth", ".pt")
_NOT_KEPT = {"code", "keycode", "board"}  # of the run's folder: its sources, and pictures


class Kept(NamedTuple):
    """A file with weights or a state.

    Args:
        name: Its name as seen from the run's folder.
        path: The file.
        place: Where in the training it was saved; an empty text where no Saver saved it.
    """

    name: str
    path: Path
    place: str


def kept_files(run: Run) -> dict[str, Kept]:
    """Find what a run has kept, in all of its folders.

    Args:
        run: The run.

    Returns:
        Of each folder that a Saver saved into, the newest checkpoint, keypoint and model; and all
        other files such as those of `torch.save` and of Lightning's own ModelCheckpoint. The names
        are those by which the files of two runs are told to be the same.
    """
    found: dict[str, Kept] = {}
    for at, folders, names in os.walk(run.paths.folder):
        folder = Path(at)
        if folder == run.paths.folder:
            folders[:] = [name for name in folders if name not in _NOT_KEPT]
        folders.sort()
        if any(name.endswith(_SUFFIXES) for name in names):
            found.update(_in_folder(folder, sorted(names), run.paths.folder))
    return found


def _in_folder(folder: Path, names: list[str], top: Path) -> Iterator[tuple[str, Kept]]:
    within = folder.relative_to(top)
    saved = set()
    for kind in (CHECKPOINT, KEYPOINT, MODEL):
        entries = _committed(folder, kind)
        saved |= {entry.path.name for entry in entries}
        for entry in entries[-1:]:
            record = entry.sidecar.record
            step = "" if record is None or record.step is None else f", step {record.step}"
            name = str(within / entry.path.name)
            kept = Kept(name, entry.path, f"epoch {entry.epoch}{step}")
            yield f"{within}, newest {kind.noun}", kept
    for name in names:
        if name.endswith(_SUFFIXES) and name not in saved and (folder / name).is_file():
            yield str(within / name), Kept(str(within / name), folder / name, "")


def _committed(folder: Path, kind: Kind) -> list[listing.Entry]:
    try:
        return listing.committed(folder, kind)
    except CheckpointError:  # it went meanwhile
        return []
