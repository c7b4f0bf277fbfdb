"""Two trees compared by git: the files that differ, and their hunks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.diff.trees import Trees
from thexp_pl.record.code.git import Git, GitError

__all__ = ["FileChange", "FileState", "changed_files", "is_readable", "patch_of"]

_DIFF = ("diff-tree", "-r", "--no-ext-diff", "--no-textconv", "--no-abbrev", "--no-color")
# in a patch; what is a file's own begins with a sign, and is neither
_FILE_START = re.compile(rb"^(?=diff --git )", re.MULTILINE)
_BINARY = re.compile(rb"^Binary files ", re.MULTILINE)
_HOW = {"A": "added", "D": "removed", "R": "renamed", "T": "other kind", "M": "changed"}


@dataclass(frozen=True)
class FileState:
    """A file as a tree has it.

    Args:
        path: Its name in the tree.
        mode: Its mode, as git writes it: ``100644``, ``100755`` for a program, ``120000`` a link.
        sha1: The hash that git gives its content.
    """

    path: str
    mode: str
    sha1: str


@dataclass(frozen=True)
class FileChange:
    """A file that differs.

    Args:
        how: ``added``, ``removed``, ``renamed``, ``changed``, ``mode`` (its mode alone) or
            ``other kind`` (such as a link in place of a file).
        a: The file in the first run; None where that has none.
        b: The same of the second run.
        added: How many lines only the second run has; None where that is not known, and for a
            binary file.
        removed: How many lines only the first run has; None as for `added`.
        is_binary: Whether git takes it for a binary file, of which a patch has no lines.
    """

    how: str
    a: FileState | None
    b: FileState | None
    added: int | None = None
    removed: int | None = None
    is_binary: bool = False

    @property
    def name(self) -> str:
        """What it is called: ``old => new`` where it was renamed."""
        return " => ".join(dict.fromkeys(state.path for state in (self.a, self.b) if state))

    @property
    def is_changed(self) -> bool:
        """Whether its content differs, and not its name or mode alone."""
        return self.a is None or self.b is None or self.a.sha1 != self.b.sha1

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns:
            ``name``, ``how``, ``added``, ``removed``, ``is_binary``, and of each side that has it
            ``path``, ``mode`` and ``sha1``.
        """
        sides = {"a": self.a, "b": self.b}
        return {
            "name": self.name,
            "how": self.how,
            "added": self.added,
            "removed": self.removed,
            "is_binary": self.is_binary,
            **{side: vars(state) for side, state in sides.items() if state is not None},
        }


def changed_files(trees: Trees, leave_out: Sequence[str] = ()) -> tuple[FileChange, ...]:
    """List the files that differ between two trees.

    Args:
        trees: The trees. Where a file cannot be read, renamed files are told as removed and added,
            and no lines are counted.
        leave_out: Files and folders that are passed over.

    Returns:
        The files.

    Raises:
        GitError: Not even their names can be read.
    """
    what = _what(trees, leave_out)
    try:
        told = trees.git(*_DIFF, "--raw", "--numstat", "-M", "-z", *what)
    except GitError:
        told = trees.git(*_DIFF, "--raw", "--no-renames", "-z", *what)
    words = iter(os.fsdecode(told).split("\0"))
    records, lines = [], {}
    for word in words:
        if word.startswith(":"):
            records.append(_record(word, words))
        elif word:
            added, removed, path = word.split("\t", 2)
            if not path:  # of a renamed file both names follow
                path = (next(words), next(words))[1]
            lines[path] = (_count(added), _count(removed), added == "-")
    return tuple(
        FileChange(how, a, b, *lines.get((b or a or _NOWHERE).path, (None, None, False)))
        for how, a, b in records
    )


def patch_of(trees: Trees, leave_out: Sequence[str] = ()) -> bytes:
    """Write all hunks between two trees.

    Args:
        trees: The trees.
        leave_out: Files and folders that are passed over.

    Returns:
        What ``git diff`` prints of them, byte for byte, but for binary files: their content is not
        in a patch, and for want of it ``git apply`` would refuse the whole.

    Raises:
        GitError: A file cannot be read.
    """
    words = ("--patch", "-M", "--src-prefix=a/", "--dst-prefix=b/")
    parts = _FILE_START.split(trees.git(*_DIFF, *words, *_what(trees, leave_out)))
    return b"".join(part for part in parts if not _BINARY.search(part))


def is_readable(git: Git, tree: str) -> bool:
    """Tell whether all of a tree can be read.

    Args:
        git: git, with the tree in view.
        tree: Its hash.
    """
    try:
        git("archive", "--format=tar", tree)
    except GitError:
        return False
    return True


def _what(trees: Trees, leave_out: Sequence[str]) -> list[str]:
    return [trees.a, trees.b, "--", *(f":(exclude,literal){path}" for path in leave_out)]


_NOWHERE = FileState("", "", "")


def _record(word: str, words: Iterator[str]) -> tuple[str, FileState | None, FileState | None]:
    mode_a, mode_b, sha1_a, sha1_b, status = word[1:].split(" ")
    path_a = next(words)
    path_b = next(words) if status[0] in "RC" else path_a
    a = None if status == "A" else FileState(path_a, mode_a, sha1_a)
    b = None if status == "D" else FileState(path_b, mode_b, sha1_b)
    how = "mode" if status == "M" and sha1_a == sha1_b else _HOW.get(status[0], "changed")
    return how, a, b


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)
