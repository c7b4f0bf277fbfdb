"""Who gives each process of a training its share, and what is done where nobody does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from thexp_pl.data.order import dealt_length, is_dealt, rank_and_world
from thexp_pl.errors import UsageError

__all__ = ["Unrepeated", "check_dealable", "deal_batches", "dealt_batches", "shares_itself"]

MARK = "shares_itself"  # an attribute by which a stream, or its loader, says that it does


def shares_itself(loader: Any) -> bool:
    """Tell whether a loader gives each process its own share, where there are several.

    An ExactDataLoader of a dataset that is asked by index does; a loader with a DistributedSampler;
    and one that says so, itself or its dataset, by an attribute ``shares_itself`` that is true.

    Args:
        loader: Anything to iterate, but for a DataBundler.
    """
    if getattr(loader, MARK, False) or getattr(getattr(loader, "dataset", None), MARK, False):
        return True
    # an exact sampler is a DistributedSampler, and of a stream only there for Lightning to ask
    samplers = (getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    return not _is_stream(loader) and any(is_dealt(one) for one in samplers if one is not None)


def check_dealable(loader: Any, name: str) -> None:
    """Raise for a loader whose batches may come in another order in another process.

    Args:
        loader: A loader that does not share itself.
        name: What the message calls it.

    Raises:
        UsageError: It is a DataLoader of a dataset that is asked by index.
    """
    if isinstance(loader, DataLoader) and not _is_stream(loader):
        raise UsageError(
            f"{name!r}, a {type(loader).__name__}, gives every process all its samples, in orders "
            "of their own: derive it from thexp_pl.data.ExactDataLoader, or give it a "
            "DistributedSampler"
        )


def deal_batches(loader: Iterable[Any], drop_last: bool) -> Iterator[Any]:
    """Deal out what every process reads alike, a batch at a time; one process gets them all.

    All processes get as many. All of a round are read before one is handed out: then the loader's
    own place is that after the round.

    Args:
        loader: Gives the same batches everywhere.
        drop_last: Leave a last, incomplete round out, in place of filling it with its own batches.

    Yields:
        What falls to this process.
    """
    rank, world = rank_and_world()
    batches = iter(loader)
    while turn := list(itertools.islice(batches, world)):
        if len(turn) < world and drop_last:
            return
        yield turn[rank % len(turn)]


def dealt_batches(loader: Any, drop_last: bool) -> int:
    """Give the number of batches that `deal_batches` deals to each process.

    Raises:
        TypeError: The loader has no length.
    """
    return dealt_length(len(loader), drop_last)


class Unrepeated(DistributedSampler[Any]):
    """One process's part of what a sampler gives, nothing twice; processes may differ by one.

    To evaluate on: a sample that is counted twice, to fill the last round, would change a mean.

    Args:
        sampler: Gives the same in every process; a batch sampler too.
        rank: The part.
        world: The number of parts; 1 for all of it in every process.
    """

    def __init__(self, sampler: Any, rank: int, world: int) -> None:
        # not torch's __init__: it asks for a dataset
        self.sampler = sampler  # where `order.prepare` looks for it
        self.rank = rank
        self.num_replicas = world

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the sampler within is told by itself."""

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(self.sampler, self.rank, None, self.num_replicas)

    def __len__(self) -> int:
        return len(range(self.rank, len(self.sampler), self.num_replicas))


def _is_stream(loader: Any) -> bool:
    return isinstance(getattr(loader, "dataset", None), IterableDataset)
