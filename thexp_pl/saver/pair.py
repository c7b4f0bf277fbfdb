"""Writing and removing a file together with its sidecar, so that a kill never tears them apart.

A save goes: the state to ``.NAME.tmp``, the sidecar to ``.NAME.json.tmp``, both synced to disk;
then the state is moved into place, then the sidecar. Killed before the first move, the draft still
has its ``.NAME.tmp`` beside it and both are dropped; killed between the moves, the draft stands
alone and is moved too. So even overwriting a file never leaves it without its own sidecar.

A removal renames the sidecar to ``.NAME.json.gone`` before it deletes the file, and that last. The
temporary files lie in the folder of their target, because only there a move is atomic. All of this
happens under the folder's lock, whose holder also calls `settle` before and after an error: what
that finds belongs to no living process.

A folder that bears one of these names was made by no Saver: its target is left alone, and a save to
that is refused, while all others go on.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from thexp_pl.atomic import flush_folder
from thexp_pl.errors import CheckpointError
from thexp_pl.saver.names import kind_of, sidecar_path
from thexp_pl.saver.sidecar import Sidecar

__all__ = ["leftovers", "remove_pair", "settle", "traces", "write_pair"]

DRAFT, PART, GONE = ".json.tmp", ".tmp", ".json.gone"  # longest first: DRAFT also ends with PART


def write_pair(target: Path, state: Any, describe: Callable[[int, str], Sidecar]) -> None:
    """Save a state and commit it with its sidecar.

    Args:
        target: Where the state goes; a pair that is there is replaced.
        state: Whatever `torch.save` takes.
        describe: Makes the sidecar from the file's size in bytes and its sha256.

    Raises:
        CheckpointError: The state cannot be pickled.
        OSError: The disk refuses, or a folder is in the way; what was there before is still there.
    """
    _refuse_folder(target)
    part, draft = _beside(target, PART), _beside(target, DRAFT)
    with part.open("wb") as file:
        size, sha256 = _stream(state, file, target)
        _sync(file)
    with draft.open("wb") as file:
        file.write(describe(size, sha256).encode())
        _sync(file)
    part.replace(target)
    flush_folder(target.parent)
    draft.replace(sidecar_path(target))
    flush_folder(target.parent)


def remove_pair(target: Path) -> None:
    """Remove a file and its sidecar, whichever of them there are.

    Raises:
        OSError: The disk refuses, or a folder is in the way.
    """
    _refuse_folder(target)
    gone = _beside(target, GONE)
    with contextlib.suppress(FileNotFoundError):
        sidecar_path(target).replace(gone)
    target.unlink(missing_ok=True)
    gone.unlink(missing_ok=True)
    flush_folder(target.parent)


def leftovers(folder: Path) -> list[Path]:
    """The targets whose save or removal was cut off, read from the temporary files."""
    targets = set()
    for name in os.listdir(folder):  # noqa: PTH208 - of a thousand names, no Path of each
        suffix = next((end for end in (DRAFT, GONE, PART) if name.endswith(end)), None)
        if suffix and name.startswith(".") and kind_of(name[1 : -len(suffix)]):
            targets.add(folder / name[1 : -len(suffix)])
    return sorted(targets)


def traces(folder: Path) -> tuple[dict[str, tuple[int, int, int]], bool]:
    """Tell what a save or a removal changes in a folder.

    Returns:
        The inode, time and size of each file that is a Saver's, and whether a commit or a removal
        is under way, or was cut off.
    """
    found = {}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_passing = entry.name.endswith((DRAFT, GONE)) and not entry.is_dir()
            if is_passing or kind_of(entry.name.removesuffix(".json")):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    found[entry.name] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return found, any(name.endswith((DRAFT, GONE)) for name in found)


def settle(folder: Path) -> None:
    """Finish or undo what a killed process left half-made; only under the folder's lock."""
    for target in leftovers(folder):
        _settle_one(target)


def _settle_one(target: Path) -> None:
    if _folder_of(target):
        return
    part, draft, gone = (_beside(target, end) for end in (PART, DRAFT, GONE))
    if draft.exists():
        if part.exists() or not target.exists():
            draft.unlink()  # before the part: a draft alone would count as moved
        else:
            draft.replace(sidecar_path(target))
    part.unlink(missing_ok=True)
    if gone.exists():
        if not sidecar_path(target).exists():
            target.unlink(missing_ok=True)
        gone.unlink()
    flush_folder(target.parent)


def _folder_of(target: Path) -> Path | None:
    """Find the folder that stands where a file of a target must be."""
    names = (target, sidecar_path(target), *(_beside(target, end) for end in (DRAFT, PART, GONE)))
    return next((path for path in names if path.is_dir() and not path.is_symlink()), None)


def _refuse_folder(target: Path) -> None:
    folder = _folder_of(target)
    if folder:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder))


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}{suffix}")


def _stream(state: Any, file: IO[bytes], target: Path) -> tuple[int, str]:
    import torch  # here, so that a folder can be read without it

    writer = _HashingWriter(file)
    try:
        torch.save(state, cast("IO[bytes]", writer))
    except Exception as error:
        hidden = writer.error or _interrupt(error)
        if hidden is not None:  # behind torch's "unexpected pos"
            raise hidden from None
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"cannot save {target}: the state is not picklable: {reason}"
        ) from error
    return writer.size, writer.hash.hexdigest()


def _interrupt(error: BaseException) -> BaseException | None:
    """Find the Ctrl-C, or whatever else is no `Exception`, that led to an error."""
    at: BaseException | None = error
    while isinstance(at, Exception):
        at = at.__cause__ or at.__context__
    return at


class _HashingWriter:
    """A file that only `torch.save` writes to: it counts and hashes in the same pass."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.hash = hashlib.sha256()
        self.error: Exception | None = None

    def write(self, data: bytes | memoryview) -> int:
        try:
            self._file.write(data)
            self.hash.update(data)
            self.size += memoryview(data).nbytes
        except Exception as error:  # torch turns it into a RuntimeError
            self.error = error
            raise
        return memoryview(data).nbytes

    def flush(self) -> None:
        self._file.flush()


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
