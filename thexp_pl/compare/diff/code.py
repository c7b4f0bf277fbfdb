"""What differs between the code of two runs, and what git said of the projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.diff.change import Change, changes
from thexp_pl.compare.diff.data import data_in_project
from thexp_pl.compare.diff.files import FileChange, changed_files, is_readable, patch_of
from thexp_pl.compare.diff.trees import KeptCode, Trees, in_view, keeps_code, keeps_key_code
from thexp_pl.record.code.git import GitError, NoGitError
from thexp_pl.record.names import shown
from thexp_pl.runs.run import Run

__all__ = ["CodeDifference", "diff_code"]

_OF_GIT = ("commit", "branch", "dirty")
_UNREADABLE = (
    "the code cannot be compared: git cannot read what was kept of it; `thexp-pl gc --check` tells"
    " more"
)


@dataclass(frozen=True)
class CodeDifference:
    """What differs between the code of two runs.

    Args:
        differs: Whether the kept code differs, also where it cannot be shown in which files.
        files: The files.
        patch: All hunks, as ``git diff`` writes them; binary files are not in it.
        git: ``commit``, ``branch`` and ``dirty`` of the project's own repository, where both have
            one and the kept code is not known to be the same.
    """

    differs: bool = False
    files: tuple[FileChange, ...] = ()
    patch: bytes = b""
    git: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return self.differs or bool(self.git)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns:
            ``files`` (see `FileChange.to_dict`), ``git`` (of each ``name``, ``a`` and ``b``) and
            ``patch``; of the latter bytes that are no UTF-8 are escaped.
        """
        return {
            "files": [file.to_dict() for file in self.files],
            "git": [change.to_dict() for change in self.git],
            "patch": self.patch.decode("utf-8", "backslashreplace"),
        }


def diff_code(a: Run, b: Run) -> tuple[CodeDifference, tuple[str, ...]]:
    """Compare the code that two runs kept, without what both declared as data.

    Args:
        a: A run.
        b: Another; its root may be another.

    Returns:
        What differs, and what could not be compared.
    """
    kept, remarks = _kept(a, b)
    files: tuple[FileChange, ...] = ()
    patch, differs = b"", False
    if kept is not None and not (kept[0].tree and kept[0].tree == kept[1].tree):
        differs = bool(kept[0].tree and kept[1].tree)  # two hashes: that holds whatever follows
        try:
            with in_view(*kept) as trees:
                differs = trees.a != trees.b
                files, patch, faults = _told(trees, a, b)
            differs = bool(files) or (differs and bool(faults))
            remarks += faults
        except NoGitError:
            remarks.append("there is no git program to compare the code with: install git")
        except GitError:
            remarks.append(_UNREADABLE)
        except OSError as error:
            remarks.append(f"the code cannot be compared: {error}")
    git: tuple[Change, ...] = ()
    if differs or remarks:
        git = tuple(_git_changes(a, b))
    return CodeDifference(differs, files, patch, git), tuple(remarks)


def _kept(a: Run, b: Run) -> tuple[tuple[KeptCode, KeptCode] | None, list[str]]:
    """Say which code of two runs is compared, and in how far that is less than all."""
    one, other = keeps_code(a), keeps_code(b)
    if one is not None and other is not None:
        copied = [run.key for run, kept in ((a, one), (b, other)) if not kept.tree]
        if len(copied) == 1:
            text = f"of {shown(copied[0])} only what ran was copied: other files are not compared"
            return (one, other), [text]
        return (one, other), []
    without = [shown(run.key) for run, kept in ((a, one), (b, other)) if kept is None]
    text = f"the code of {' and '.join(dict.fromkeys(without))} was not kept"
    one, other = keeps_key_code(a), keeps_key_code(b)
    if one is None or other is None:
        return None, [f"{text}: it is not compared"]
    return (one, other), [f"{text}: only the key code is compared"]


def _told(trees: Trees, a: Run, b: Run) -> tuple[tuple[FileChange, ...], bytes, list[str]]:
    files: tuple[FileChange, ...] = ()
    data = data_in_project(a, b)
    try:
        files = changed_files(trees, data)
        return files, patch_of(trees, data), []
    except GitError:
        sides = ((a, trees.a), (b, trees.b))
        damaged = [shown(run.key) for run, tree in sides if not is_readable(trees.git, tree)]
        keys = " and ".join(dict.fromkeys(damaged))
        text = f"the snapshot of {keys} is damaged, so not all that differs in the code is shown"
        return files, b"", [f"{text}; `thexp-pl gc --check` tells more" if keys else _UNREADABLE]


def _git_changes(a: Run, b: Run) -> list[Change]:
    one, other = a.manifest["git"], b.manifest["git"]
    if not one or not other:
        return []
    return list(changes(*({part: own.get(part) for part in _OF_GIT} for own in (one, other))))
