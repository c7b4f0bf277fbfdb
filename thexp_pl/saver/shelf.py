"""All the files of one kind in a Saver's folder: saving, rotating, finding, loading, clearing."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from thexp_pl.errors import CheckpointError
from thexp_pl.saver import listing
from thexp_pl.saver.best import Best, as_number, recorded
from thexp_pl.saver.known import Known
from thexp_pl.saver.lock import locked, reason, undisturbed
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

__all__ = ["Request", "Rows", "Shelf"]

Rows = Callable[[], Sequence[tuple[int, int]] | None]

logger = logging.getLogger("thexp_pl.saver")


@dataclass(frozen=True)
class Request:
    """One save as it was asked for; what changes later, as a queued save waits, is in here."""

    epoch: int
    info: dict[str, Any]
    replacement: bool
    step: int | None
    world_size: int
    rows: list[list[int]] | None = None


class Shelf:
    """The files of one kind.

    Args:
        folder: The Saver's folder.
        kind: The kind.
        run_key: The run to name in the sidecars.
        on_commit: What to call with each new file.
        rows: Tells which part of the run's metrics has been written.
        max_to_keep: How many stay at a save; None keeps all.
    """

    def __init__(
        self,
        folder: Path,
        kind: Kind,
        run_key: str | None,
        on_commit: Callable[[Path], object] | None,
        rows: Rows | None = None,
        max_to_keep: int | None = None,
    ) -> None:
        self.kind = kind
        self._folder = folder
        self._run_key = run_key
        self._on_commit = on_commit
        self._rows = rows
        self._max_to_keep = max_to_keep
        self._best: Best | None = None
        self._best_to_keep = 0
        self._known = Known()

    def request(
        self,
        epoch: SupportsIndex,
        info: Mapping[str, Any] | None,
        replacement: bool,
        step: int | None,
    ) -> Request:
        """Check and keep what a save was asked for; see `Saver.save_checkpoint`."""
        checked, plain = checked_epoch(epoch), plain_info(info)
        number = as_number((info or {}).get(self._best.monitor)) if self._best else None
        if self._best and number is not None:  # a Decimal would be text, and never the best
            plain[self._best.monitor] = number
        rows = None if self._rows is None else self._rows()
        kept = None if rows is None else [[start, stop] for start, stop in rows]
        return Request(checked, plain, replacement, step, world_size(), kept)

    def target(self, request: Request, promised: Collection[Path] = ()) -> Path:
        """The file that a save will make; `promised` are those of the saves before it."""
        return listing.target_of(
            self._folder, self.kind, request.epoch, request.replacement, promised
        )

    def write(self, request: Request, state: Any, promised: Path | None = None) -> Path:
        """Write a state with its sidecar, then rotate.

        Args:
            request: What was asked for.
            state: Whatever `torch.save` takes.
            promised: The file that was promised for it; another process may have taken it since.

        Returns:
            The file.

        Raises:
            CheckpointError: As `Saver.save_checkpoint`.
        """
        doing = f"save the {self.kind.noun} of epoch {request.epoch}"
        with locked(self._folder, doing):
            target = promised or self.target(request)
            if promised and not request.replacement and os.path.lexists(promised):
                target = self.target(request)
                logger.warning("%s was taken meanwhile: saved as %s", promised, target.name)
            entries = self._entries()
            order = entries[-1].order + 1 if entries else 0
            write_pair(target, state, partial(self._sidecar, request, order))
            problem = self._rotate(target)
        self._tell(target)
        if problem:
            raise problem
        return target

    def _tell(self, saved: Path) -> None:
        try:
            if self._on_commit:
                self._on_commit(saved)
        except Exception as error:
            what = str(error).partition("\n")[0] or type(error).__name__
            raise CheckpointError(f"{saved} is saved, but on_commit failed: {what}") from error

    def _sidecar(self, request: Request, order: int, size: int, sha256: str) -> Sidecar:
        record = Record(
            kind=self.kind.noun,
            epoch=request.epoch,
            step=request.step,
            order=order,
            bytes=size,
            sha256=sha256,
            run_key=self._run_key,
            world_size=request.world_size,
            versions=versions(),
            time=now(),
            best=self._best.to_dict() if self._best else None,
            rows=request.rows,
        )
        return Sidecar(request.info, record)

    def _rotate(self, saved: Path) -> CheckpointError | None:
        if self._max_to_keep is None:
            return None
        entries = self._entries()
        best = self._best.ranked(entries)[: self._best_to_keep] if self._best else []
        for entry in entries[: -self._max_to_keep]:
            if entry in best:
                continue
            try:
                remove_pair(entry.path)
            except OSError as error:
                return CheckpointError(
                    f"{saved} is saved, but the older {entry.path} cannot be removed:"
                    f" {reason(error)}"
                )
        return None

    def keep_best(self, best: Best, n: int) -> None:
        """Keep the `n` best besides the newest, from the next save on."""
        self._best, self._best_to_keep = best, n

    def best(self) -> Path | None:
        """The best file, by what this Saver keeps, else by what the sidecars say was kept."""
        entries = self._entries()
        best = self._best or recorded(entries)
        return next((entry.path for entry in best.ranked(entries)), None) if best else None

    def _entries(self) -> list[listing.Entry]:
        return listing.committed(self._folder, self.kind, self._known)

    def find(self) -> list[Path]:
        """List the committed files, oldest save first."""
        return [entry.path for entry in self._entries()]

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
        return listing.find(self._folder, self.kind, which, byindex, self._known)

    def load_latest(self, weights_only: bool, map_location: MAP_LOCATION) -> Any | None:
        """Load the newest undamaged state; see `Saver.load_latest_checkpoint`."""
        try:
            return undisturbed(self._folder, lambda: self._latest(weights_only, map_location))
        except _PassedOverError as found:
            _warn(str(found))
            return found.state

    def _latest(self, weights_only: bool, map_location: MAP_LOCATION) -> Any:
        problems: list[str] = []
        for entry in reversed(self._entries()):
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
