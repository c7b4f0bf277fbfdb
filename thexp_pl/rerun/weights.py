"""The weights with which a run ended: which file holds them."""

from __future__ import annotations

from pathlib import Path

from thexp_pl.runs.run import Run
from thexp_pl.saver import listing
from thexp_pl.saver.choosing import MODULES
from thexp_pl.saver.names import CHECKPOINT, KEYPOINT, MODEL

__all__ = ["final_weights"]

_SUFFIXES = (".ckpt", ".pth", ".pt")


def final_weights(run: Run) -> Path | None:
    """Find the file with the last weights that a run has kept.

    Args:
        run: The run.

    Returns:
        The newest model in its ``modules/``, else the newest checkpoint there, else one of another
        folder that a Saver saved into, or of Lightning's own ``checkpoints/``; None for none.
    """
    for folder in (run.paths.folder / MODULES, *sorted(run.paths.folder.glob("*/"))):
        entries = [
            entry
            for kind in (MODEL, CHECKPOINT, KEYPOINT)
            if folder.is_dir()
            for entry in listing.committed(folder, kind)[-1:]
        ]
        if entries:
            return entries[0].path
    others = [path for path in run.paths.folder.glob("checkpoints/*") if _is_file(path)]
    return max(others, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def _is_file(path: Path) -> bool:
    return path.suffix in _SUFFIXES and path.is_file()
