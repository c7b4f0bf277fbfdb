"""The code that a run kept, file by file, as much of it as a page holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from thexp_pl.atomic import read_bytes
from thexp_pl.compare.diff.trees import KeptCode, in_view, keeps_code
from thexp_pl.record.code.git import Git, GitError
from thexp_pl.record.inside import check_inside
from thexp_pl.report.page.coloured import source_html
from thexp_pl.runs.run import Run

__all__ = ["code_of"]

_ALL_BYTES = 500_000
_FILE_BYTES = 200_000
_READ_BYTES = 10_000_000
_FILES = 500
_FULL = f"a page holds {_FILES} files and {_ALL_BYTES // 1000} kB of code"
_KINDS = {0o120000: "a symbolic link", 0o160000: "a repository of its own"}  # as git has them
_Left = tuple[str, str]  # a path, and why


class _File(NamedTuple):
    """A file of the kept code.

    Args:
        path: Its name in the project.
        mode: As git writes it.
        size: In bytes.
        sha1: What git calls its content; empty in a plain copy.
    """

    path: str
    mode: int
    size: int
    sha1: str = ""


_Read = Callable[[list[_File]], list[bytes]]


def code_of(run: Run) -> tuple[list[dict[str, Any]], list[_Left]]:
    """Give the sources that a run kept.

    Args:
        run: The run.

    Returns:
        The files, the one that was started first, of each ``path``, ``lines``, ``html`` (see
        `coloured.source_html`) and whether the end of it was ``cut``; and what is not there, with
        why, what the snapshot left out included.

    Raises:
        UsageError: There is no Pygments.
    """
    kept = None if run.damage else keeps_code(run)
    if kept is None:
        return [], []
    told = run.manifest["code"]
    left = [(str(one.get("path")), str(one.get("why"))) for one in _objects(told.get("left_out"))]
    try:
        with _opened(kept) as (files, read):
            shown, more = _chosen(files, told.get("entry"))
            found = [_told(file, data) for file, data in zip(shown, read(shown), strict=True)]
    except OSError as error:  # git's faults are such too
        return [], [("all of it", str(error)), *left]
    texts = [one for one in found if isinstance(one, dict)]
    return texts, [*(one for one in found if isinstance(one, tuple)), *more, *left]


def _chosen(files: list[_File], entry: Any) -> tuple[list[_File], list[_Left]]:
    """Choose what is shown: the file that was started, then Python's sources, then the others."""
    shown: list[_File] = []
    left: list[_Left] = []
    room = _ALL_BYTES
    for file in sorted(files, key=lambda one: (one.path != entry, not one.path.endswith(".py"))):
        is_full = len(shown) == _FILES or min(file.size, _FILE_BYTES) > room
        why = _unfit(file) or (_FULL if is_full else "")
        if why:
            left.append((file.path, why))
        else:
            shown.append(file)
            room -= min(file.size, _FILE_BYTES)
    return sorted(shown, key=lambda one: (one.path != entry, one.path)), left


def _unfit(file: _File) -> str:
    if not stat.S_ISREG(file.mode):
        return _KINDS.get(stat.S_IFMT(file.mode), "no regular file")
    return f"larger than {_READ_BYTES // 1_000_000} MB" if file.size > _READ_BYTES else ""


def _told(file: _File, data: bytes) -> dict[str, Any] | _Left:
    if b"\0" in data:
        return file.path, "binary"
    part = data[:_FILE_BYTES]
    is_cut = len(part) < len(data)
    if is_cut:  # at the end of a line
        part = part[: part.rfind(b"\n") + 1] or part
    text = part.decode("utf-8-sig", "replace")
    lines = text.count("\n") + (not text.endswith("\n") and text != "")
    html = source_html(file.path, text)
    return {"path": file.path, "lines": lines, "html": html, "cut": is_cut}


# -- reading -------------------------------------------------------------------------------------


@contextmanager
def _opened(kept: KeptCode) -> Iterator[tuple[list[_File], _Read]]:
    """Open what a run kept, to be read without writing into its root."""
    if not kept.tree:
        check_inside(kept.place, kept.place.parent)
        yield list(_copied(kept.place)), lambda files: [_content(kept.place, one) for one in files]
        return
    with in_view(kept, kept) as trees:
        listing = os.fsdecode(trees.git("ls-tree", "-r", "-l", "-z", trees.a)).split("\0")[:-1]
        yield [_listed(entry) for entry in listing], lambda files: _blobs(trees.git, files)


def _blobs(git: Git, files: list[_File]) -> list[bytes]:
    """Read files in one process: of each a line that ends with its size, its bytes, a newline."""
    told = git("cat-file", "--batch", feed=b"".join(b"%b\n" % one.sha1.encode() for one in files))
    found, at = [], 0
    for _ in files:
        line, _, _ = told[at : at + 200].partition(b"\n")
        if not line.split(b" ")[-1].isdigit():
            raise GitError(f"the snapshot is damaged: {line.decode('ascii', 'replace')}")
        start = at + len(line) + 1
        at = start + int(line.split(b" ")[-1]) + 1
        found.append(told[start : at - 1])
    return found


def _listed(entry: str) -> _File:
    facts, path = entry.split("\t", 1)
    mode, _, sha1, size = facts.split()
    return _File(path, int(mode, 8), int(size) if size.isdigit() else 0, sha1)


def _copied(folder: Path) -> Iterator[_File]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            facts = path.lstat()
            yield _File(path.relative_to(folder).as_posix(), facts.st_mode, facts.st_size)


def _content(folder: Path, file: _File) -> bytes:
    try:
        return read_bytes(folder / file.path, limit=_READ_BYTES)
    except ValueError as error:  # it has grown
        raise OSError(str(error)) from None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
