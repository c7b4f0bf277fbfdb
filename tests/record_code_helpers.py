"""Projects in git repositories, what their owner sees of them, and snapshots read back."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thexp_pl.record.code import export_tree, take_snapshot
from thexp_pl.record.paths import code_store

_IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")


def git(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    """Run git as the owner of a project would."""
    done = subprocess.run(
        ["git", *_IDENTITY, *words], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, and the folders that they need."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def repository(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Make a repository with one commit of some files."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    write(folder, files)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def tree_of(folder: Path) -> dict[bytes, tuple[str, bytes]]:
    """Read a folder: of each file its kind and content, of each link where it points."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[os.fsencode(path.relative_to(folder))] = ("link", os.fsencode(path.readlink()))
        elif stat.S_ISREG(mode):
            kind = "program" if mode & stat.S_IXUSR else "file"
            found[os.fsencode(path.relative_to(folder))] = (kind, path.read_bytes())
    return found


def restored(root: Path, facts: Mapping[str, Any]) -> dict[bytes, tuple[str, bytes]]:
    """Write a snapshot out and read it."""
    target = root / "restored"
    export_tree(root, facts["tree"], target)
    found = tree_of(target)
    shutil.rmtree(target)
    assert len(found) == facts["files"]
    return found


def kept(project: Path, root: Path, **options: Any) -> set[str]:
    """Take a snapshot and name its files."""
    return {os.fsdecode(name) for name in restored(root, take_snapshot(project, root, **options))}


def reasons(facts: Mapping[str, Any]) -> dict[str, str]:
    """Name what a snapshot left out, and why."""
    assert facts["left_out_count"] >= len(facts["left_out"])
    return {entry["path"]: entry["why"] for entry in facts["left_out"]}


def store_files(root: Path) -> set[str]:
    """Name the objects and refs of a root's store."""
    store = code_store(root)
    return {
        str(path.relative_to(store))
        for folder in ("objects", "refs")
        for path in (store / folder).rglob("*")
        if path.is_file()
    }


def owner_sees(folder: Path) -> tuple[dict[bytes, tuple[str, bytes]], list[str]]:
    """All that the owner of a repository could find changed: its files, ``.git`` too, and more."""
    words = (["rev-parse", "HEAD"], ["status", "--porcelain"], ["stash", "list"], ["for-each-ref"])
    files = tree_of(folder)  # first: `git status` may write the index
    return files, [git(folder, *each) for each in words]


def run_script(script: Path, *words: str, cwd: Path | None = None, **env: str) -> str:
    """Run a script of its own process."""
    done = subprocess.run(
        [sys.executable, *([str(script)] if script.name else []), *words],
        cwd=cwd or script.parent,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
