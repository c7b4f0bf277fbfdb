"""Reading folders that git does not track, within bounds: they may hold a million files."""

from __future__ import annotations

import heapq
import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

from thexp_pl.record.code.left_out import Bounds, LeftOut, parent
from thexp_pl.record.code.rules import CACHE, cache_of
from thexp_pl.record.paths import root_mark

__all__ = ["MAX_ENTRIES", "MAX_FOLDER", "Walk", "is_repository"]

MAX_FOLDER = 5_000  # a folder with more entries, or files that are no source code, is data
MAX_ENTRIES = 50_000  # 0.2 s

_RUN_KEY = re.compile(rb"\d\d-\d\d-\d\d-\d{6}-[a-z0-9]{4}")
_FEW = 10
_ENVIRONMENT_MARKS = frozenset([b"pyvenv.cfg", b"conda-meta"])
_BARE_REPOSITORY = frozenset([b"HEAD", b"objects", b"refs"])


class Walk:
    """Reads folders until nothing is left or the bound is reached.

    Folders with little on the way to them come first: source code has few files a folder, data
    many, so that where the bound cuts, it cuts data.

    Args:
        project: The project's folder, as bytes.
        bounds: What is never read.
        left_out: Where to note what was not read.
    """

    def __init__(self, project: bytes, bounds: Bounds, left_out: LeftOut) -> None:
        self._project = project
        self._bounds = bounds
        self._left_out = left_out
        self._budget = MAX_ENTRIES

    def read(self, folders: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Read folders and what is below them; symbolic links are not followed.

        Args:
            folders: As seen from the project, without a final ``/``.

        Returns:
            The files and links found, and the repositories, which are not read.
        """
        files: list[bytes] = []
        repositories: list[bytes] = []
        waiting = [(0, folder) for folder in folders if not self._is_closed(folder)]
        heapq.heapify(waiting)
        while waiting and self._budget > 0:
            breadth, folder = heapq.heappop(waiting)
            if is_repository(os.path.join(self._project, folder)):  # noqa: PTH118 - bytes
                repositories.append(folder)
                continue
            entries = self._entries(folder)
            breadth += len(entries)
            for entry in entries:
                path = b"%b/%b" % (folder, entry.name)
                if not entry.is_dir(follow_symlinks=False):
                    files.append(path)
                elif not self._is_closed(path):
                    heapq.heappush(waiting, (breadth, path))
        why = f"folders in it beyond the first {MAX_ENTRIES:,} untracked files and folders"
        for above in {parent(folder) for _, folder in waiting}:
            self._left_out.add(above, why)
        return files, repositories

    def _is_closed(self, folder: bytes) -> bool:
        if folder.rpartition(b"/")[2] == b".git":
            return True
        found = self._bounds.find(folder)
        cache = cache_of(folder + b"/")
        if found is not None:
            self._left_out.add(found[0].rstrip(b"/") + b"/", found[1])
        elif cache:
            self._left_out.add(cache, CACHE)
        return found is not None or bool(cache)

    def _entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(os.path.join(self._project, folder)) as listing:  # noqa: PTH118 - bytes
                entries = list(itertools.islice(listing, MAX_FOLDER + 1))
        except OSError:
            self._left_out.add(folder + b"/", "cannot be read")
            return []
        self._budget -= max(1, len(entries))
        why = self._why_not(folder, {entry.name for entry in entries})
        if why:
            self._left_out.add(folder + b"/", why)
            return []
        return entries

    def _why_not(self, folder: bytes, names: set[bytes]) -> str:
        if len(names) > MAX_FOLDER:
            return f"an untracked folder with more than {MAX_FOLDER:,} entries"
        if not _ENVIRONMENT_MARKS.isdisjoint(names):
            return "a virtual environment"
        if names >= _BARE_REPOSITORY:
            return "a bare git repository"
        if b".thexp" in names and root_mark(self._path(folder)).is_file():
            return "an experiment root"
        keys = itertools.islice(filter(_RUN_KEY.fullmatch, names), _FEW)
        runs = (folder, *(b"%b/%b" % (folder, key) for key in keys))
        return "recorded runs" if any(map(self._is_run, runs)) else ""

    def _is_run(self, folder: bytes) -> bool:
        named = _RUN_KEY.fullmatch(folder.rpartition(b"/")[2])
        return named is not None and (self._path(folder) / "run.json").is_file()

    def _path(self, folder: bytes) -> Path:
        return Path(os.fsdecode(self._project), os.fsdecode(folder))


def is_repository(folder: bytes | str) -> bool:
    """Say whether a folder is the top of a git working tree, as far as can be seen without git.

    Args:
        folder: The folder.

    Returns:
        Whether it has a ``.git`` that looks like a repository or points to one.
    """
    mark = os.path.join(os.fsencode(folder), b".git")  # noqa: PTH118 - bytes
    return os.path.isfile(mark) or os.path.isfile(os.path.join(mark, b"HEAD"))  # noqa: PTH113, PTH118
