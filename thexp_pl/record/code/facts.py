"""The state of the user's own repository."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from thexp_pl.record.code.git import Git, NoGitError
from thexp_pl.record.code.listing import list_code
from thexp_pl.record.code.project import working_tree
from thexp_pl.record.code.rules import is_source

__all__ = ["git_facts"]

_USERINFO = re.compile(r"^([A-Za-z][\w+.-]*://)[^/]*@")
_MAX_BYTES = 10_000_000  # of a file that a snapshot keeps, if nothing else is said


def git_facts(project: Path, *, untracked: int | None = None) -> dict[str, Any] | None:
    """Tell the state of the git repository that a project is in; nothing of it is changed.

    Args:
        project: The project's folder.
        untracked: How many untracked files the project's code has, where a snapshot has told so:
            that spares a second look at all its folders. 0 does not, as the snapshot may have left
            untracked sources out.

    Returns:
        ``commit`` (None before the first one), ``branch`` (None for a detached HEAD), ``dirty``
        (whether the project's code is not that of the commit: a tracked file differs, or there is
        an untracked one that a snapshot keeps, or an untracked source that it cannot keep),
        ``remote`` (the URL of ``origin`` or of the first remote, without user and password; None
        for none) and ``folder`` (the top of the working tree). None where the project is in no
        repository, or there is no git.

    Raises:
        GitError: git cannot tell.
    """
    top = Path(os.path.realpath(project))
    tree = working_tree(top)
    if tree is None:
        return None
    try:
        git = Git.of_user(top, tree)
    except NoGitError:
        return None
    with (
        git.started(
            *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--no-renames"),
            *("--untracked-files=no", "--ignore-submodules=untracked", "--", "."),
        ) as status,
        git.started("config", "--null", "--get-regexp", r"^remote\..*\.url$") as config,
    ):
        is_more = untracked or _has_untracked(top, git, sources_only=untracked == 0)  # meanwhile
        records = os.fsdecode(status.result()).split("\0")
        remotes = os.fsdecode(config.result(may_end_with=(0, 1))).split("\0")
    facts = dict(record[2:].split(" ", 1) for record in records if record.startswith("# "))
    dirty = any(record and not record.startswith("# ") for record in records)
    return {
        "commit": _known(facts.get("branch.oid"), "(initial)"),
        "branch": _known(facts.get("branch.head"), "(detached)"),
        "dirty": dirty or bool(is_more),
        "remote": _remote(remotes),
        "folder": str(tree),
    }


def _has_untracked(top: Path, git: Git, *, sources_only: bool) -> bool:
    listing = list_code(top, git, reasons={}, max_bytes=_MAX_BYTES)
    found = listing.untracked | listing.missed
    return any(map(is_source, found)) if sources_only else bool(found)


def _known(text: str | None, unknown: str) -> str | None:
    return None if text == unknown else text


def _remote(records: list[str]) -> str | None:
    remotes = dict(record.split("\n", 1) for record in records if "\n" in record)
    url = remotes.get("remote.origin.url") or next(iter(remotes.values()), None)
    return None if url is None else _USERINFO.sub(r"\1", url)
