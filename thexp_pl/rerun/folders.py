"""The folder in which a run is done again: what lies in it, and how it gets its name."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from thexp_pl.atomic import flush_folder
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.globvars import MARK_FOLDER
from thexp_pl.record.folders import remove_empty
from thexp_pl.record.names import shown

__all__ = ["RerunFolder", "beside", "given", "made_whole", "within"]

_ASIDE = ".thexp-restoring-"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


@dataclass(frozen=True)
class RerunFolder:
    """Where everything is in such a folder; the code has a folder of its own and stays as it was.

    Args:
        folder: The folder.
    """

    folder: Path

    @property
    def code(self) -> Path:
        """The project, as it was recorded."""
        return self.folder / "code"

    @property
    def rerun(self) -> Path:
        """What the process is told, see `thexp_pl.record.rerun`."""
        return self.folder / "rerun.json"

    @property
    def config(self) -> Path:
        """The command line's whole configuration."""
        return self.folder / "config.yaml"

    @property
    def params(self) -> Path:
        """The parameters."""
        return self.folder / "params.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoint to go on from."""
        return self.folder / "checkpoint"

    def all(self) -> tuple[Path, ...]:
        """Give all of these, for whatever else is put into the folder.

        Returns:
            Their paths.
        """
        return self.code, self.rerun, self.config, self.params, self.checkpoints


def within(root: Path, kind: str, key: str) -> Iterator[Path]:
    """Name folders in an experiment root's own hidden folder, which is no part of anybody's code.

    Args:
        root: The experiment root.
        kind: What is done there, such as ``reproduced``.
        key: The run's key.

    Yields:
        One name after the other, to take the first that is free.
    """
    for _ in count():
        yield root / MARK_FOLDER / kind / f"{key}-{secrets.token_hex(2)}"


def beside(project: Path | None, key: str) -> Iterator[Path]:
    """Name folders beside a project; in the working directory where nothing can be written there.

    Args:
        project: The project; None where it is not known.
        key: The run's key.

    Yields:
        One name after the other, to take the first that is free.
    """
    name = f"{'code' if project is None else project.name}@{key}"
    parent = None if project is None else project.parent
    if parent is None or not os.access(parent, os.W_OK | os.X_OK):
        parent = Path.cwd()
    yield parent / name
    for number in count(2):
        yield parent / f"{name}-{number}"


@contextmanager
def made_whole(names: Iterable[Path]) -> Iterator[tuple[RerunFolder, RerunFolder]]:
    """Make a folder that gets its name when all is in it: a kill leaves none of that name.

    What it leaves is ``.thexp-restoring-<hex>`` beside, which the next one made there drops.

    Args:
        names: Names to try; the first that nothing has is taken. A single one may be that of an
            empty folder.

    Yields:
        The folder to fill, under another name, and as it will be at the end of the block.

    Raises:
        RecordError: It cannot be made or filled; nothing is left.
        UsageError: The name is taken.
    """
    target = _free(names)
    missing = [path for path in (target.parent, *target.parents) if not os.path.lexists(path)]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _drop_leftovers(target.parent)
        with _aside(target.parent) as aside:
            yield RerunFolder(aside), RerunFolder(target)
            _rename(aside, target)
    except BaseException as error:
        remove_empty(missing)
        if isinstance(error, OSError) and not isinstance(error, RecordError):
            raise _failure(target, error) from error
        raise
    flush_folder(target.parent)


@contextmanager
def _aside(parent: Path) -> Iterator[Path]:
    """Make a folder of no name of its own, which is locked for as long as it is filled."""
    made = None
    while made is None:  # whoever drops leftovers may have taken it for one before it was locked
        made = _locked(parent / f"{_ASIDE}{secrets.token_hex(8)}")
    aside, descriptor = made
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _locked(aside: Path) -> tuple[Path, int] | None:
    aside.mkdir()
    try:
        descriptor = os.open(aside, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a file system without locks, where nobody drops anything
        return aside, descriptor
    if os.path.lexists(aside):
        return aside, descriptor
    os.close(descriptor)
    return None


def _drop_leftovers(parent: Path) -> None:
    """Drop what killed processes have left there: nobody holds its lock any more."""
    for path in parent.glob(f"{_ASIDE}{'[0-9a-f]' * 16}"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _rename(aside: Path, target: Path) -> None:
    try:
        aside.rename(target)
    except OSError as error:
        raise (_taken(target) if error.errno in _TAKEN else error) from None


def _failure(target: Path, error: OSError) -> RecordError:
    way_out = "free some space there" if error.errno in _FULL else "see that you may write there"
    return RecordError(
        f"cannot make {shown(str(target))}: {error.strerror or error}; {way_out}, or name another"
        " folder with --to"
    )


def given(to: str | os.PathLike[str]) -> Path:
    """Check the folder that a user names.

    Args:
        to: The folder.

    Returns:
        Its absolute path.

    Raises:
        UsageError: There is something in it, or no folder can have that name.
    """
    text = os.path.expanduser(os.fspath(to))  # noqa: PTH111 - no error without a home
    if not text or "\0" in text:
        raise UsageError(f"{shown(text)} names no folder: name one to be made")
    return Path(os.path.abspath(text))  # noqa: PTH100 - Path.absolute keeps `..`


def _free(names: Iterable[Path]) -> Path:
    tried = iter(names)
    target = next(tried)
    for name in tried:
        if not os.path.lexists(target):
            return target
        target = name
    if os.path.lexists(target) and not _is_empty(target):
        raise _taken(target)
    return target


def _is_empty(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and not any(folder.iterdir())
    except OSError:
        return False


def _taken(target: Path) -> UsageError:
    return UsageError(
        f"{shown(str(target))} is there already, and nothing is written over it: name a folder that"
        " is empty or not there yet"
    )
