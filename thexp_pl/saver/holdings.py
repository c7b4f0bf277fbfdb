"""What a Saver's folder holds: finding, loading and clearing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.saver.background import Background
from thexp_pl.saver.listing import as_path
from thexp_pl.saver.lock import undisturbed
from thexp_pl.saver.reading import read_state

if TYPE_CHECKING:
    from torch.serialization import MAP_LOCATION

    from thexp_pl.saver.listing import Which
    from thexp_pl.saver.shelf import Shelf

__all__ = ["Holdings"]


class Holdings:
    """The files of a folder, as a Saver finds them once all that it was given is written.

    Args:
        checkpoints: The shelf of the checkpoints.
        keypoints: That of the keypoints.
        models: That of the models.
    """

    def __init__(self, checkpoints: Shelf, keypoints: Shelf, models: Shelf) -> None:
        self._background = Background()
        self._shelves = (checkpoints, keypoints, models)

    @property
    def _checkpoints(self) -> Shelf:
        self._background.wait()
        return self._shelves[0]

    @property
    def _keypoints(self) -> Shelf:
        self._background.wait()
        return self._shelves[1]

    @property
    def _models(self) -> Shelf:
        self._background.wait()
        return self._shelves[2]

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
        self._background.wait()

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

    def best_checkpoint(self) -> Path | None:
        """Find the best checkpoint, of equals the one saved first; see `Saver.keep_best`.

        Returns:
            It, by what this Saver keeps, else by what the newest sidecar with a record of that says
            was kept; None where nothing was, or no checkpoint has the value.
        """
        return self._checkpoints.best()

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
        self._background.wait()
        for shelf in self._shelves:
            names = "  ".join(path.name for path in shelf.find())
            print(f"{shelf.kind.noun}s: {names or '-'}")  # noqa: T201 - what it is for
