"""Writing a kept tree out again."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.code.git import GitError
from thexp_pl.record.code.store import Store

__all__ = ["export_tree"]


def export_tree(root: Path, tree: str, target: Path) -> None:
    """Write the files of a snapshot, byte for byte, with executable bits and symbolic links.

    Args:
        root: The experiment root.
        tree: The tree that the run's manifest names.
        target: The folder to make; an empty one may be there.

    Raises:
        GitError: The store has no such tree, or the target cannot be written by git.
        RecordError: `tree` is no hash.
        OSError: The target cannot be written, or holds something; nothing is left behind.
    """
    if not re.fullmatch(r"[0-9a-f]{40}", tree):
        raise RecordError(f"{tree[:80]!r} names no tree: it takes the 40 hexadecimal digits of one")
    import tempfile  # 4 ms

    store = Store(root)
    aside = target.parent / f".tmp-{os.urandom(8).hex()}"
    aside.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            git = store.git(aside, Path(folder, "index"))
            git("read-tree", tree)
            git("checkout-index", "--all", "--quiet")
        aside.rename(target)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, GitError):  # it names the folder that is gone now
            raise GitError(
                f"cannot write out the tree {tree} of {str(store.path)!r}: {error.said}; see"
                " whether the target's file system is full or limited, and what `thexp-pl gc"
                " --check` says",
                error.said,
            ) from error
        raise
