"""ExactDataLoader: torch's DataLoader, with a place that can be saved and taken up again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import distributed
from torch.utils.data import DataLoader, IterableDataset, IterDataPipe, MapDataPipe

from thexp_pl.data.course import Course, Place
from thexp_pl.data.inner import InnerLoader, WorkerStart
from thexp_pl.data.order import dealt_length, is_dealt, rank_and_world, sampler_for
from thexp_pl.data.samples import SampleRun, SampleSource
from thexp_pl.data.seeding import MAX_SEED, WORKERS, mix
from thexp_pl.data.standing import Standing
from thexp_pl.data.state import read_state, write_state
from thexp_pl.data.stream import StreamRun, StreamSource, can_go_on
from thexp_pl.errors import CheckpointError, UsageError

__all__ = ["ExactDataLoader"]


class ExactDataLoader(DataLoader[Any]):
    """A DataLoader whose batches depend on its seed and its place alone.

    The order of the samples is a function of (seed, epoch); what dataset and collate_fn draw from
    the global generators of torch (CPU), numpy and random is one of (seed, epoch, rank, number of
    the batch), or, with `seed_per_item`, of (seed, epoch, place of the item in the order), whatever
    the number of workers. The generators of the main process stay as if nothing had been drawn. A
    generator object of the dataset's own is not among them.

    Several processes (torch.distributed) get the samples of each joined batch in turn, so that two
    processes with batches of 4 see together what one sees in a batch of 8. A sampler of the user's
    own draws from generators that are seeded by (seed, epoch), those it holds too. An
    IterableDataset goes on where it can: `state_dict()` and `load_state_dict(state)`, called before
    `iter()`, or `seek(n)`, called before `iter()` to have it begin at its n-th item.

    `iter(loader)` does nothing; the first `next` reads the place and starts workers.

    Args:
        dataset: As DataLoader.
        batch_size: As DataLoader.
        shuffle: As DataLoader.
        sampler: As DataLoader; where there are several processes it is dealt out among them,
            unless it is a DistributedSampler.
        batch_sampler: As DataLoader; dealt out likewise, a batch at a time.
        args: As DataLoader.
        seed: 0 to 2**64 - 1; part of the state. By default the one that torch's generator began
            with, rank 0's, taken at the first batch and kept.
        seed_per_item: Seed before each item, so that random augmentation is the same with another
            number of processes.
        options: As DataLoader.

    Raises:
        UsageError: The seed is none, or the dataset is a DataPipe.
        ValueError: As DataLoader.

    >>> loader = ExactDataLoader(range(6), batch_size=2, shuffle=True, seed=1)
    >>> batches = iter(loader)
    >>> _ = next(batches)
    >>> state = loader.state_dict()
    >>> again = ExactDataLoader(range(6), batch_size=2, shuffle=True)
    >>> again.load_state_dict(state)
    >>> [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]
    True
    """

    read_alike = False  # by all processes, which `DataBundler.shared_out` deals its batches to

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        *args: Any,
        seed: int | None = None,
        seed_per_item: bool = False,
        **options: Any,
    ) -> None:
        _check(dataset, seed)
        self.seed = seed
        self.seed_per_item = seed_per_item
        self._settled: int | None = None
        self._course = Course()
        self.standing = Standing()
        self._inner: InnerLoader | None = None
        by_index = not isinstance(dataset, IterableDataset)
        if shuffle and sampler is not None:
            raise UsageError("sampler and shuffle=True: give one of them")
        ours = sampler_for(dataset, self._course, bool(shuffle), sampler)
        if by_index and batch_sampler is None:
            shuffle, sampler = None, ours
        super().__init__(dataset, batch_size, shuffle, sampler, batch_sampler, *args, **options)
        ours.drop_last = self.drop_last
        # DataLoader forbids it afterwards; Lightning asks `sampler` for its type, and tells it of
        # the epoch, where there is a batch_sampler or an IterableDataset too
        self.__dict__["sampler"] = ours

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # DataLoader names its own class
        return _ExactIterator(self)

    def __len__(self) -> int:
        if self._is_stream() or self.batch_sampler is None or is_dealt(self.batch_sampler):
            return super().__len__()
        return dealt_length(len(self.batch_sampler), drop_last=False)  # type: ignore[arg-type]

    @property
    def inexact(self) -> str | None:
        """Why resuming in the middle of an epoch will not be exact, or None if it will."""
        kind = type(self.dataset).__name__
        if self._is_stream() and not can_go_on(self.dataset):
            return f"{kind} is an IterableDataset with neither state_dict/load_state_dict nor seek"
        if not self.in_order and self.num_workers > 0:
            return "in_order=False hands batches out in the order in which workers finish them"
        return None

    def state_dict(self, ahead: int = 0) -> dict[str, Any]:
        """Give the place after the last batch handed out.

        Args:
            ahead: Give the one this many batches before that: those were handed out, but not used.

        Returns:
            Plain values, and what the dataset's own state holds: ``seed`` (None while it is not
            settled), ``epoch``, ``batches`` (of this process), ``samples`` (of all processes; of
            an IterableDataset its items here), ``world``, ``named``, ``size`` of the dataset and
            ``copies`` of an IterableDataset. A complete epoch is (epoch + 1, 0 batches).

        Raises:
            UsageError: The place `ahead` batches back is not known any more.
        """
        return self.spelled(self._course.at(ahead))

    def load_state_dict(self, state: Mapping[str, Any], *, anew: bool = False) -> None:
        """Have the next iteration go on there, without loading what comes before.

        Args:
            state: What `state_dict` gave, here or in another process; its seed becomes this
                loader's.
            anew: Have it begin an epoch instead, as after an iteration that was dropped.

        Raises:
            CheckpointError: It is no such state, or that of a dataset of another length.
        """
        seed, place = read_state(state, self._size())
        if seed is not None:
            self._settled = seed
        self._course.load(place, anew)

    def set_epoch(self, epoch: int) -> None:
        """Have the next iteration be this epoch.

        The number of the epoch in progress, or of the one that a loaded state stands in, lets it
        go on. Without this call each iteration is the next epoch.

        Args:
            epoch: From 0.

        Raises:
            UsageError: It is no number of an epoch.
        """
        self._course.set_epoch(epoch)

    def kept(self) -> AbstractContextManager[None]:
        """Have what is iterated meanwhile leave the iteration in progress where it stands."""
        return self._course.kept()

    def snapshot(self, ahead: int = 0) -> Place:
        """Give the place as it is kept; `spelled` makes a state of it, at any later time."""
        return self._course.at(ahead)

    def spelled(self, place: Place) -> dict[str, Any]:
        """Make a state of a place that `snapshot` gave."""
        alone = rank_and_world()[1] == 1
        return write_state(self._settle() if alone else self._settled, place, self._size())

    def known_length(self) -> int | None:
        """Give the batches of an epoch, or None where nobody knows."""
        try:
            return len(self)
        except (TypeError, NotImplementedError):
            return None

    def own_batches(self) -> str | None:
        """Say why batches cannot be cut anew for another number of processes, or None."""
        if self.batches_itself():
            return "the batch_sampler makes its own batches"
        source = getattr(self.sampler, "source", None)
        return "the sampler deals out by itself" if is_dealt(source) else None

    def batches_itself(self) -> bool:
        """Tell whether the batch_sampler is the user's own."""
        return self.batch_sampler is not None and self.batch_size is None

    def begun(self, run: int, here: Place) -> tuple[SampleRun | StreamRun, Iterator[Any]]:
        """Begin an iteration of `course.begin()`: its run, and its answers."""
        seed = self._settle()
        running: SampleRun | StreamRun = (
            StreamRun(self, seed, here, run) if self._is_stream() else SampleRun(self, seed, here)
        )
        # Lightning sets `_iterator` to None when it has shut the workers down
        inner = self._inner if self._iterator is not None else None
        if inner is None:
            inner = self._new_inner(mix(WORKERS, seed, rank_and_world()[0]))
        inner.current.requests = running
        answers = iter(inner)
        if self.persistent_workers:  # else the iterator alone keeps its workers
            self._inner, self._iterator = inner, answers
        return running, answers

    def _new_inner(self, seed: int) -> InnerLoader:
        source: StreamSource | SampleSource
        if self._is_stream():
            rest = self.collate_fn, self.batch_size, self.drop_last
            source = StreamSource(self.dataset, self.standing, *rest)
        else:
            collated = self.batch_sampler is not None
            source = SampleSource(self.dataset, self.collate_fn, collated, self.seed_per_item)
        return InnerLoader(
            source,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            timeout=self.timeout,
            worker_init_fn=WorkerStart(self.worker_init_fn) if self.num_workers else None,
            multiprocessing_context=self.multiprocessing_context,
            generator=torch.Generator().manual_seed(seed),  # the global one is not drawn from
            prefetch_factor=self.prefetch_factor,
            persistent_workers=self.persistent_workers,
            pin_memory_device=self.pin_memory_device,
            in_order=self.in_order,
        )

    def _is_stream(self) -> bool:
        return isinstance(self.dataset, IterableDataset)

    def _size(self) -> int | None:
        sampled = getattr(self.sampler, "source", None) is not None
        if sampled or self._is_stream() or self.batches_itself():
            return None  # what a sampler of the user's own goes by is not ours to say
        return len(self.dataset)  # type: ignore[arg-type]  # an order needs a length

    def _settle(self) -> int:
        if self._settled is None and self.seed is not None:
            self._settled = self.seed
        if self._settled is None:
            given = torch.default_generator if self.generator is None else self.generator
            self._settled = _of_rank_zero(given.initial_seed())
        return self._settled


class _ExactIterator:
    """One iteration of a loader, which begins with the first `next`."""

    def __init__(self, loader: ExactDataLoader) -> None:
        self._loader = loader
        self._answers: Iterator[Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        course = self._loader._course
        if self._answers is None:
            self._number, here = course.begin()
            try:
                self._run, self._answers = self._loader.begun(self._number, here)
            except CheckpointError:
                course.load(here)  # asked again, it is refused again
                raise
        for ended, batch, note in self._answers:
            place = self._run.after(note, not ended)
            if not ended:
                course.advance(self._number, place)
                return batch
        course.complete(self._number, self._run.complete())
        raise StopIteration


def _check(dataset: Any, seed: int | None) -> None:
    if seed is not None and (type(seed) is not int or not 0 <= seed <= MAX_SEED):
        raise UsageError(f"seed={seed!r}: give a whole number from 0 to {MAX_SEED}, or None")
    if isinstance(dataset, IterDataPipe | MapDataPipe):
        raise UsageError(
            f"{type(dataset).__name__} is a DataPipe, whose place cannot be kept; give a Dataset, "
            "or an IterableDataset with state_dict and load_state_dict"
        )


def _of_rank_zero(seed: int) -> int:
    """Agree on a seed: processes with orders of their own would see samples twice, others never."""
    if rank_and_world()[1] == 1:
        return seed
    told = [seed]
    distributed.broadcast_object_list(told, src=0)
    return told[0]
