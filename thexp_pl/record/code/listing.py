"""Which files are a project's code: git is asked; what it does not track is read within bounds.

Tracked files are code, whatever their names, unless they may hold secrets or are too large.
Untracked ones are code unless git ignores them, or they are data by their name or their number.
Repositories inside, submodules among them, are asked in their turn.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from thexp_pl.globvars import thexp_home
from thexp_pl.record.code import sift
from thexp_pl.record.code.git import Git, GitError
from thexp_pl.record.code.left_out import Bounds, LeftOut
from thexp_pl.record.code.rules import is_source, unfit
from thexp_pl.record.code.walk import MAX_ENTRIES, Walk, is_repository
from thexp_pl.record.paths import code_store, root_mark
from thexp_pl.record.sweep_folder import sweeps_of

__all__ = ["Listing", "list_code"]

_MAX_REPOSITORIES = 100
_GITLINK = b"160000"
_KEPT = (b"/", b".py", b".ipynb", b".sh", b".yaml", b".yml", b".toml", b".md")  # of very many


@dataclass
class Listing:
    """The files that are a project's code.

    Args:
        files: As seen from the project, sorted.
        untracked: Those of them that git does neither track nor ignore.
        missed: Sources that git does neither track nor ignore, and that are not kept all the same:
            they are too large, or cannot be read.
        left_out: What is no part of it.
    """

    files: list[bytes]
    untracked: set[bytes]
    missed: set[bytes]
    left_out: LeftOut


def list_code(
    project: Path,
    git: Git,
    *,
    reasons: dict[Path, str],
    max_bytes: int,
    running: Iterable[bytes] = (),
) -> Listing:
    """List the files that are a project's code.

    Args:
        project: The project's folder.
        git: git in that folder; its repository need not track anything.
        reasons: Folders and files that are left out, and why; thexp's own always are.
        max_bytes: Larger files are left out.
        running: Files that this process runs; they are code, whether or not git ignores them.

    Returns:
        The files and what was left out.

    Raises:
        GitError: git cannot list the project.
    """
    home = "thexp's home"
    reasons = {
        thexp_home(): home,
        Path(os.path.expanduser("~/.thexp")): home,  # noqa: PTH111 - no error without a home
        code_store(project): "snapshots of code",
        root_mark(project): "the mark of an experiment root",
        sweeps_of(project): "code of sweeps",
        **reasons,
    }
    search = _Search(os.fsencode(project), Bounds(project, reasons), LeftOut())
    search.repository(b"", git)
    while search.waiting:
        search.nested(search.waiting.pop())
    search.close_roots()
    tracked = set(search.fit(search.tracked))
    left_out = search.left_out
    untracked = sift.without_data(search.fit(search.untracked), left_out)
    wanted = untracked.union(search.fit(running)) - tracked
    kept = sift.sizes(search.project, tracked, max_bytes, left_out)
    added = sift.few(sift.sizes(search.project, wanted, max_bytes, left_out), left_out)
    missed = {path for path in untracked - added if is_source(path) and path in left_out}
    return Listing(sorted({*kept, *added}), added & untracked, missed, left_out)


@dataclass
class _Search:
    """What the repositories of a project have named so far, as seen from the project."""

    project: bytes
    bounds: Bounds
    left_out: LeftOut
    tracked: set[bytes] = field(default_factory=set)
    untracked: set[bytes] = field(default_factory=set)
    waiting: list[bytes] = field(default_factory=list)
    repositories: int = 0

    def __post_init__(self) -> None:
        self._walk = Walk(self.project, self.bounds, self.left_out)

    def nested(self, folder: bytes) -> None:
        """Ask a repository inside the project."""
        if self.bounds.find(folder) is not None:
            return
        if self.repositories > _MAX_REPOSITORIES:
            self.left_out.add(folder + b"/", f"beyond the first {_MAX_REPOSITORIES} repositories")
            return
        try:
            tree = Path(os.fsdecode(self._path(folder)))
            self.repository(folder + b"/", Git.of_user(tree, tree))
        except GitError:
            self.left_out.add(folder + b"/", "a repository that git cannot list")

    def repository(self, prefix: bytes, git: Git) -> None:
        """Ask one repository, and read the folders that it does not know."""
        self.repositories += 1
        output = git(
            *("ls-files", "--stage", "--others", "-t", "-z"),
            *("--directory", "--exclude-standard"),
        )
        folders = []
        for record in _records(output, prefix, self.left_out):
            if not record.startswith(b"? "):
                facts, _, name = record.partition(b"\t")
                is_link = facts.partition(b" ")[2].startswith(_GITLINK)
                (self.waiting.append if is_link else self.tracked.add)(prefix + name)
            elif record.endswith(b"/"):
                folders.append(prefix + record[2:-1])
            else:
                self.untracked.add(prefix + record[2:])
        empty = {path for path in self.waiting if not is_repository(self._path(path))}
        self.waiting = [path for path in self.waiting if path not in empty]
        folders += self._replaced(git, empty, prefix)
        files, repositories = self._walk.read(folders)
        self.waiting += repositories
        self.untracked |= _not_ignored(git, files, prefix)

    def _replaced(self, git: Git, links: set[bytes], prefix: bytes) -> set[bytes]:
        """Find folders in the place of tracked files and submodules: git passes them over."""
        own = links.union(path for path in self.tracked if path.startswith(prefix))
        places = {path.rpartition(b"/")[0] for path in own}  # far fewer to read than files to ask
        folders = [path for place in places for path in self._folders(place) if path in own]
        return _not_ignored(git, folders, prefix)

    def _folders(self, place: bytes) -> list[bytes]:
        """List the folders in one, links to folders not among them."""
        start = place + b"/" if place else b""
        with contextlib.suppress(OSError), os.scandir(self._path(place)) as entries:
            return [start + entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return []

    def fit(self, paths: Iterable[bytes]) -> list[bytes]:
        """Take out what is never kept, whether or not it is tracked."""
        kept = []
        for path in paths:
            why = unfit(path)
            found = (path, why) if why else self.bounds.find(path)
            if found is None:
                kept.append(path)
            else:
                self.left_out.add(*found)
        return kept

    def close_roots(self) -> None:
        """Leave out the experiment roots of which a repository names single files."""
        mark = b"/.thexp/root.json"
        for path in filter(lambda path: path.endswith(mark), self.tracked | self.untracked):
            self.bounds.close(path[: -len(mark)], "an experiment root")

    def _path(self, path: bytes) -> bytes:
        return os.path.join(self.project, path)  # noqa: PTH118 - bytes


def _records(output: bytes, prefix: bytes, left_out: LeftOut) -> list[bytes]:
    records = output.split(b"\0")[:-1]
    if output.count(b"\0? ") <= MAX_ENTRIES:
        return records
    why = f"more than {MAX_ENTRIES:,} untracked entries, of which only sources and folders count"
    left_out.add(prefix or b"./", why)
    others = [record for record in records if record.startswith(b"? ")]
    records = [record for record in records if not record.startswith(b"? ")]
    return records + [record for record in others if record.endswith(_KEPT)][:MAX_ENTRIES]


def _not_ignored(git: Git, files: list[bytes], prefix: bytes) -> set[bytes]:
    if not files:
        return set()
    names = {path[len(prefix) :] for path in files}
    words = ("check-ignore", "--no-index", "--stdin", "-z")
    ignored = git(*words, feed=b"\0".join(names), may_end_with=(0, 1)).split(b"\0")
    return {prefix + name for name in names.difference(ignored)}
