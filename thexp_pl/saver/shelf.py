"""All the files of one kind in a Saver's folder: saving, rotating, finding, loading, clearing."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from filelock import FileLock

from thexp_pl.errors import CheckpointError
from thexp_pl.saver import listing
from thexp_pl.saver.names import Kind, checked_epoch
from thexp_pl.saver.pair import remove_pair, settle, write_pair
from thexp_pl.saver.reading import read_state
from thexp_pl.saver.sidecar import (
    DamagedError,
    Record,
    Sidecar,
    now,
    plain_info,
    read_sidecar,
    versions,
    world_size,
)

if TYPE_CHECKING:
    from torch.serialization import MAP_LOCATION

__all__ = ["Shelf", "locked"]

LOCK_NAME = ".saver.lock"
LOCK_SECONDS = 600.0  # another process may be writing a large state to a slow disk


@contextlib.contextmanager
def locked(folder: Path, doing: str, timeout_s: float = LOCK_SECONDS) -> Iterator[None]:
    """Write into a folder as the only process, what killed ones left half-made settled first.

    Args:
        folder: The Saver's folder.
        doing: What for, to follow "cannot" in a message.
        timeout_s: Seconds to wait for another process.

    Raises:
        CheckpointError: The disk refuses, or another process does not finish.
    """
    if not folder.is_dir():  # FileLock would make it again, empty
        raise CheckpointError(f"cannot {doing}: the folder {folder} does not exist any more")
    try:
        with FileLock(folder / LOCK_NAME, timeout=timeout_s):
            settle(folder)
            yield
    except OSError as error:
        raise CheckpointError(f"cannot {doing} in {folder}: {error.strerror or error}") from error


class Shelf:
    """The files of one kind.

    Args:
        folder: The Saver's folder.
        kind: The kind.
        run_key: The run to name in the sidecars.
        max_to_keep: How many stay at a save; None keeps all.
    """

    def __init__(
        self, folder: Path, kind: Kind, run_key: str | None, max_to_keep: int | None = None
    ) -> None:
        self.kind = kind
        self._folder = folder
        self._run_key = run_key
        self._max_to_keep = max_to_keep

    def save(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None,
        replacement: bool,
        step: int | None,
    ) -> Path:
        """Write a state with its sidecar, then rotate; see `Saver.save_checkpoint`."""
        number, plain = checked_epoch(epoch), plain_info(info)
        with locked(self._folder, f"save the {self.kind.noun} of epoch {number}"):
            target = listing.target_of(self._folder, self.kind, number, replacement)
            order = listing.next_order(self._folder, self.kind)

            def describe(size: int, sha256: str) -> Sidecar:
                record = Record(
                    kind=self.kind.noun,
                    epoch=number,
                    step=step,
                    order=order,
                    bytes=size,
                    sha256=sha256,
                    run_key=self._run_key,
                    world_size=world_size(),
                    versions=versions(),
                    time=now(),
                )
                return Sidecar(plain, record)

            write_pair(target, state, describe)
            self._rotate(target)
        return target

    def _rotate(self, saved: Path) -> None:
        if self._max_to_keep is None:
            return
        for entry in listing.committed(self._folder, self.kind)[: -self._max_to_keep]:
            try:
                remove_pair(entry.path)
            except OSError as error:
                raise CheckpointError(
                    f"{saved} is saved, but the older {entry.path} cannot be removed:"
                    f" {error.strerror}"
                ) from error

    def find(self) -> list[Path]:
        """List the committed files, oldest save first."""
        return [entry.path for entry in listing.committed(self._folder, self.kind)]

    def resolve(self, which: listing.Which, byindex: bool) -> Path:
        """Turn an epoch, an index or a path into a path."""
        return listing.find(self._folder, self.kind, which, byindex)

    def info(self, which: listing.Which, byindex: bool) -> dict[str, Any]:
        """Read the user's info beside a file."""
        return read_sidecar(self.resolve(which, byindex)).info

    def load_latest(self, weights_only: bool, map_location: MAP_LOCATION) -> Any | None:
        """Load the newest undamaged state; see `Saver.load_latest_checkpoint`."""
        problems: list[str] = []
        for entry in reversed(listing.committed(self._folder, self.kind)):
            try:
                state, _ = read_state(
                    entry.path, weights_only=weights_only, map_location=map_location
                )
            except DamagedError as error:
                problems.append(str(error))
                continue
            problems += self._uncommitted_after((entry.epoch, entry.repeat))
            if problems:
                _warn([*problems, f"taking {entry.path.name} instead"])
            return state
        problems += self._uncommitted_after((-1, -1))
        _warn([*problems, f"there is no undamaged {self.kind.noun} in {self._folder}"])
        return None

    def _uncommitted_after(self, newest: tuple[int, int]) -> list[str]:
        """Say what is wrong with files that claim to be newer but have no readable sidecar."""
        problems = []
        for path, numbers in listing.uncommitted(self._folder, self.kind).items():
            if numbers > newest:
                try:
                    read_sidecar(path)
                except DamagedError as error:
                    problems.append(str(error))
        return problems

    def clear(self) -> None:
        """Remove every file of this kind, damaged ones and lone sidecars too."""
        with locked(self._folder, f"clear the {self.kind.noun}s"):
            for path in listing.named(self._folder, self.kind):
                remove_pair(path)


def _warn(sentences: list[str]) -> None:
    # from here through Shelf and Saver to the line that asked for the checkpoint
    warnings.warn("; ".join(sentences), UserWarning, stacklevel=4)
