"""The loaders of a facade Trainer: exact ones to train on, shares for several devices."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.utilities.combined_loader import CombinedLoader
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, SequentialSampler

from thexp_pl.data import DataBundler, ExactDataLoader, exact
from thexp_pl.data.order import is_dealt
from thexp_pl.data.rebuild import arguments, rebuilt
from thexp_pl.data.sharing import Unrepeated, shares_itself
from thexp_pl.errors import UsageError

__all__ = ["among_ranks", "exactly", "to_evaluate", "whole"]


def exactly(loaders: Any) -> Any:
    """Make an `ExactDataLoader` of every plain DataLoader that can be one.

    Args:
        loaders: What a training takes: a loader, several in lists and dicts, or a CombinedLoader.

    Returns:
        The same, with exact loaders; what cannot be one stays, and a SaverCallback says so.
    """
    if isinstance(loaders, CombinedLoader):
        loaders.flattened = [exactly(one) for one in loaders.flattened]
        return loaders
    return apply_to_collection(loaders, (DataLoader, DataBundler), _exact_or_as_it_is)


def among_ranks(loaders: Any, world: int) -> Any:
    """Have each process of a training get its share of every train loader, and as many batches.

    What cannot share itself is dealt out a batch at a time, see `DataBundler.shared_out`, and a
    warning says so. A single DataLoader that is asked by index is left to Lightning, which gives it
    a DistributedSampler where it has none.

    Args:
        loaders: What `exactly` gave: one loader, or a CombinedLoader.
        world: The number of processes; nothing is changed for one.

    Returns:
        The same loaders; one that is dealt out within a DataBundler.

    Raises:
        UsageError: A loader in a bundle cannot be shared out.
    """
    if isinstance(loaders, CombinedLoader):
        loaders.flattened = [among_ranks(one, world) for one in loaders.flattened]
        return loaders
    return loaders if world == 1 else _shared_out(loaders, world)


def to_evaluate(loader: Any, train_loader: Any, rank: int, world: int) -> tuple[Any, bool]:
    """Give a loader to evaluate on, which leaves the training's place in the data alone.

    Where there are several processes and all parts of the loader give shares, each gets its own,
    with no sample in two of them; otherwise each gets the whole.

    Args:
        loader: The loader, which may be that of the training.
        train_loader: That of the training, or None.
        rank: The number of this process.
        world: The number of processes.

    Returns:
        The loader, or one like it, and whether it gives a share.

    Raises:
        UsageError: Some parts share themselves out, in a way of their own, and others do not.
    """
    leaves = list(_leaves(loader))
    is_shared = world > 1 and all(gives and _suffices(one, world) for one, gives in leaves)
    if world > 1 and not is_shared and any(gives and not _is_ours(one) for one, gives in leaves):
        kinds = ", ".join(type(one).__name__ for one, _ in leaves)
        raise UsageError(
            f"to evaluate on {kinds} together, each process would get a share of some and all of "
            "others; have all of them share themselves out, or none"
        )
    part = (rank, world) if is_shared else (0, 1)
    training = {id(one) for one, _ in _leaves(train_loader)}

    def own(one: Any) -> Any:
        if isinstance(one, DataBundler):
            return one.mapped(own)
        if world > 1 and _is_ours(one):
            return _unrepeated(one, *part)
        is_trained_on = isinstance(one, ExactDataLoader) and id(one) in training
        return rebuilt(one) if is_trained_on else one

    return own(loader), is_shared


def whole(loader: Any, world: int) -> Any:
    """Give a loader that gives all its batches to every process, where it can be one.

    Args:
        loader: Any loader.
        world: The number of processes; nothing is changed for one.
    """
    if isinstance(loader, DataBundler) and world > 1:
        return loader.mapped(partial(whole, world=world))
    return _unrepeated(loader, 0, 1) if world > 1 and _is_ours(loader) else loader


def _exact_or_as_it_is(loader: Any) -> Any:
    if isinstance(loader, DataBundler):
        return loader.mapped(_exact_or_as_it_is)
    try:
        return exact(loader)
    except UsageError:
        return loader


# -- shares to train on --------------------------------------------------------------------------


def _shared_out(loader: Any, world: int) -> Any:
    if isinstance(loader, DataBundler):
        _tell_dealt(loader, world)
        return loader.shared_out()
    is_asked_by_index = isinstance(loader, DataLoader) and not _is_stream(loader)
    if is_asked_by_index or shares_itself(loader):
        return loader
    bundler = DataBundler().add(loader, "train")
    _tell_dealt(bundler, world)
    return bundler.shared_out()


@rank_zero_only
def _tell_dealt(bundler: DataBundler, world: int) -> None:
    dealt = {type(_named(one)).__name__ for one, gives in bundler.leaves() if not gives}
    if dealt:
        warnings.warn(
            f"{', '.join(sorted(dealt))}: each of {world} processes reads all of it and trains on "
            f"one in {world} of its batches, so it must yield the same in each; if it shares "
            "itself out, set its attribute shares_itself = True",
            UserWarning,
            stacklevel=2,
        )


def _named(loader: Any) -> Any:
    return loader.dataset if _is_stream(loader) else loader


# -- shares to evaluate on -----------------------------------------------------------------------


def _leaves(loader: Any) -> Iterator[tuple[Any, bool]]:
    if isinstance(loader, DataBundler):
        yield from loader.leaves()
    else:
        yield loader, shares_itself(loader)


def _is_stream(loader: Any) -> bool:
    return isinstance(getattr(loader, "dataset", None), IterableDataset)


def _is_ours(loader: Any) -> bool:
    """Say whether it is an exact loader that deals its samples or batches out by itself."""
    if not isinstance(loader, ExactDataLoader) or _is_stream(loader):
        return False
    return not is_dealt(_source(loader))


def _suffices(loader: Any, world: int) -> bool:
    """Say whether there is a batch for every process, as far as it can be known."""
    if not _is_ours(loader):
        return True
    source = _source(loader)
    try:
        size = len(loader.dataset if source is None else source)
    except TypeError:
        return False
    return size >= world * (loader.batch_size or 1 if loader.drop_last else 1)


def _source(loader: ExactDataLoader) -> Any:
    """Give the user's own sampler, or batch sampler, or None."""
    if loader.batches_itself():
        return loader.batch_sampler
    return getattr(loader.sampler, "source", None)


def _unrepeated(loader: ExactDataLoader, rank: int, world: int) -> Any:
    source = _source(loader)
    if loader.batches_itself():
        return rebuilt(loader, batch_sampler=Unrepeated(source, rank, world))
    if source is None:
        dataset: Any = loader.dataset
        shuffled = arguments(loader)["shuffle"]
        source = RandomSampler(dataset) if shuffled else SequentialSampler(dataset)
    return rebuilt(loader, sampler=Unrepeated(source, rank, world), shuffle=None)
