"""Where the loaders of a Lightning Trainer stand in their data, and having them go on there."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl

from thexp_pl.data.standing import keeps_state
from thexp_pl.errors import CheckpointError, UsageError

__all__ = [
    "kept_places",
    "load_train_places",
    "load_validation_places",
    "make_iterators",
    "takes",
    "train_places",
    "validation_places",
]


def train_places(trainer: pl.Trainer) -> list[Any]:
    """Give the state of each train loader after the last batch that was trained on.

    Args:
        trainer: The Lightning Trainer.

    Returns:
        For each loader what its `state_dict` gives, or None where it has none.
    """
    return [
        None
        if not keeps_state(loader)
        else loader.state_dict(ahead=ahead)
        if (ahead := _read_ahead(trainer, loader)) and takes(loader.state_dict, "ahead")
        else loader.state_dict()
        for loader in _loaders(trainer.fit_loop)
    ]


def load_train_places(trainer: pl.Trainer, places: Any) -> None:
    """Give the train loaders their places; one without begins with its epoch.

    Args:
        trainer: The Lightning Trainer, whose train loaders are set up.
        places: What `train_places` gave.

    Raises:
        CheckpointError: They are those of another number of loaders, or of other ones.
    """
    loaders = _loaders(trainer.fit_loop)
    if places and len(places) != len(loaders):
        raise CheckpointError(
            f"the checkpoint holds the positions of {len(places)} train loaders, and this "
            f"training has {len(loaders)}; train on as many"
        )
    for loader, place in zip(loaders, places, strict=False):
        if place is not None and keeps_state(loader):
            loader.load_state_dict(place)


def validation_places(trainer: pl.Trainer) -> list[Any]:
    """Give the state of each validation loader that can begin anew from one.

    Args:
        trainer: The Lightning Trainer.

    Returns:
        For each loader its state, of which the seeds count, or None; so too of a train loader.
    """
    training = {id(loader) for loader in _loaders(trainer.fit_loop)}
    return [
        loader.state_dict() if _begins_anew(loader) and id(loader) not in training else None
        for loader in _loaders(trainer.fit_loop.epoch_loop.val_loop)
    ]


def load_validation_places(trainer: pl.Trainer, places: Any) -> bool:
    """Have each validation loader begin as it would have; one that was not saved begins as its own.

    Args:
        trainer: The Lightning Trainer.
        places: What `validation_places` gave.

    Returns:
        Whether the loaders were there.
    """
    loaders = _loaders(trainer.fit_loop.epoch_loop.val_loop)
    if len(places) == len(loaders):
        for loader, place in zip(loaders, places, strict=True):
            if place is not None and _begins_anew(loader):
                # whoever validates on other data than was saved is free to
                with contextlib.suppress(CheckpointError):
                    loader.load_state_dict(place, anew=True)
    return bool(loaders)


@contextlib.contextmanager
def kept_places(trainer: pl.Trainer) -> Iterator[None]:
    """Have what is read meanwhile leave the train loaders where they stand.

    A loader may be that of the validation too.

    Args:
        trainer: The Lightning Trainer.
    """
    with contextlib.ExitStack() as kept:
        for loader in _loaders(trainer.fit_loop):
            if callable(getattr(loader, "kept", None)):
                kept.enter_context(loader.kept())
        yield


def make_iterators(trainer: pl.Trainer) -> None:
    """Make the iterators of the train loaders, from where they stand.

    In the middle of an epoch one of several loaders may have been used up before: under the mode
    "max_size" of Lightning's CombinedLoader it gives nothing more in this epoch, and under
    "max_size_cycle" the epoch does not wait for its end again.

    Args:
        trainer: The Lightning Trainer, whose train loaders are set up.
    """
    fetcher: Any = trainer.fit_loop._data_fetcher
    combined: Any = trainer.fit_loop._combined_loader
    loaders, used_up = combined.flattened, _used_up(trainer)
    if combined._mode == "max_size":
        combined.flattened = [() if used_up[i] else one for i, one in enumerate(loaders)]
    try:
        iter(fetcher)  # which may read a batch ahead
    finally:
        combined.flattened = loaders
    if combined._mode == "max_size_cycle":
        combined._iterator._consumed = used_up


def _read_ahead(trainer: pl.Trainer, loader: Any) -> int:
    """Count the batches of a loader that Lightning has read and not handed out."""
    loop: Any = trainer.fit_loop
    ahead = len(getattr(loop._data_fetcher, "batches", ()))
    if ahead and loop._combined_loader._mode == "max_size" and hasattr(loader, "snapshot"):
        with contextlib.suppress(UsageError):
            if loader.snapshot(ahead).batches == loop.epoch_loop.batch_progress.current.ready:
                return ahead
        return 0  # it was used up before
    return ahead


def _used_up(trainer: pl.Trainer) -> list[bool]:
    """Say of each train loader whether it gave all it has to the epoch in progress."""
    loop: Any = trainer.fit_loop
    in_progress = loop.epoch_progress.current.processed < loop.epoch_progress.current.ready
    done = loop.epoch_loop.batch_progress.current.processed if in_progress else 0
    # its place is then the start of its next epoch, or in it
    return [
        callable(getattr(loader, "snapshot", None)) and loader.snapshot().batches < done
        for loader in _loaders(loop)
    ]


def _loaders(loop: Any) -> list[Any]:
    combined = loop._combined_loader
    return [] if combined is None else list(combined.flattened)


def _begins_anew(loader: Any) -> bool:
    return keeps_state(loader) and takes(loader.load_state_dict, "anew")


def takes(method: Any, name: str) -> bool:
    """Say whether a method has an argument of this name."""
    return name in inspect.signature(method).parameters
