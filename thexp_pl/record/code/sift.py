"""Takes out of the files that were found what is data, too large, gone or of a special kind."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable

from thexp_pl.record.code.left_out import LeftOut, parent
from thexp_pl.record.code.rules import CACHE, DATA, cache_of, is_data, is_source
from thexp_pl.record.code.walk import MAX_FOLDER

__all__ = ["few", "sizes", "without_data"]

_MAX_UNTRACKED_BYTES = 100_000_000


def without_data(paths: Iterable[bytes], left_out: LeftOut) -> set[bytes]:
    """Take out what is data of untracked files: by its name, or by its number.

    Args:
        paths: The files, as seen from the project.
        left_out: Where to note what was taken out.

    Returns:
        The rest.
    """
    kept = set()
    numbers: Counter[bytes] = Counter()
    for path in paths:
        cache = cache_of(path)
        if cache:
            left_out.add(cache, CACHE)
        elif is_data(path):
            left_out.add(parent(path), DATA)
        else:
            kept.add(path)
            numbers[path.rpartition(b"/")[0]] += not is_source(path)
    crowded = _crowded(numbers, left_out)
    if not crowded:
        return kept
    starts = tuple(folder + b"/" if folder else b"" for folder in crowded)
    return {path for path in kept if is_source(path) or not path.startswith(starts)}


def _crowded(numbers: Counter[bytes], left_out: LeftOut) -> set[bytes]:
    """Find the deepest folders with too many files; what is in them counts no more above."""
    folders = set(numbers)
    for folder in numbers:
        while folder:
            folder = folder.rpartition(b"/")[0]
            folders.add(folder)
    crowded = set()
    for folder in sorted(folders, key=lambda path: -path.count(b"/") - bool(path)):
        if numbers[folder] > MAX_FOLDER:
            crowded.add(folder)
            why = f"more than {MAX_FOLDER:,} untracked files that are no source code"
            left_out.add((folder or b".") + b"/", why)
        elif folder:
            numbers[folder.rpartition(b"/")[0]] += numbers[folder]
    return crowded


def sizes(
    project: bytes, paths: Iterable[bytes], max_bytes: int, left_out: LeftOut
) -> dict[bytes, int]:
    """Look at files; those that are gone, of a special kind or too large are taken out.

    Args:
        project: The project's folder.
        paths: The files, as seen from it.
        max_bytes: The size of the largest file that is kept.
        left_out: Where to note what was taken out.

    Returns:
        The bytes of each of the rest.
    """
    found = {}
    linked: dict[bytes, bool] = {b"": False}
    top = os.open(project, os.O_RDONLY | os.O_CLOEXEC)  # a path each would take half as long again
    try:
        for path in paths:
            try:
                facts = os.lstat(path, dir_fd=top)
            except (FileNotFoundError, NotADirectoryError):
                continue  # deleted, or not checked out
            except OSError:
                left_out.add(path, "cannot be read")
                continue
            folder = path.rpartition(b"/")[0]
            if stat.S_ISDIR(facts.st_mode) or _is_linked(project, folder, linked):
                continue
            if not stat.S_ISREG(facts.st_mode) and not stat.S_ISLNK(facts.st_mode):
                left_out.add(path, "neither a file nor a symbolic link")
            elif facts.st_size > max_bytes:
                left_out.add(path, f"larger than {max_bytes:,} bytes", facts.st_size)
            else:
                found[path] = facts.st_size
    finally:
        os.close(top)
    return found


def _is_linked(project: bytes, folder: bytes, known: dict[bytes, bool]) -> bool:
    """Say whether a folder is reached through a symbolic link, which has taken its place."""
    if folder not in known:
        above = _is_linked(project, folder.rpartition(b"/")[0], known)
        known[folder] = above or os.path.islink(os.path.join(project, folder))  # noqa: PTH114, PTH118
    return known[folder]


def few(found: dict[bytes, int], left_out: LeftOut) -> set[bytes]:
    """Keep the smaller ones of the untracked files, where all of them are too much.

    Args:
        found: The bytes of each.
        left_out: Where to note what was taken out.

    Returns:
        Those that are kept.
    """
    if sum(found.values()) <= _MAX_UNTRACKED_BYTES:
        return set(found)
    total = 0
    kept = set()
    why = f"beyond {_MAX_UNTRACKED_BYTES:,} bytes of untracked files, the smallest first"
    for path, size in sorted(found.items(), key=lambda item: (item[1], item[0])):
        total += size
        if total <= _MAX_UNTRACKED_BYTES:
            kept.add(path)
        else:
            left_out.add(path, why, size)
    return kept
