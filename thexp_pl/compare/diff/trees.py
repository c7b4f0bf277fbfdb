"""The kept code of two runs as two git trees in one view, whatever kept it and in which root."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.record.code.git import Git
from thexp_pl.record.code.store import Store
from thexp_pl.record.inside import check_inside
from thexp_pl.record.paths import code_store
from thexp_pl.runs.run import Run

__all__ = ["KeptCode", "Trees", "in_view", "keeps_code", "keeps_key_code"]

# Beside the user's settings, which the store shuts out, git would look for ~/.config/git/attributes
_OPTIONS = ("-c", f"core.attributesFile={os.devnull}", "-c", "core.quotePath=false")


@dataclass(frozen=True)
class KeptCode:
    """What a run kept of its code.

    Args:
        tree: The tree of its snapshot; empty where it has none.
        place: The objects of the root's store, or the folder of a plain copy.
    """

    tree: str
    place: Path


@dataclass(frozen=True)
class Trees:
    """Two trees that one git sees.

    Args:
        a: The tree of the first run.
        b: That of the second.
        git: git in an empty folder, on a store of its own that is gone with the view.
    """

    a: str
    b: str
    git: Git


def keeps_code(run: Run) -> KeptCode | None:
    """Say what a run kept of its project.

    Args:
        run: The run.

    Returns:
        A snapshot or a plain copy; None for neither.
    """
    code = run.manifest["code"] or {}
    tree = code.get("tree")
    if isinstance(tree, str) and re.fullmatch(r"[0-9a-f]{40}", tree):
        return KeptCode(tree, code_store(run.paths.root) / "objects")
    is_copy = code.get("how") == "copy" and run.paths.code.is_dir()
    return KeptCode("", run.paths.code) if is_copy else None


def keeps_key_code(run: Run) -> KeptCode | None:
    """Say what a run kept by `Experiment.keycode`.

    Args:
        run: The run.

    Returns:
        Its folder; None where there is none.
    """
    return KeptCode("", run.paths.keycode) if run.paths.keycode.is_dir() else None


@contextmanager
def in_view(a: KeptCode, b: KeptCode) -> Iterator[Trees]:
    """Bring two trees in view without writing into either root.

    A plain copy holds what ran, a snapshot the whole project: beside a copy a snapshot is taken
    down to the files that the copy has.

    Args:
        a: What a run kept.
        b: What another one kept.

    Yields:
        The trees; the hash of one that is the same code is the same.

    Raises:
        GitError: A snapshot cannot be read.
        NoGitError: There is no git program.
        OSError: A copy cannot be read or is a link out of its run's folder, or the temporary folder
            cannot be written.
    """
    import tempfile  # 4 ms

    for place in (kept.place for kept in (a, b) if not kept.tree):
        check_inside(place, place.parent)
    with tempfile.TemporaryDirectory(prefix="thexp-pl-diff-") as folder:
        store = Store(Path(folder))
        sources = [kept.place for kept in (a, b) if kept.tree]
        alternates = store.path / "objects" / "info" / "alternates"
        alternates.write_bytes(b"".join(map(_alternate, sources)))
        empty = Path(folder, "empty")
        empty.mkdir()
        git = store.git(empty, more=_OPTIONS)
        trees = [kept.tree or store.add(kept.place, _files(kept.place), {})[0] for kept in (a, b)]
        if bool(a.tree) != bool(b.tree):
            whole, copy = (0, 1) if a.tree else (1, 0)
            with_index = store.git(empty, Path(folder, "index"))
            trees[whole] = _taken_down(with_index, trees[whole], trees[copy])
        yield Trees(trees[0], trees[1], git)


def _alternate(objects: Path) -> bytes:
    """Name a folder of objects, as git's list of them spells a name of any kind."""
    name = os.fsencode(os.path.realpath(objects))
    return b'"%b"\n' % name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _files(folder: Path) -> list[bytes]:
    top = os.fsencode(folder)
    found = []
    for place, _, names in os.walk(top):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - bytes
            if stat.S_ISREG(os.lstat(path).st_mode):  # a copy is made of regular files alone
                found.append(os.path.relpath(path, top))
    return sorted(found)


def _taken_down(git: Git, tree: str, copy: str) -> str:
    listing = git("ls-tree", "-r", "-z", "--name-only", copy).split(b"\0")[:-1]
    entries = git("ls-tree", "-r", "-z", tree).split(b"\0")[:-1]
    names = frozenset(listing)
    kept = [entry for entry in entries if entry.split(b"\t", 1)[1] in names]
    git("update-index", "-z", "--index-info", feed=b"".join(entry + b"\0" for entry in kept))
    return git("write-tree", "--missing-ok").decode("ascii").strip()
