"""A run as it was at one of its checkpoints, in a new folder, with the command that goes on."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.atomic import write_json
from thexp_pl.record.rerun import Rerun
from thexp_pl.rerun.checkpoints import Found, find_checkpoint
from thexp_pl.rerun.code import check_whole
from thexp_pl.rerun.folders import RerunFolder, beside, given
from thexp_pl.rerun.moved import Moved
from thexp_pl.rerun.preparing import Prepared, prepare
from thexp_pl.rerun.siblings import runs_of_process
from thexp_pl.runs.run import Run
from thexp_pl.saver.choosing import LAST, checkpoint_path
from thexp_pl.saver.names import sidecar_path

__all__ = ["Rollback", "rollback"]


@dataclass(frozen=True)
class Rollback:
    """A run that was rolled back.

    Args:
        prepared: The folder, and the command that goes on.
        found: The checkpoint of the run; the folder holds a copy.
        earlier: How many runs the same process had recorded before this one; where there are such,
            the command does them anew, and nothing goes on from the checkpoint by itself.
    """

    prepared: Prepared
    found: Found
    earlier: int


def rollback(
    run: Run, checkpoint: str = LAST, *, to: str | os.PathLike[str] | None = None
) -> Rollback:
    """Restore a run as it was at a checkpoint; what came later stays as it is in its own folder.

    Args:
        run: The run.
        checkpoint: ``last``, ``best``, a number of completed epochs, or the name of a file in the
            run's ``modules/``.
        to: The folder to make; by default ``<project>@<key>`` beside the project.

    Returns:
        The folder, with code, configuration, parameters and a copy of the checkpoint, which holds
        weights, optimizers, random states and the place in the data; and the command that goes on
        from there, as a new run. Of a run without a checkpoint the command begins at the start.

    Raises:
        CheckpointError: There is no such checkpoint, or it is damaged.
        RecordError: The run cannot be restored.
        UsageError: The folder is taken.
    """
    check_whole(run)
    found = find_checkpoint(run, checkpoint)
    keys = tuple(each.key for each in runs_of_process(run))
    earlier = keys.index(run.key)

    def tell(aside: RerunFolder, final: RerunFolder) -> Rerun:
        _keep_settings(run, aside)
        if found.path is None:
            return Rerun("reproduced", keys, run.paths.root, final.code)
        _copy_checkpoint(found.path, aside.checkpoints)
        copy = final.checkpoints / found.path.name
        if earlier:  # the first fit of the command is not this run's
            return Rerun("reproduced", keys, run.paths.root, final.code)
        return Rerun("resumed", keys, run.paths.root, final.code, str(copy))

    names = beside(Moved(run, Path()).project, run.key) if to is None else [given(to)]
    return Rollback(prepare(run, names, tell), found, earlier)


def _keep_settings(run: Run, folder: RerunFolder) -> None:
    write_json(folder.params, run.params)
    if run.paths.config.is_file():
        shutil.copyfile(run.paths.config, folder.config)


def _copy_checkpoint(path: Path, folder: Path) -> None:
    folder.mkdir()
    copy = folder / path.name
    shutil.copyfile(path, copy)
    if sidecar_path(path).is_file():
        shutil.copyfile(sidecar_path(path), sidecar_path(copy))
    checkpoint_path(copy)  # which checks it against the sidecar
