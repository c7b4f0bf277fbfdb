"""A tree on its way into the code store, in an index that no other process uses."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thexp_pl.atomic import flush_folder, read_bytes, write_bytes
from thexp_pl.record.code.git import Git

if TYPE_CHECKING:
    from thexp_pl.record.code.store import Store

__all__ = ["Addition", "alone", "keep_tree"]

# All new files in one pack, which is written and flushed at once: five times as fast on a first
# snapshot. The few that are too small for it are flushed one by one.
_IN_ONE_PACK = ("-c", "core.bigFileThreshold=1", "-c", "core.fsyncMethod=fsync")
_HASH = re.compile(rb"[0-9a-f]{40}\n?")
_WAIT_SECONDS = 60.0


class Addition:
    """The files of a project on their way into a store.

    Args:
        store: The store; nothing is dropped from it meanwhile.
        project: The folder, symbolic links resolved.
        files: Files in it to keep.
        extra: Contents of files that are not in it, by the name that they get.
        last: The last index of the project, of which the next one is made.
        index: The index that this process uses.
    """

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

        Raises:
            GitError: git cannot read a file or write into the store, or the store has lost objects
                that the index names.
            OSError: The store cannot be written.
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
        if not self._store.ref(tree).exists():
            # A collection that was killed may have dropped its files and not its folders, and git
            # takes the index's word for them: this fails where one is missing.
            git("rev-list", "--objects", "--quiet", tree)
        commit = keep_tree(self._store, git, tree, self._index.with_name("ref"))
        if _stamp(self._index) != self._stamp:
            self._index.replace(self._last)
        return tree, commit


def keep_tree(store: Store, git: Git, tree: str, aside: Path) -> str:
    """Give a tree a commit and a ref, or have the ref it has count as new.

    A garbage collection keeps young refs: the manifest that is to name the tree comes later.

    Args:
        store: The store; nothing is dropped from it meanwhile.
        git: git at work on it.
        tree: The tree's hash.
        aside: A file's name on the store's file system that nobody else uses.

    Returns:
        The commit's hash.

    Raises:
        GitError: The store has no such tree.
        OSError: The ref cannot be written.
    """
    ref = store.ref(tree)
    with contextlib.suppress(OSError, ValueError):
        known = read_bytes(ref, limit=1000)
        if _HASH.fullmatch(known):
            os.utime(ref)
            return known.decode("ascii").strip()
    commit = git("for-each-ref", "--format=%(objectname)", f"refs/snapshots/{tree}")
    if not _HASH.fullmatch(commit):
        commit = git("commit-tree", tree, "-m", "code of a run")
    # `update-ref` takes a lock, which a process that is killed leaves for ever. One that git has
    # moved to `packed-refs` gets a file again, whose age is its own.
    write_bytes(aside, commit.strip() + b"\n")
    ref.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(ref)
    flush_folder(ref.parent)
    return commit.decode("ascii").strip()


def _stamp(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        facts = path.stat()
        return facts.st_ino, facts.st_mtime_ns
    return None


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait for a process that reads the same project; where that fails, go on beside it.

    Args:
        lock: The lock's file.
    """
    import filelock  # 70 ms, and needed by the first snapshot only

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):
            stack.enter_context(filelock.FileLock(lock, timeout=_WAIT_SECONDS))
        yield
