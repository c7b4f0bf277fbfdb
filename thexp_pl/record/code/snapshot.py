"""A snapshot of a project's code, kept by git."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from thexp_pl.record.code.entry import entry_script, running_files
from thexp_pl.record.code.extras import entry_and_extras
from thexp_pl.record.code.git import Git, GitError
from thexp_pl.record.code.left_out import LeftOut
from thexp_pl.record.code.listing import Listing, list_code
from thexp_pl.record.code.project import working_tree
from thexp_pl.record.code.store import Store
from thexp_pl.record.places import placed

__all__ = ["restored_facts", "take_snapshot"]


def take_snapshot(
    project: Path,
    root: Path,
    *,
    leave_out: Iterable[Path] = (),
    max_bytes: int = 10_000_000,
    redact: Callable[[str], str] = str,
    restored: str | None = None,
) -> dict[str, Any]:
    """Keep the code of a project as it is now, in the store of an experiment root.

    Tracked, staged, changed and untracked files are kept, with executable bits and symbolic links,
    byte for byte. The user's repository, where there is one, is only read: HEAD, index and stash
    stay as they are.

    Args:
        project: The project's folder.
        root: The experiment root.
        leave_out: Further files and folders that are no part of the code.
        max_bytes: Larger files are left out.
        redact: Takes secrets out of a notebook's cells; files are kept as they are.
        restored: The tree of the store that was written out as this folder: its files are code, and
            a repository around the folder has no say.

    Returns:
        ``how`` (``"git"``), ``tree`` and ``commit`` (hashes), ``project`` (as seen from the root
        where they move together), ``entry`` (the file that was started, by its name in the tree;
        None for none), ``files`` (how many), ``untracked`` (how many of them git does not track),
        ``left_out`` (at most 200 entries of ``path``, ``why`` and, for a large file, ``bytes``) and
        ``left_out_count`` (how many there are). What git ignores is not listed.

    Raises:
        NoGitError: There is no git program; see `copy_plainly`.
        GitError: git cannot read the project or write the store.
        OSError: The store cannot be written.
    """
    top = Path(os.path.realpath(project))
    store = Store(root)
    reasons = dict.fromkeys(leave_out, "left out by the caller") | {root: "the experiment root"}
    listing = _listed(top, store, reasons, max_bytes, is_restored=restored is not None)
    if restored is not None:
        listing.files = sorted({*listing.files, *_left_of(restored, top, store)})
    entry, extras = entry_and_extras(top, listing.files, max_bytes, redact)
    try:
        tree, commit = store.add(top, listing.files, extras)
    except GitError:
        readable = _readable(top, listing.files, listing.left_out)
        if len(readable) == len(listing.files):
            raise
        listing.files = readable
        listing.untracked.intersection_update(readable)
        tree, commit = store.add(top, listing.files, extras)
    return {
        "how": "git",
        "tree": tree,
        "commit": commit,
        "project": placed(top, root),
        "entry": None if entry is None else os.fsdecode(entry),
        "files": len(listing.files) + len(extras),
        "untracked": len(listing.untracked),
        **listing.left_out.facts(),
    }


def restored_facts(project: Path, root: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Say which code runs in a folder into which a snapshot was written out.

    Args:
        project: The folder. What lies in it besides, such as links to data, is no part of the code.
        root: The experiment root.
        facts: What `take_snapshot` gave.

    Returns:
        The same, with the ``entry`` of this process; where a file has changed since, or is gone,
        ``tree``, ``commit`` and ``files`` of the code as it is now, which is kept.

    Raises:
        NoGitError: There is no git program.
        GitError: git cannot read the folder or write the store.
        OSError: The store cannot be written.
    """
    top = Path(os.path.realpath(project))
    store = Store(root)
    files = _left_of(str(facts["tree"]), top, store)
    tree, commit = store.add(top, files, {})
    script = entry_script()
    entry = None if script is None or top not in script.parents else str(script.relative_to(top))
    if tree != facts["tree"]:
        facts = {**facts, "tree": tree, "commit": commit, "files": len(files)}
    return {**facts, "entry": entry}


def _left_of(tree: str, top: Path, store: Store) -> list[bytes]:
    """List the files of a tree that are still there: of some, git alone knew that they are code."""
    names = store.git(top)("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree).split(b"\0")
    folder = os.fsencode(top)
    return [name for name in names if name and os.path.lexists(os.path.join(folder, name))]  # noqa: PTH118 - bytes


def _listed(
    top: Path, store: Store, reasons: dict[Path, str], max_bytes: int, *, is_restored: bool
) -> Listing:
    running = running_files(top)
    tree = None if is_restored else working_tree(top)
    if tree is not None:
        with contextlib.suppress(GitError):  # it is damaged
            git = Git.of_user(top, tree)
            listing = list_code(top, git, reasons=reasons, max_bytes=max_bytes, running=running)
            # Of a folder that it ignores, the repository around it knows nothing.
            if tree == top or not set(listing.files).issubset(running):
                return listing
    return list_code(top, store.git(top), reasons=reasons, max_bytes=max_bytes, running=running)


def _readable(top: Path, files: Iterable[bytes], left_out: LeftOut) -> list[bytes]:
    kept = []
    for path in files:
        full = os.path.join(os.fsencode(top), path)  # noqa: PTH118 - bytes
        try:
            if not os.path.islink(full):  # noqa: PTH114 - bytes
                os.close(os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            kept.append(path)
        except OSError:
            left_out.add(path, "cannot be read")
    return kept
