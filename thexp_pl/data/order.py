"""The order of an epoch, and the share of it that each process of a training gets."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.utils.data import DistributedSampler, SequentialSampler

from thexp_pl.data.course import Course
from thexp_pl.data.seeding import ORDER, mix, seed_held

__all__ = [
    "ExactSampler",
    "deal",
    "dealt_length",
    "is_dealt",
    "prepare",
    "rank_and_world",
    "sampler_for",
]

T = TypeVar("T")


def rank_and_world() -> tuple[int, int]:
    """Give this process' rank and the number of processes, by torch.distributed."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


class ExactSampler(DistributedSampler[Any]):
    """The samples of this process, in an order that depends on seed and epoch alone.

    The order of the whole epoch is padded with its first samples to a multiple of the number of
    processes, or cut to one with `drop_last`, and dealt out in turn. It is a DistributedSampler so
    that Lightning does not put one of its own in its place.

    Args:
        dataset: The dataset, of which the length counts.
        course: Whose epoch `set_epoch` names.
        shuffle: In a random order, in place of the dataset's own.
        source: The user's own sampler, in place of both.
    """

    def __init__(
        self, dataset: Any, course: Course, *, shuffle: bool, source: Iterable[Any] | None = None
    ) -> None:
        # not torch's __init__: ranks and lengths are looked up when they are needed
        self.dataset: Any = dataset
        self.course = course
        self.shuffle = shuffle
        self.source = source
        self.seed = 0
        self.epoch = 0
        self.drop_last = False

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch of the loader's next iteration; see `ExactDataLoader.set_epoch`."""
        self.course.set_epoch(epoch)

    def share(self) -> torch.Tensor:
        """Give this process' indices of the epoch, int64 of shape (len(self),); no own sampler."""
        (rank, world), size = rank_and_world(), len(self.dataset)
        if self.shuffle:
            generator = torch.Generator().manual_seed(mix(ORDER, self.seed, self.epoch))
            order = torch.randperm(size, generator=generator)
        else:
            order = torch.arange(size)
        if size and world > 1:
            length = len(self)
            order = order[torch.arange(rank, rank + length * world, world) % size]
        return order

    def __iter__(self) -> Iterator[Any]:
        if self.source is None:
            return iter(self.share().tolist())
        if is_dealt(self.source):
            return iter(self.source)
        return deal(self.source, self.drop_last)

    def __len__(self) -> int:
        if self.source is not None and is_dealt(self.source):
            return len(self.source)  # type: ignore[arg-type]  # a TypeError is what len() owes
        whole = self.dataset if self.source is None else self.source
        return dealt_length(len(whole), self.drop_last)  # type: ignore[arg-type]


class _SequentialExactSampler(ExactSampler, SequentialSampler):
    """The same in the dataset's own order; Lightning asks for this type before it overfits."""


def sampler_for(dataset: Any, course: Course, shuffle: bool, source: Any = None) -> ExactSampler:
    """Make the sampler of a loader; see `ExactSampler`. One that is exact already is made anew."""
    if isinstance(source, ExactSampler):
        shuffle, source = source.shuffle, source.source
    plain = source is None and not shuffle
    kind = _SequentialExactSampler if plain else ExactSampler
    return kind(dataset, course, shuffle=shuffle, source=source)


def deal(stream: Iterable[T], drop_last: bool) -> Iterator[T]:
    """Deal out a stream that every process reads alike: this process' things of it.

    Args:
        stream: Anything, endless or not.
        drop_last: Leave a last, incomplete round out, in place of filling it with the first things.

    Yields:
        What falls to this rank.
    """
    rank, world = rank_and_world()
    things = iter(stream)
    first: list[T] = []
    while turn := list(itertools.islice(things, world)):
        first = first or turn
        if len(turn) < world:
            if drop_last:
                return
            turn += itertools.islice(itertools.cycle(first), world - len(turn))
        yield turn[rank]


def dealt_length(length: int, drop_last: bool) -> int:
    """Give the number of things that `deal` deals to each process."""
    world = rank_and_world()[1]
    return length // world if drop_last else -(-length // world)


def is_dealt(sampler: object) -> bool:
    """Tell whether a sampler or batch sampler yields this process' share by itself."""
    inner = getattr(sampler, "sampler", None)
    return isinstance(sampler, DistributedSampler) or isinstance(inner, DistributedSampler)


def prepare(sampler: object, seed: int, epoch: int, held: int) -> None:
    """Tell a sampler, and those inside it, the epoch, and seed the generators they hold.

    Args:
        sampler: The user's own sampler or batch sampler, or an exact one around it.
        seed: The loader's.
        epoch: From 0.
        held: The seed for generators held as attributes.
    """
    seen: set[int] = set()
    while sampler is not None and id(sampler) not in seen:
        seen.add(id(sampler))
        if isinstance(sampler, ExactSampler):
            sampler.seed, sampler.epoch = seed, epoch
            sampler = sampler.source
            continue
        seed_held(sampler, held)
        if callable(set_epoch := getattr(sampler, "set_epoch", None)):
            set_epoch(epoch)
        sampler = getattr(sampler, "sampler", None)
