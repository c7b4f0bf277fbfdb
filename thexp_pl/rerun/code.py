"""The code of a run, written out as it was recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.code import export_tree
from thexp_pl.record.names import shown
from thexp_pl.runs.run import Run

__all__ = ["check_whole", "restore_code"]


def check_whole(run: Run) -> None:
    """Check that there is a record to go by.

    Args:
        run: The run.

    Raises:
        RecordError: Its manifest is damaged.
    """
    if run.damage:
        raise RecordError(
            f"the run {shown(run.key)} cannot be done again: {run.damage}; choose another run"
        )


def restore_code(run: Run, target: Path, tree: str | None = None) -> None:
    """Write the code of a run into a new folder, byte for byte.

    Executable bits are kept, and symbolic links are written as the links they are.

    Args:
        run: The run.
        target: The folder to make; its parent is there.
        tree: Which of several codes that the run ran, see `thexp_pl.runs.codes`; by default the
            last.

    Raises:
        GitError: The root's store has not got that code.
        RecordError: The run was recorded without its code, or its copy is gone.
        OSError: The folder cannot be written; nothing is left behind.
    """
    check_whole(run)
    facts: dict[str, Any] = run.manifest["code"] or {}
    if tree is not None or facts.get("how") == "git":
        export_tree(run.paths.root, str(tree or facts.get("tree")), target)
    elif facts.get("how") == "copy" and run.paths.code.is_dir():
        _copy(run.paths.code, target)
    else:
        raise RecordError(
            f"the code of the run {shown(run.key)} was not kept, so it cannot be restored: only"
            " runs that were recorded with `code=True`, the default, can"
        )


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, symlinks=True)
    except shutil.Error as error:  # a list of what could not be copied
        shutil.rmtree(target, ignore_errors=True)
        raise RecordError(f"cannot copy {shown(str(source))}: {error.args[0][0][2]}") from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
