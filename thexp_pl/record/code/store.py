"""The bare git repository that keeps the code of all runs of an experiment root.

Each distinct tree has one commit without parents and one ref, ``refs/snapshots/<tree>``: a garbage
collection by anyone keeps it, and equal code is kept once. A process that is killed leaves no lock
that the next one would wait for: each has an index of its own, and a ref's file takes its name in
one step. Beside the objects, ``thexp/`` keeps the last index of each project, so that files which
have not changed since are not read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from thexp_pl.atomic import write_text
from thexp_pl.record.code.addition import Addition, alone, keep_tree
from thexp_pl.record.code.git import Git, GitError
from thexp_pl.record.code.holding import adding, dropping
from thexp_pl.record.paths import code_store

__all__ = ["Store"]

_ATTRIBUTES = (
    "* -text -eol -crlf -filter -ident -working-tree-encoding -export-ignore -export-subst\n"
)
_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fileMode=true", "-c", "core.symlinks=true"),
    *("-c", "core.fsmonitor=false", "-c", "core.safecrlf=false", "-c", "gc.auto=0"),
    *("-c", "core.protectHFS=false", "-c", "core.protectNTFS=false"),
    *("-c", "core.fsync=loose-object", "-c", "core.fsyncMethod=batch"),
)
_VARIABLES = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",  # a ref is written as a file here
    # Fixed, so that processes which snapshot the same tree at once make the same commit.
    **{f"GIT_{who}_NAME": "thexp_pl" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "thexp_pl@localhost" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "@0 +0000" for who in ("AUTHOR", "COMMITTER")},
}
_STALE_SECONDS = 3600.0  # no git that adds lives so long, and while one drops nobody adds


class Store:
    """The code store of an experiment root; it is made where it is missing.

    Args:
        root: The experiment root.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.path = code_store(root)
        self._held: list[int] = []  # descriptors of the lock, while this process has it
        if not (self.path / "HEAD").is_file():
            self._make()

    def git(
        self,
        work_tree: Path,
        index: Path | None = None,
        more: Sequence[str] = (),
        *,
        patient: bool = False,
    ) -> Git:
        """Use the store with a working tree.

        What it starts while `adding` or `dropping` lasts keeps the lock to its own end, also where
        this process is killed before.

        Args:
            work_tree: The working tree.
            index: A file for the index; None for an empty one, which is never written.
            more: Further options before the command.
            patient: Wait as long as it takes, see `Git`.

        Returns:
            git in the working tree; no setting and no hook of the user has a say in it.
        """
        places = (f"--git-dir={self.path}", f"--work-tree={work_tree}")
        file = self.path / "thexp" / "none" if index is None else index
        variables = {**_VARIABLES, "GIT_INDEX_FILE": str(file)}
        options = (*places, *_OPTIONS, *more)
        return Git(work_tree, options, variables, held=self._held, patient=patient)

    def add(
        self, project: Path, files: Sequence[bytes], extra: Mapping[bytes, bytes]
    ) -> tuple[str, str]:
        """Keep a tree; nothing is added where the store has it already.

        Args:
            project: The folder, symbolic links resolved.
            files: Files in it to keep.
            extra: Contents of files that are not in it, by the name that they get.

        Returns:
            The tree's hash and that of its commit.

        Raises:
            GitError: git cannot read a file or write into the store.
            OSError: The store cannot be written.
        """
        name = hashlib.sha256(os.fsencode(project)).hexdigest()[:16]
        last = self.path / "thexp" / f"{name}.index"
        with self.adding(), self._folder() as folder:
            addition = Addition(self, project, files, extra, last, folder / "index")
            was_warm = addition.begin()
            if was_warm:
                # Damaged, or someone removed objects that it names: then all is read anew.
                with contextlib.suppress(GitError):
                    return addition.finish()
            with alone(last.with_suffix(".lock")):
                if not was_warm and addition.begin():  # another process was first
                    with contextlib.suppress(GitError):
                        return addition.finish()
                addition.begin_anew()
                return addition.finish()

    def ref(self, tree: str) -> Path:
        """Say where the ref of a tree is written.

        Args:
            tree: The tree's hash.

        Returns:
            The file; git may have moved what it says to ``packed-refs``.
        """
        return self.path / "refs" / "snapshots" / tree

    def adopt(self, pack: Path, trees: Sequence[str]) -> None:
        """Take in trees that another store kept.

        Args:
            pack: A pack file that holds all that is in them.
            trees: Their hashes.

        Raises:
            GitError: The pack is damaged, or holds less.
            OSError: The store cannot be written.
        """
        git = self.git(self.path, patient=True)
        with self.adding(), self._folder() as folder:
            git("index-pack", "--stdin", feed=pack.read_bytes())
            git("rev-list", "--objects", "--quiet", *trees)  # fails where something is missing
            for tree in trees:
                keep_tree(self, git, tree, folder / "ref")

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        """Keep all that is in the store while something is added; see `holding.adding`."""
        with adding(self.path / "in-use") as descriptor, self._inherited(descriptor):
            yield

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """Be the only one at work in the store; see `holding.dropping`."""
        with dropping(self.path / "in-use") as descriptor, self._inherited(descriptor):
            yield

    def sweep(self) -> None:
        """Remove what processes that were killed have left, as each addition does."""
        with self._folder():
            pass

    @contextlib.contextmanager
    def _inherited(self, descriptor: int) -> Iterator[None]:
        self._held.append(descriptor)
        try:
            yield
        finally:
            self._held.remove(descriptor)

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Made aside and renamed: of many processes that call `init` in one place, some fail.
        aside = self.path.parent / f".tmp-{os.urandom(8).hex()}"
        aside.mkdir()
        try:
            _sweep(aside, (aside.parent, ".tmp-"))
            git = Git(aside, (), _VARIABLES)
            git("init", "--bare", "--quiet", "--template=", "--", str(aside))
            for name in ("info", "thexp", "refs/snapshots"):
                (aside / name).mkdir(exist_ok=True)
            write_text(aside / "info" / "attributes", _ATTRIBUTES)
            try:
                aside.rename(self.path)
            except OSError:
                if not (self.path / "HEAD").is_file():  # else another process was first
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = self.path / "thexp" / f"tmp-{os.urandom(8).hex()}"
        folder.mkdir(parents=True)
        try:
            objects, packs = self.path / "objects", self.path / "objects" / "pack"
            stale = (folder.parent, "tmp-"), (objects, "tmp_"), (packs, "tmp_"), (packs, ".tmp-")
            _sweep(folder, *stale)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(young: Path, *places: tuple[Path, str]) -> None:
    """Remove what processes that were killed have left, judged by the file system's own clock."""
    now = young.stat().st_mtime
    for folder, start in places:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(start) and now - entry.stat().st_mtime > _STALE_SECONDS:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)  # noqa: PTH108 - a name of scandir
