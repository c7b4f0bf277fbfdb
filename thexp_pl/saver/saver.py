"""The Saver: one folder of checkpoints, keypoints and models."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.saver.listing import as_path
from thexp_pl.saver.lock import locked, undisturbed
from thexp_pl.saver.names import CHECKPOINT, KEYPOINT, MODEL
from thexp_pl.saver.pair import leftovers
from thexp_pl.saver.reading import read_state
from thexp_pl.saver.shelf import Shelf

if TYPE_CHECKING:
    from torch.serialization import MAP_LOCATION

    from thexp_pl.saver.listing import Which

__all__ = ["Saver"]


class Saver:
    """Saves states as checkpoints, keypoints and models, and loads only what is undamaged.

    The three take the same arguments. Only checkpoints rotate; a keypoint or a model stays until it
    is cleared. Names are thexp's: ``0000003.ckpt``, ``keep.0000003.ckpt``, ``model.0000003.pth``,
    each with ``<name>.json`` beside it; the digits before the last six count the repeats of an
    epoch. "Oldest" and "newest" go by the order of saving that the sidecars record. A kill at any
    moment leaves every earlier pair, and the one being written either whole or not at all.

    Args:
        dir: The folder; made if it is missing. Several processes may save into it, in turns.
        max_to_keep: How many checkpoints stay; None keeps all.
        run_key: The run to name in the sidecars.

    Raises:
        UsageError: `max_to_keep` is not None and not an integer of at least 1, or `dir` is no path.
        CheckpointError: The folder cannot be made or read.

    >>> import tempfile
    >>> saver = Saver(tempfile.mkdtemp(), max_to_keep=2)
    >>> for epoch in range(4):
    ...     path = saver.save_checkpoint(epoch, {"a": epoch}, {"loss": 1 / (epoch + 1)})
    >>> [path.name for path in saver.find_checkpoints()]
    ['0000002.ckpt', '0000003.ckpt']
    >>> saver.load_checkpoint(2), saver.checkpoint_info(-1, byindex=True)
    ({'a': 2}, {'loss': 0.25})
    """

    def __init__(
        self,
        dir: str | os.PathLike[str],
        max_to_keep: int | None = 3,
        *,
        run_key: str | None = None,
    ) -> None:
        if max_to_keep is not None and (type(max_to_keep) is not int or max_to_keep < 1):
            raise UsageError(
                f"max_to_keep={max_to_keep!r}: give an integer of at least 1, or None to keep all"
            )
        given = as_path(dir)
        try:
            self.dir = given.absolute()  # a later chdir must not move it
            self.dir.mkdir(parents=True, exist_ok=True)
            unfinished = bool(leftovers(self.dir))
        except OSError as error:
            raise CheckpointError(f"cannot make or read {given}: {error.strerror}") from error
        self._checkpoints = Shelf(self.dir, CHECKPOINT, run_key, max_to_keep)
        self._keypoints = Shelf(self.dir, KEYPOINT, run_key)
        self._models = Shelf(self.dir, MODEL, run_key)
        if unfinished:
            # while someone writes, or where only reading is allowed, this waits for the next save
            with contextlib.suppress(CheckpointError), locked(self.dir, "tidy", timeout_s=0):
                pass

    def save_checkpoint(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None = None,
        replacement: bool = False,
        *,
        step: int | None = None,
    ) -> Path:
        """Save a checkpoint, then remove the oldest ones beyond `max_to_keep`.

        Args:
            epoch: 0 to 999999; it names the file.
            state: Whatever `torch.save` takes, tensors on any device.
            info: What goes into the sidecar; values that JSON has no word for are converted as
                `thexp_pl.jsonable` describes.
            replacement: Overwrite the latest checkpoint of this epoch instead of adding one.
            step: The number of training batches so far, for the record.

        Returns:
            The path of the new file.

        Raises:
            UsageError: The epoch or the info cannot be saved; nothing was written.
            CheckpointError: The disk refuses, or the state cannot be pickled; what was there
                before is still there.
        """
        return self._checkpoints.save(epoch, state, info, replacement, step)

    def save_keypoint(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None = None,
        replacement: bool = False,
        *,
        step: int | None = None,
    ) -> Path:
        """Save a checkpoint that rotation never removes; see `save_checkpoint`."""
        return self._keypoints.save(epoch, state, info, replacement, step)

    def save_model(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None = None,
        replacement: bool = False,
        *,
        step: int | None = None,
    ) -> Path:
        """Save a final model, which rotation never removes; see `save_checkpoint`."""
        return self._models.save(epoch, state, info, replacement, step)

    def find_checkpoints(self) -> list[Path]:
        """List the committed checkpoints, oldest first."""
        return self._checkpoints.find()

    def find_keypoints(self) -> list[Path]:
        """List the committed keypoints, oldest first."""
        return self._keypoints.find()

    def find_models(self) -> list[Path]:
        """List the committed models, oldest first."""
        return self._models.find()

    def checkpoint_path(self, which: Which, byindex: bool = False) -> Path:
        """Give the file that `load_checkpoint` would load for the same `which` and `byindex`.

        Raises:
            CheckpointError: There is none.
            UsageError: `which` is neither epoch, index nor path.
        """
        return self._checkpoints.resolve(which, byindex)

    def keypoint_path(self, which: Which, byindex: bool = False) -> Path:
        """Give the file that `load_keypoint` would load; see `checkpoint_path`."""
        return self._keypoints.resolve(which, byindex)

    def model_path(self, which: Which, byindex: bool = False) -> Path:
        """Give the file that `load_model` would load; see `checkpoint_path`."""
        return self._models.resolve(which, byindex)

    def load_checkpoint(
        self,
        which: Which,
        byindex: bool = False,
        *,
        weights_only: bool = True,
        map_location: MAP_LOCATION = "cpu",
    ) -> Any:
        """Load the state of a checkpoint once its size and hash are those of its sidecar.

        Args:
            which: An epoch (its latest repeat), an index with `byindex`, or a path.
            byindex: Take `which` as an index into `find_checkpoints()`.
            weights_only: Load tensors and plain values only; False lets the file run any code.
            map_location: Where tensors go, as in `torch.load`.

        Returns:
            The state.

        Raises:
            CheckpointError: It is missing, damaged, or holds more than `weights_only` lets in.
            UsageError: `which` is neither epoch, index nor path.
        """
        return self._checkpoints.load(which, byindex, weights_only, map_location)

    def load_keypoint(
        self,
        which: Which,
        byindex: bool = False,
        *,
        weights_only: bool = True,
        map_location: MAP_LOCATION = "cpu",
    ) -> Any:
        """Load the state of a keypoint; see `load_checkpoint`."""
        return self._keypoints.load(which, byindex, weights_only, map_location)

    def load_model(
        self,
        which: Which,
        byindex: bool = False,
        *,
        weights_only: bool = True,
        map_location: MAP_LOCATION = "cpu",
    ) -> Any:
        """Load the state of a model; see `load_checkpoint`."""
        return self._models.load(which, byindex, weights_only, map_location)

    def load_state_dict(
        self,
        path: str | os.PathLike[str],
        *,
        weights_only: bool = True,
        map_location: MAP_LOCATION = "cpu",
    ) -> tuple[Any, dict[str, Any]]:
        """Load any file of any Saver; see `load_checkpoint`.

        Returns:
            The state, and the user's info.
        """
        file = as_path(path)

        def look() -> tuple[Any, dict[str, Any]]:
            return read_state(file, weights_only=weights_only, map_location=map_location)

        return undisturbed(file.parent, look)

    def load_latest_checkpoint(
        self, *, weights_only: bool = True, map_location: MAP_LOCATION = "cpu"
    ) -> Any | None:
        """Load the newest checkpoint that is not damaged, and warn about newer ones that are.

        Args:
            weights_only: As in `load_checkpoint`.
            map_location: As in `load_checkpoint`.

        Returns:
            The state; None, with a warning, where there is no undamaged checkpoint.

        Raises:
            CheckpointError: The newest undamaged one cannot be loaded this way.
        """
        return self._checkpoints.load_latest(weights_only, map_location)

    def checkpoint_info(self, which: Which, byindex: bool = False) -> dict[str, Any]:
        """Read the info saved with a checkpoint; `which` and `byindex` as in `load_checkpoint`."""
        return self._checkpoints.info(which, byindex)

    def keypoint_info(self, which: Which, byindex: bool = False) -> dict[str, Any]:
        """Read the info saved with a keypoint; `which` and `byindex` as in `load_checkpoint`."""
        return self._keypoints.info(which, byindex)

    def model_info(self, which: Which, byindex: bool = False) -> dict[str, Any]:
        """Read the info saved with a model; `which` and `byindex` as in `load_checkpoint`."""
        return self._models.info(which, byindex)

    def clear_checkpoints(self) -> None:
        """Remove all checkpoints and their sidecars, damaged ones too."""
        self._checkpoints.clear()

    def clear_keypoints(self) -> None:
        """Remove all keypoints and their sidecars, damaged ones too."""
        self._keypoints.clear()

    def clear_models(self) -> None:
        """Remove all models and their sidecars, damaged ones too."""
        self._models.clear()

    def summary(self) -> None:
        """Print what the folder holds, oldest first."""
        for shelf in (self._checkpoints, self._keypoints, self._models):
            names = "  ".join(path.name for path in shelf.find())
            print(f"{shelf.kind.noun}s: {names or '-'}")  # noqa: T201 - what it is for
