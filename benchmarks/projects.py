"""Projects whose code is kept: git repositories of many small files."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["edit", "git", "make_project"]

_IN_A_PACKAGE = 50


def git(folder: Path, *words: str | Path) -> None:
    """Call git in a folder, without what it says."""
    subprocess.run(["git", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def make_project(folder: Path, files: int) -> Path:
    """Make a git repository of modules, all committed; give its folder."""
    for number in range(files):
        path = _module(folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n" * 20, "utf-8")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all")
    return folder


def edit(folder: Path, number: int) -> None:
    """Change a module of a project to what it never was; `number` says to what."""
    _module(folder, 0).write_text(f"CHANGED = {number}\n" * 20, "utf-8")


def _module(folder: Path, number: int) -> Path:
    return folder / f"package{number // _IN_A_PACKAGE}" / f"module{number}.py"
