"""The files of the held parts, as they were when someone was last told of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.record.files.stamps import MAX_FILES, Stamp, scan, stamp_of

__all__ = ["Change", "KnownFiles"]

_VANISHED = Stamp(-1, -1, -1, False)  # of a file that came and went before it was looked at


@dataclass(frozen=True)
class Change:
    """A file that is not as it was.

    Args:
        event: ``"created"``, ``"modified"``, ``"deleted"`` or ``"moved"``.
        path: The file; of a moved one where it was.
        stamp: The file now; None for one that is gone.
        to: Where a moved file is now.
        replaced: Whether a moved file took the place of another.
    """

    event: str
    path: str
    stamp: Stamp | None
    to: str | None = None
    replaced: bool = False


class KnownFiles:
    """What is known of the files, and what has become of them since.

    Whatever is compared becomes what is known: the changes that were given out, one after another,
    lead from the files as they were when their part was held to the files that are known.
    """

    def __init__(self) -> None:
        self._before: dict[str, Stamp] = {}
        self._now: dict[str, Stamp] = {}
        self._suffixes: tuple[str, ...] = ()
        self._folders: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that are held, without those inside another one."""
        return self._folders

    def hold(self, folder: str, files: Mapping[str, Stamp]) -> None:
        """Add a folder.

        Args:
            folder: Its absolute path.
            files: What is in it; files of a folder that is held already stay as they are known.
        """
        held = frozenset(self._folders)
        for path, stamp in files.items():
            if not _is_below(path, held):
                self._before[path] = self._now[path] = stamp
        self._folders = tuple(_outermost({folder, *held}))

    def add_suffixes(self, suffixes: Iterable[str]) -> bool:
        """Have more files watched.

        Args:
            suffixes: Endings of file names in lower case.

        Returns:
            Whether one of them is new.
        """
        before, self._suffixes = self._suffixes, tuple({*self._suffixes, *suffixes})
        return len(self._suffixes) > len(before)

    def watches(self, path: str) -> bool:
        """Say whether a file is watched.

        Args:
            path: The file.

        Returns:
            Whether it has one of the suffixes and is no temporary file of an atomic write.
        """
        name = path.rpartition("/")[2]
        return name.lower().endswith(self._suffixes) and not name.startswith(".tmp-")

    def look(self, path: str, *, was_created: bool = False) -> Change | None:
        """Compare one file.

        Args:
            path: The file; it is watched.
            was_created: Whether it is sure that it was there for a moment.

        Returns:
            What has changed, or None.
        """
        before, stamp = self._now.get(path), stamp_of(path)
        if stamp is None:
            if before is not None:
                del self._now[path]
                return Change("deleted", path, None)
            # A folder that was moved away is still heard of under its old name.
            if was_created and Path(path).parent.is_dir():
                return self._put(path, _VANISHED)
            return None
        return None if before == stamp else self._put(path, stamp)

    def move(self, source: str, target: str) -> list[Change]:
        """Compare two files of which the first was seen to be moved onto the second.

        Args:
            source: The one; both are watched.
            target: The other.

        Returns:
            What has changed.
        """
        before, here, there = self._now.get(source), stamp_of(source), stamp_of(target)
        changes: list[Change | None] = []
        if (
            before is not None
            and there is not None
            and (before == _VANISHED or before.inode == there.inode)
            and (here is None or here.inode != there.inode)
        ):
            changes.append(self._moved(source, target, there))
        else:
            changes.append(self.look(target))
        changes.append(self.look(source))
        return [change for change in changes if change is not None]

    def compare(self, folders: Collection[str]) -> tuple[list[Change], bool]:
        """Compare all watched files of some folders.

        Args:
            folders: Held folders, or some below them.

        Returns:
            What has changed, and whether there were not too many files to look at them all.
        """
        outer = frozenset(_outermost(folders))
        found, complete = scan(outer, self.watches)
        gone = [
            path
            for path in self._now
            if path not in found
            and self.watches(path)
            and _is_below(path, outer)
            and stamp_of(path) is None  # not merely missed: too many files, an unreadable folder
        ]
        sources = {self._now[path]: path for path in gone}
        changes = []
        for path, stamp in sorted(found.items()):
            if self._now.get(path) != stamp:
                source = sources.pop(stamp, None)
                changes.append(
                    self._put(path, stamp) if source is None else self._moved(source, path, stamp)
                )
        deleted = [self.look(path) for path in sorted(gone) if path in self._now]
        return [change for change in (*deleted, *changes) if change is not None], complete

    def changed(self) -> Iterator[tuple[str, str, Stamp]]:
        """Go through the watched files that are there and were not so when their part was held.

        Yields:
            ``"created"`` or ``"modified"``, the path and the stamp.
        """
        for path, stamp in self._now.items():
            before = self._before.get(path)
            if stamp not in (_VANISHED, before) and self.watches(path):
                yield "created" if before is None else "modified", path, stamp

    def _put(self, path: str, stamp: Stamp) -> Change | None:
        event = "modified" if path in self._now else "created"
        if event == "created" and len(self._now) >= MAX_FILES:
            return None
        self._now[path] = stamp
        return Change(event, path, None if stamp is _VANISHED else stamp)

    def _moved(self, source: str, target: str, stamp: Stamp) -> Change:
        replaced = target in self._now
        del self._now[source]
        self._now[target] = stamp
        return Change("moved", source, stamp, target, replaced)


def _outermost(folders: Collection[str]) -> list[str]:
    every = frozenset(folders)
    return sorted(folder for folder in every if not _is_below(folder, every))


def _is_below(path: str, folders: frozenset[str]) -> bool:
    while path := path.rpartition("/")[0]:
        if path in folders:
            return True
    return False
