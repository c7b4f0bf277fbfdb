"""Writing and removing a file together with its sidecar, so that a kill never tears them apart.

A save goes: the state to ``.NAME.tmp``, the sidecar to ``.NAME.json.tmp``, both synced to disk;
then the state is moved into place, then the sidecar. Killed before the first move, the draft still
has its ``.NAME.tmp`` beside it and both are dropped; killed between the moves, the draft stands
alone and is moved too. So even overwriting a file never leaves it without its own sidecar.

A removal renames the sidecar to ``.NAME.json.gone`` before it deletes the file, and that last. The
temporary files lie in the folder of their target, because only there a move is atomic. All of this
happens under the folder's lock: what `settle` finds belongs to no living process.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import torch

from thexp_pl.errors import CheckpointError
from thexp_pl.saver.names import kind_of, sidecar_path
from thexp_pl.saver.sidecar import Sidecar

__all__ = ["leftovers", "remove_pair", "settle", "write_pair"]

DRAFT, PART, GONE = ".json.tmp", ".tmp", ".json.gone"  # longest first: DRAFT also ends with PART


def write_pair(target: Path, state: Any, describe: Callable[[int, str], Sidecar]) -> None:
    """Save a state and commit it with its sidecar.

    Args:
        target: Where the state goes; a pair that is there is replaced.
        state: Whatever `torch.save` takes.
        describe: Makes the sidecar from the file's size in bytes and its sha256.

    Raises:
        CheckpointError: The state cannot be pickled.
        OSError: The disk refuses; what was there before is still there.
    """
    part, draft = _beside(target, PART), _beside(target, DRAFT)
    try:
        with part.open("wb") as file:
            size, sha256 = _stream(state, file, target)
            _sync(file)
        with draft.open("wb") as file:
            file.write(describe(size, sha256).encode())
            _sync(file)
        part.replace(target)
        _sync_folder(target.parent)
        draft.replace(sidecar_path(target))
        _sync_folder(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to report
            _settle_one(target)
        raise


def remove_pair(target: Path) -> None:
    """Remove a file and its sidecar, whichever of them there are."""
    gone = _beside(target, GONE)
    with contextlib.suppress(FileNotFoundError):
        sidecar_path(target).replace(gone)
    target.unlink(missing_ok=True)
    gone.unlink(missing_ok=True)
    _sync_folder(target.parent)


def leftovers(folder: Path) -> list[Path]:
    """The targets whose save or removal was cut off, read from the temporary files."""
    targets = set()
    for name in (path.name for path in folder.iterdir()):
        suffix = next((end for end in (DRAFT, GONE, PART) if name.endswith(end)), None)
        if suffix and name.startswith(".") and kind_of(name[1 : -len(suffix)]):
            targets.add(folder / name[1 : -len(suffix)])
    return sorted(targets)


def settle(folder: Path) -> None:
    """Finish or undo what a killed process left half-made; only under the folder's lock."""
    for target in leftovers(folder):
        _settle_one(target)


def _settle_one(target: Path) -> None:
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
    _sync_folder(target.parent)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}{suffix}")


def _stream(state: Any, file: IO[bytes], target: Path) -> tuple[int, str]:
    writer = _HashingWriter(file)
    try:
        torch.save(state, cast("IO[bytes]", writer))
    except Exception as error:
        if writer.error is not None:  # torch hides it behind "unexpected pos"
            raise writer.error from None
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"cannot save {target}: the state is not picklable: {reason}"
        ) from error
    return writer.size, writer.hash.hexdigest()


class _HashingWriter:
    """A file that only `torch.save` writes to: it counts and hashes in the same pass."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.hash = hashlib.sha256()
        self.error: BaseException | None = None

    def write(self, data: bytes | memoryview) -> int:
        try:
            self._file.write(data)
        except BaseException as error:  # Ctrl-C too, which torch would turn into a RuntimeError
            self.error = error
            raise
        self.hash.update(data)
        self.size += memoryview(data).nbytes
        return memoryview(data).nbytes

    def flush(self) -> None:
        self._file.flush()


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)
