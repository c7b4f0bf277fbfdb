"""One run through a dataset that is asked by index: what is asked for, and how it is loaded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from torch.utils.data import (
    ConcatDataset,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    default_convert,
    get_worker_info,
)

from thexp_pl.data.course import Place
from thexp_pl.data.order import ExactSampler, deal, is_dealt, prepare, rank_and_world
from thexp_pl.data.seeding import (
    BATCH,
    ITEM,
    SAMPLER,
    OwnStates,
    mix,
    mixed_with,
    seed_all,
    undisturbed,
)
from thexp_pl.errors import CheckpointError

if TYPE_CHECKING:
    from thexp_pl.data.loader import ExactDataLoader

__all__ = ["Request", "SampleRun", "SampleSource"]


class Request(NamedTuple):
    """One batch to load: all that a worker needs to know of it.

    Args:
        seed: For whatever is drawn while it is loaded.
        items: The seed that each item's own is made of.
        first: The place of the first item in the epoch's order of all processes.
        stride: From one item's place to the next.
        indices: What the sampler gave: a list of indices, or one where batches are not collated.
        after: How many batches and samples this process has had with this one.
    """

    seed: int
    items: int
    first: int
    stride: int
    indices: Any
    after: tuple[int, int]


class SampleSource(Dataset[Any]):
    """Loads requests, in a worker or in the main process.

    Args:
        dataset: The user's.
        collate_fn: Makes a batch of a list of items, or converts the one item.
        collated: Whether requests hold lists of indices.
        per_item: Seed before each item too.
    """

    def __init__(
        self,
        dataset: Any,
        collate_fn: Callable[[Any], Any],
        collated: bool,
        per_item: bool,
    ) -> None:
        self.dataset = dataset
        self._collate_fn = collate_fn
        self._collated = collated
        self._per_item = per_item
        self._draws_nothing = _is_ready(dataset) and collate_fn in (
            default_collate,
            default_convert,
        )

    def __getitem__(self, request: Request) -> tuple[bool, Any, tuple[int, int]]:
        if self._draws_nothing:  # what is set to no seed need not be put back
            return False, self._collate_fn(self._loaded(request)), request.after
        with undisturbed() if get_worker_info() is None else nullcontext():
            if self._per_item:
                data = self._one_by_one(request)
                seed_all(request.seed)  # for collate_fn, whatever the items drew
            else:
                seed_all(request.seed)
                data = self._loaded(request)
            return False, self._collate_fn(data), request.after

    def _loaded(self, request: Request) -> Any:
        if not self._collated:
            return self.dataset[request.indices]
        if getattr(self.dataset, "__getitems__", None):
            return self.dataset.__getitems__(request.indices)
        return [self.dataset[index] for index in request.indices]

    def _one_by_one(self, request: Request) -> Any:
        dataset, items, place = self.dataset, request.items, request.first
        if not self._collated:
            seed_all(mixed_with(items, place))
            return dataset[request.indices]
        data = []
        for index in request.indices:
            seed_all(mixed_with(items, place))
            data.append(dataset[index])
            place += request.stride
        return data


def _is_ready(dataset: Any) -> bool:
    """Tell whether a dataset gives what is there already, by no code of the user's."""
    if type(dataset) is Subset:
        return _is_ready(dataset.dataset)
    if type(dataset) is ConcatDataset:
        return all(_is_ready(part) for part in dataset.datasets)
    return type(dataset) in (TensorDataset, list, tuple, range)


class SampleRun:
    """The requests of one iteration from its place on, and the places after their batches.

    Args:
        loader: Whose iteration it is.
        seed: The loader's seed.
        here: Where it begins.

    Raises:
        CheckpointError: No batch of this process begins there.
    """

    def __init__(self, loader: ExactDataLoader, seed: int, here: Place) -> None:
        # no reference to the loader, which keeps this one as long as workers stay: see InnerLoader
        self._sampler, self._batch_sampler = loader.sampler, loader.batch_sampler
        self._batch_size, self._drop_last = loader.batch_size, loader.drop_last
        self._seed = seed
        self._rank, self._world = rank_and_world()
        self._total = loader.known_length()
        self.here = self._on_a_batch(here, loader.own_batches())

    def after(self, note: Any, handed: bool) -> Place:
        """Give the place after an answer, of what came with it; here each is a batch."""
        batches, samples = note
        if handed and batches == self._total:
            return self.complete()
        return Place(self.here.epoch, batches, samples * self._world, self._world)

    def complete(self) -> Place:
        """Give the place after the last batch: the next epoch's start."""
        return Place(self.here.epoch + 1, world=self._world)

    def __iter__(self) -> Iterator[Request]:
        batches, samples = self.here.batches, self.here.samples // self._world
        seed = mix(BATCH, self._seed, self.here.epoch, self._rank)
        items = mix(ITEM, self._seed, self.here.epoch)
        collated = self._batch_sampler is not None
        sampler = self._own_order()
        for indices in self._drawn() if sampler is None else self._sliced(sampler):
            size = len(indices) if collated else 1
            first = samples * self._world + self._rank
            after = (batches + 1, samples + size)
            yield Request(mixed_with(seed, batches), items, first, self._world, indices, after)
            batches, samples = after

    def _own_order(self) -> ExactSampler | None:
        """Give the loader's sampler where the order is its own, and cut into even batches."""
        sampler = self._sampler
        if not isinstance(sampler, ExactSampler) or sampler.source is not None:
            return None
        batches_itself = self._batch_sampler is not None and self._batch_size is None
        return None if batches_itself else sampler

    def _sliced(self, sampler: ExactSampler) -> Iterator[Any]:
        prepare(sampler, self._seed, self.here.epoch, 0)
        share = sampler.share()
        size = self._batch_size
        if size is None:
            yield from share[self.here.batches :].tolist()
            return
        for start in itertools.count(self.here.batches * size, size):
            indices = share[start : start + size].tolist()
            if not indices or (self._drop_last and len(indices) < size):
                return
            yield indices

    def _drawn(self) -> Iterator[Any]:
        """Ask the user's own sampler, each time with the states of generators that are its own."""
        drawing = mix(SAMPLER, self._seed, self.here.epoch)
        states = OwnStates(drawing)
        sampler = self._batch_sampler
        asked: Iterable[Any] = self._sampler if sampler is None else sampler
        with states.in_place():
            prepare(asked, self._seed, self.here.epoch, drawing)
            stream = iter(asked if sampler is None or is_dealt(asked) else deal(asked, False))
            for _ in itertools.islice(stream, self.here.batches):
                pass  # handed out before: not loaded again
        while True:
            with states.in_place():
                try:
                    indices = next(stream)
                except StopIteration:
                    return
            yield indices

    def _on_a_batch(self, here: Place, unequal: str | None) -> Place:
        """Find the batch of this process that begins at the place; another size or world counts."""
        world = self._world
        if here.batches == 0:
            return Place(here.epoch, world=world)
        # where batches are not cut evenly, only as many processes have the same ones
        if unequal is not None and here.world != world:
            raise CheckpointError(
                f"the loader's state was saved by {here.world} processes, and there are {world}: "
                f"{unequal}; resume with {here.world}, or at the start of an epoch"
            )
        if unequal is not None:
            return here
        size = world * (self._batch_size or 1)
        if here.samples % size:
            raise CheckpointError(
                f"the loader's state stands after {here.samples} samples of epoch {here.epoch}, "
                f"where no batch of {size} ({world} processes x {size // world}) begins; resume "
                f"with a joined batch that divides {here.samples}"
            )
        return Place(here.epoch, here.samples // size, here.samples, world)
