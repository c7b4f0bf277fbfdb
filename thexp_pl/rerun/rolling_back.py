"""A run as it was at one of its checkpoints, in a new folder, with the command that goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from thexp_pl.atomic import write_json
from thexp_pl.errors import ThexpError
from thexp_pl.globvars import MARK_FOLDER
from thexp_pl.record.rerun import Rerun
from thexp_pl.rerun.checkpoints import Found, find_checkpoint
from thexp_pl.rerun.code import check_whole
from thexp_pl.rerun.folders import RerunFolder, beside, given
from thexp_pl.rerun.moved import Moved
from thexp_pl.rerun.preparing import Prepared, prepare
from thexp_pl.rerun.siblings import runs_of_process
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.codes import code_at
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
    tree = _tree(run, found)
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
        return Rerun("resumed", keys, run.paths.root, final.code, str(copy), tree=tree or "")

    names = beside(_project(run), run.key) if to is None else [given(to)]
    return Rollback(prepare(run, names, tell, tree=tree), found, earlier)


def _tree(run: Run, found: Found) -> str | None:
    """Tell which code saved a checkpoint."""
    if found.path is None:
        return None
    when = found.path.stat().st_mtime
    if found.record is not None:  # the time of a file is lost where it is copied
        with contextlib.suppress(ValueError):
            when = datetime.fromisoformat(found.record.time).timestamp()
    return code_at(run, when)


def _project(run: Run) -> Path | None:
    """Find the project of a run; of one that was itself done again, that of the first."""
    hidden = Path(os.path.realpath(run.paths.root)) / MARK_FOLDER
    seen: set[str] = set()
    project = Moved(run, Path()).project
    while project is not None and hidden in project.parents:
        seen.add(run.key)
        key = (run.manifest["parent"] or {}).get("key")
        if not isinstance(key, str) or key in seen:
            return None
        try:
            run = ExperimentViewer([run.paths.root]).run(key)
        except ThexpError:  # it was removed
            return None
        project = Moved(run, Path()).project
    return project


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
