"""Checking the code store of a root: every object, and every tree that a run names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from thexp_pl.record.code.git import Git, GitError
from thexp_pl.record.code.store import Store
from thexp_pl.record.paths import code_store
from thexp_pl.upkeep.checking.faults import Fault

__all__ = ["check_code"]

_STORE = ".thexp/code.git"


def check_code(root: Path, trees: Mapping[str, Sequence[str]]) -> list[Fault]:
    """Check that the store is sound, and holds the whole code of some runs.

    Args:
        root: The experiment root.
        trees: The keys of the runs by the tree of their code.

    Returns:
        What is wrong.
    """
    if not (code_store(root) / "HEAD").is_file():
        return [
            Fault(key, _STORE, "the store of the code is gone")
            for keys in trees.values()
            for key in keys
        ]
    store = Store(root)
    git = store.git(store.path, patient=True)
    faults = []
    with store.adding():  # nothing is dropped while it is looked at
        try:
            git("fsck", "--full", "--no-dangling", "--no-progress")
        except GitError as error:
            faults.append(Fault("", _STORE, f"git fsck: {error.said}"))
        kept = _kept(git)
        for tree, keys in sorted(trees.items()):
            fault = "" if tree in kept else f"nothing keeps the tree {tree}"
            # Where the store is sound, what a ref keeps is whole.
            if faults or fault:
                fault = _tree_fault(git, tree) or fault
            faults += [Fault(key, _STORE, fault) for key in keys if fault]
    return faults


def _kept(git: Git) -> set[str]:
    """Give the trees that a ref of their own name keeps."""
    try:
        lines = git("for-each-ref", "--format=%(tree) %(refname)", "refs/snapshots/").decode()
    except GitError:
        return set()
    pairs = (line.split(" ", 1) for line in lines.splitlines())
    return {tree for tree, name in pairs if name == f"refs/snapshots/{tree}"}


def _tree_fault(git: Git, tree: str) -> str:
    try:
        # It reads every object through.
        git("pack-objects", "--revs", "--stdout", "-q", feed=f"{tree}\n".encode())
    except GitError as error:
        return f"the tree {tree} is not whole: {error.said}"
    return ""
