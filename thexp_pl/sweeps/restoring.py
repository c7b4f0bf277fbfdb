"""What the runs of a sweep run: its code and its configuration, written out into its folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from thexp_pl.record.code import export_tree
from thexp_pl.sweeps.configuration import keep_beside, keep_within
from thexp_pl.sweeps.links import link_left_out
from thexp_pl.sweeps.sweep import Sweep

__all__ = ["write_out"]


def write_out(sweep: Sweep, project: Path, files: Mapping[Path, bytes]) -> None:
    """Write out what the runs of a sweep run, and link what they see besides.

    Each folder is made under another name first, so that it is whole or not there.

    Args:
        sweep: The sweep.
        project: The project, symbolic links resolved.
        files: The content of its configuration files, by their resolved absolute paths.

    Raises:
        GitError: The code cannot be restored.
        OSError: Something cannot be written; of a new sweep nothing is left then.
    """
    paths = sweep.paths
    paths.folder.mkdir(exist_ok=True)
    aside = paths.folder / ".restoring"
    try:
        keep_beside(paths, files, project)
        if paths.code.is_dir():
            link_left_out(project, paths.code, paths.root)
            return
        shutil.rmtree(aside, ignore_errors=True)
        export_tree(paths.root, sweep.tree, aside)
        keep_within(aside, files, project)
        link_left_out(project, aside, paths.root)
        (aside / sweep.folder).mkdir(parents=True, exist_ok=True)  # it may have held nothing
        aside.rename(paths.code)
    except BaseException:
        shutil.rmtree(aside if paths.manifest.exists() else paths.folder, ignore_errors=True)
        raise
