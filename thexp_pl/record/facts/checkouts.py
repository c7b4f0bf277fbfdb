"""The git commits of folders that packages are installed from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from thexp_pl.record.code.git import Git, GitError, NoGitError

__all__ = ["Checkout", "checkouts"]

_COMMIT = "# branch.oid "
_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", ".")


class Checkout(NamedTuple):
    """What git says of a folder.

    Args:
        commit: What is checked out; None where nothing was committed.
        dirty: Whether tracked files in the folder were changed since; None without an answer.
    """

    commit: str | None = None
    dirty: bool | None = None


def checkouts(folders: Iterable[str]) -> dict[str, Checkout]:
    """Ask git about folders, all at the same time; nothing of the repositories is changed.

    Args:
        folders: Their absolute paths.

    Returns:
        By folder what git says; `Checkout()` where there is no git, no repository or no answer.
    """
    found = dict.fromkeys(folders, Checkout())
    with contextlib.ExitStack() as stack:
        commands = {}
        for folder in found:
            with contextlib.suppress(NoGitError, GitError):
                command = Git.of_user(Path(folder)).started(*_STATUS)
                commands[folder] = stack.enter_context(command)
        for folder, running in commands.items():
            with contextlib.suppress(GitError):
                found[folder] = _checkout(running.result().decode("utf-8", "replace"))
    return found


def _checkout(status: str) -> Checkout:
    lines = status.splitlines()
    commits = [line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)]
    commit = next((commit for commit in commits if commit.isalnum()), None)
    return Checkout(commit, any(not line.startswith("#") for line in lines))
