"""The working project that ``thexp-pl init --template`` makes."""

from __future__ import annotations

import contextlib
import os
from importlib.resources import files
from pathlib import Path

from thexp_pl.errors import UsageError
from thexp_pl.globvars import globs
from thexp_pl.record.names import shown

__all__ = ["write_template"]

# In the package they end in `.txt`, so that nobody takes them for its own tests or rules.
_FILES = {
    "train.py": "train.py.txt",
    "config.yaml": "config.yaml.txt",
    "tests/test_train.py": "test_train.py.txt",
    "pyproject.toml": "pyproject.toml.txt",
    ".gitignore": "gitignore.txt",
    "README.md": "README.md.txt",
}
_TRAINER = "train:MyTrainer"  # what a plain `thexp-pl fit` trains there


def write_template(folder: str | os.PathLike[str]) -> list[str]:
    """Make a folder a small working project; what is there stays as it is.

    Args:
        folder: The folder, made where it is missing.

    Returns:
        The files that were made, as seen from the folder.

    Raises:
        GlobsError: The folder cannot be a project.
        UsageError: Some of the files are there already; nothing was changed.
        OSError: They cannot be written; what was written is gone again.
    """
    target = Path(folder)
    there = [name for name in _FILES if os.path.lexists(target / name)]
    if there:
        raise UsageError(
            f"{shown(str(target))} has {', '.join(there)} already, and nothing is overwritten:"
            " choose an empty folder"
        )
    with contextlib.ExitStack() as undo:
        for name, source in _FILES.items():
            path = target / name
            _make_folders(path.parent, undo)
            with path.open("x", encoding="utf-8") as file:
                undo.callback(path.unlink, missing_ok=True)
                file.write((files(__package__) / source).read_text(encoding="utf-8"))
        globs.init(target, {"trainer_class": _TRAINER})
        undo.pop_all()
    return list(_FILES)


def _make_folders(folder: Path, undo: contextlib.ExitStack) -> None:
    for parent in reversed((folder, *folder.parents)):
        if not parent.is_dir():
            parent.mkdir()
            undo.callback(_remove, parent)


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody has put something into it
        folder.rmdir()
