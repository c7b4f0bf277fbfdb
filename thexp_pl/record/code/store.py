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
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from thexp_pl.atomic import flush_folder, read_bytes, write_bytes, write_text
from thexp_pl.record.code.git import Git, GitError
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
# All new files in one pack, which is written and flushed at once: five times as fast on a first
# snapshot. The few that are too small for it are flushed one by one.
_IN_ONE_PACK = ("-c", "core.bigFileThreshold=1", "-c", "core.fsyncMethod=fsync")
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
_HASH = re.compile(rb"[0-9a-f]{40}\n?")
_STALE_SECONDS = 3600.0  # no git command of ours lives so long
_WAIT_SECONDS = 60.0


class Store:
    """The code store of an experiment root; it is made where it is missing.

    Args:
        root: The experiment root.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.path = code_store(root)
        if not (self.path / "HEAD").is_file():
            self._make()

    def git(self, work_tree: Path, index: Path | None = None, more: Sequence[str] = ()) -> Git:
        """Use the store with a working tree.

        Args:
            work_tree: The working tree.
            index: A file for the index; None for an empty one, which is never written.
            more: Further options before the command.

        Returns:
            git in the working tree; no setting and no hook of the user has a say in it.
        """
        places = (f"--git-dir={self.path}", f"--work-tree={work_tree}")
        file = self.path / "thexp" / "none" if index is None else index
        variables = {**_VARIABLES, "GIT_INDEX_FILE": str(file)}
        return Git(work_tree, (*places, *_OPTIONS, *more), variables)

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
        with self._folder() as folder:
            addition = _Addition(self, project, files, extra, last, folder / "index")
            was_warm = addition.begin()
            if was_warm:
                # Damaged, or someone removed objects that it names: then all is read anew.
                with contextlib.suppress(GitError):
                    return addition.finish()
            with _alone(last.with_suffix(".lock")):
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
            objects = self.path / "objects"
            _sweep(folder, (folder.parent, "tmp-"), (objects, "tmp_"), (objects / "pack", "tmp_"))
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Addition:
    """A tree on its way into the store, in an index that no other process uses."""

    def __init__(
        self,
        store: Store,
        project: Path,
        files: Sequence[bytes],
        extra: Mapping[bytes, bytes],
        last: Path,
        index: Path,
    ) -> None:
        self._store = store
        self._project = project
        self._files = files
        self._extra = extra
        self._last = last
        self._index = index
        self._stamp: tuple[int, int] | None = None

    def begin(self) -> bool:
        """Begin with the last index of the project; say whether there is one."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._last, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as source:
                facts = os.fstat(source.fileno())
                if stat.S_ISREG(facts.st_mode):
                    self._index.write_bytes(source.read())
                    # git reads again what is as young as the index: its age belongs to it.
                    os.utime(self._index, ns=(facts.st_atime_ns, facts.st_mtime_ns))
                    self._stamp = _stamp(self._index)
                    return True
        return False

    def begin_anew(self) -> None:
        """Begin with an empty index."""
        self._index.unlink(missing_ok=True)
        self._index.with_suffix(".lock").unlink(missing_ok=True)
        self._stamp = None

    def finish(self) -> tuple[str, str]:
        """Bring the index to the files, write its tree, and have the next snapshot begin with it.

        Returns:
            The hashes of tree and commit.
        """
        git = self._store.git(self._project, self._index)
        update = ("update-index", "--add", "--remove", "-z", "--stdin")
        if self._stamp is None:
            many = self._store.git(self._project, self._index, _IN_ONE_PACK)
            many(*update, feed=b"\0".join(self._files))
        else:
            known = git("ls-files", "-z").split(b"\0")[:-1]
            gone = set(known).difference(self._files, self._extra)
            if gone:  # first, so that a file can take the place of a folder
                git("update-index", "--force-remove", "-z", "--stdin", feed=b"\0".join(gone))
            git(*update, feed=b"\0".join(self._files))
        for name, content in self._extra.items():
            blob = git("hash-object", "-w", "--stdin", feed=content).strip()
            entry = b"100644,%b,%b" % (blob, name)
            git("update-index", "--add", "--cacheinfo", entry)
        tree = git("write-tree").decode("ascii").strip()
        commit = self._commit(git, tree)
        if _stamp(self._index) != self._stamp:
            self._index.replace(self._last)
        return tree, commit

    def _commit(self, git: Git, tree: str) -> str:
        ref = self._store.ref(tree)
        with contextlib.suppress(OSError, ValueError):
            known = read_bytes(ref, limit=1000)
            if _HASH.fullmatch(known):
                return known.decode("ascii").strip()
        packed = git("for-each-ref", "--format=%(objectname)", f"refs/snapshots/{tree}")
        if _HASH.fullmatch(packed):
            return packed.decode("ascii").strip()
        commit = git("commit-tree", tree, "-m", "code of a run").decode("ascii").strip()
        # `update-ref` takes a lock, which a process that is killed leaves for ever.
        aside = self._index.with_name("ref")
        write_bytes(aside, f"{commit}\n".encode())
        ref.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(ref)
        flush_folder(ref.parent)
        return commit


def _stamp(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        facts = path.stat()
        return facts.st_ino, facts.st_mtime_ns
    return None


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait for a process that reads the same project; where that fails, go on beside it."""
    import filelock  # 70 ms, and needed by the first snapshot only

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):
            stack.enter_context(filelock.FileLock(lock, timeout=_WAIT_SECONDS))
        yield


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
