"""From which run a checkpoint came."""

from __future__ import annotations

import contextlib
from pathlib import Path

from thexp_pl.errors import CheckpointError
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.paths import RunPaths
from thexp_pl.saver.sidecar import read_sidecar

__all__ = ["run_of_checkpoint"]


def run_of_checkpoint(path: Path) -> str | None:
    """Tell which run wrote a checkpoint.

    Args:
        path: The file.

    Returns:
        The run's key: as the file's sidecar says, else that of the run in whose folder it lies, as
        Lightning's own checkpoints do; None where neither is known.
    """
    with contextlib.suppress(CheckpointError):
        record = read_sidecar(path).record
        if record is not None and isinstance(record.run_key, str):
            return record.run_key
    for folder in path.absolute().parents[:-2]:  # a run has an experiment and a root above it
        paths = RunPaths(folder.parents[1], folder.parent.name, folder.name)
        with contextlib.suppress(OSError, ValueError):
            if read_manifest(paths.manifest)["key"] == paths.key:
                return paths.key
    return None
