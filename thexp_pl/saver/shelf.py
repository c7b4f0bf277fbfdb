"""All the files of one kind in a Saver's folder: saving, rotating, finding, loading, clearing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from thexp_pl.errors import CheckpointError
from thexp_pl.saver import listing
from thexp_pl.saver.lock import locked, undisturbed
from thexp_pl.saver.names import Kind, checked_epoch
from thexp_pl.saver.pair import remove_pair, write_pair
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

__all__ = ["Shelf"]


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
        return undisturbed(self._folder, lambda: self._find(which, byindex))

    def info(self, which: listing.Which, byindex: bool) -> dict[str, Any]:
        """Read the user's info beside a file."""

        def look() -> dict[str, Any]:
            return read_sidecar(self._find(which, byindex)).info

        return undisturbed(self._folder, look)

    def load(
        self, which: listing.Which, byindex: bool, weights_only: bool, map_location: MAP_LOCATION
    ) -> Any:
        """Load a state; see `Saver.load_checkpoint`."""

        def look() -> Any:
            path = self._find(which, byindex)
            return read_state(path, weights_only=weights_only, map_location=map_location)[0]

        return undisturbed(self._folder, look)

    def _find(self, which: listing.Which, byindex: bool) -> Path:
        return listing.find(self._folder, self.kind, which, byindex)

    def load_latest(self, weights_only: bool, map_location: MAP_LOCATION) -> Any | None:
        """Load the newest undamaged state; see `Saver.load_latest_checkpoint`."""
        try:
            return undisturbed(self._folder, lambda: self._latest(weights_only, map_location))
        except _PassedOverError as found:
            _warn(str(found))
            return found.state

    def _latest(self, weights_only: bool, map_location: MAP_LOCATION) -> Any:
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
                raise _PassedOverError(state, *problems, f"taking {entry.path.name} instead")
            return state
        problems += self._uncommitted_after((-1, -1))
        none = f"there is no undamaged {self.kind.noun} in {self._folder}"
        raise _PassedOverError(None, *problems, none)

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


class _PassedOverError(DamagedError):
    """There are damaged files newer than what can be loaded, if anything can."""

    def __init__(self, state: Any | None, *sentences: str) -> None:
        super().__init__("; ".join(sentences))
        self.state = state


def _warn(message: str) -> None:
    # from here through Shelf and Saver to the line that asked for the checkpoint
    warnings.warn(message, UserWarning, stacklevel=4)
