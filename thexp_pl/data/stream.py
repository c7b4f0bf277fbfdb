"""One run through an IterableDataset: batches dealt out by worker, each copy's state beside them.

Worker w has a copy of the dataset and answers the requests w, w + workers, w + 2 * workers and so
on, each with its copy's next batch and the state after it. So it does not matter how far workers
have read ahead, and a run can go on at any request. A copy that has ended answers so at once.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from torch.utils.data import Dataset, get_worker_info

from thexp_pl.data.course import Place
from thexp_pl.data.order import rank_and_world
from thexp_pl.data.seeding import BATCH, mix, mixed_with, seed_all, undisturbed
from thexp_pl.data.standing import Standing, keeps_state
from thexp_pl.errors import CheckpointError

if TYPE_CHECKING:
    from thexp_pl.data.loader import ExactDataLoader

__all__ = ["Copies", "Copy", "StreamRun", "StreamSource", "can_go_on"]


@dataclass(frozen=True)
class Copy:
    """Where one worker's copy of the dataset stands.

    Args:
        items: How many items it has yielded in this epoch.
        ended: Whether it has no more.
        state: Its `state_dict()`, pickled at that moment; None for one that has not answered yet,
            and for one that keeps none.
    """

    items: int = 0
    ended: bool = False
    state: bytes | None = None


@dataclass(frozen=True)
class Copies:
    """Where all copies stand, and the number of the next request.

    Args:
        workers: The loader's `num_workers`.
        turn: The next request's number.
        each: One copy a worker, or the one of the main process.
    """

    workers: int
    turn: int
    each: tuple[Copy, ...]


class Turn(NamedTuple):
    """A request: the next batch of the worker that gets it.

    Args:
        number: Its number in this epoch.
        seed: For whatever is drawn while the batch is loaded.
        run: Another one than the last says: begin anew.
        start: Where to begin, or None to pass this worker over.
        follows: The copies stand there already: the iteration follows the one before.
    """

    number: int
    seed: int
    run: int
    start: Copy | None
    follows: bool


def can_go_on(dataset: object) -> bool:
    """Tell whether an IterableDataset can be taken up in the middle."""
    return keeps_state(dataset) or callable(getattr(dataset, "seek", None))


class StreamSource(Dataset[Any]):
    """Answers requests from one copy of the dataset, in a worker or in the main process.

    Args:
        dataset: The user's.
        standing: How it was made; in the main process that of the loader.
        collate_fn: Makes a batch of a list of items, or converts the one item.
        batch_size: Items a batch, or None where they are not collated.
        drop_last: Leave a last, incomplete batch out.
    """

    def __init__(
        self,
        dataset: Any,
        standing: Standing,
        collate_fn: Callable[[Any], Any],
        batch_size: int | None,
        drop_last: bool,
    ) -> None:
        self.dataset = dataset
        self._standing = standing
        self._collate_fn = collate_fn
        self._batch_size = batch_size
        self._drop_last = drop_last
        self._run = 0
        self._iterator: Iterator[Any] = iter(())
        self._items = 0
        self._ended = True
        self._left: bytes | None = None  # the state that a copy ended with before it came here

    def __getitem__(self, turn: Turn) -> tuple[bool, Any, tuple[int, Copy] | None]:
        if turn.start is None:
            return True, None, None
        with undisturbed() if get_worker_info() is None else nullcontext():
            seed_all(turn.seed)
            going_on = turn.run == self._run
            items = self._next_items() if going_on else self._begin(turn, turn.start)
            self._items += len(items)
            ended = not items or (self._ended and self._drop_last)
            batch = None if ended else self._collate_fn(items if self._batch_size else items[0])
            return ended, batch, (turn.number, Copy(self._items, self._ended, self._state()))

    def _begin(self, turn: Turn, start: Copy) -> list[Any]:
        self._run, self._items, self._ended = turn.run, start.items, start.ended
        stands_there = turn.follows and self._left is None and not self._standing.as_made
        self._left = start.state if start.ended else None
        if start.ended:
            return []
        loaded = False
        if keeps_state(self.dataset) and not stands_there:
            loaded = self._standing.put(self.dataset, start.state)
        elif not keeps_state(self.dataset) and can_go_on(self.dataset):
            self.dataset.seek(start.items)
        items = self._first_items(turn)
        if loaded and start.items == 0 and not items:
            # of the states that end an epoch some say "at the end", and others "at the start"
            self._ended = False
            items = self._first_items(turn)
        return items

    def _first_items(self, turn: Turn) -> list[Any]:
        self._iterator = iter(self.dataset)
        seed_all(turn.seed)  # what making the iterator draws is no part of a resumed batch
        return self._next_items()

    def _state(self) -> bytes | None:
        if self._left is not None or not keeps_state(self.dataset):
            return self._left
        return pickle.dumps(self.dataset.state_dict())

    def _next_items(self) -> list[Any]:
        wanted = self._batch_size or 1
        items = [] if self._ended else list(itertools.islice(self._iterator, wanted))
        self._ended = len(items) < wanted
        return items


class StreamRun:
    """The requests of one iteration from its place on, and the places after their batches.

    Args:
        loader: Whose iteration it is.
        seed: The loader's seed.
        here: Where it begins.
        run: The iteration's number.

    Raises:
        CheckpointError: The place is that of another number of workers or processes.
    """

    def __init__(self, loader: ExactDataLoader, seed: int, here: Place, run: int) -> None:
        # no reference to the loader, which keeps this one as long as workers stay: see InnerLoader
        self._workers, self._run = loader.num_workers, run
        self._keeps, self._goes_on = keeps_state(loader.dataset), can_go_on(loader.dataset)
        rank, self._world = rank_and_world()
        # what is dealt out has to be the same everywhere
        self._seed = mix(BATCH, seed, here.epoch, 0 if loader.read_alike else rank)
        # copies that live on from epoch to epoch go on with the state they have
        self._live = loader.num_workers == 0 or loader.persistent_workers
        self._standing = loader.standing
        self._follows = here.parts is not None and here.parts is self._standing.noted
        self.here = self._checked(here)
        self._copies: Copies = self.here.parts
        self._batches = self.here.batches

    def after(self, note: Any, handed: bool) -> Place:
        """Give the place after an answer, of what came with it and whether that was a batch."""
        if note is not None:
            number, copy = note
            each = list(self._copies.each)
            each[number % len(each)] = copy
            self._copies = Copies(self._copies.workers, number + 1, tuple(each))
            self._standing.noted = self._copies
        self._batches += handed
        if all(copy.ended for copy in self._copies.each):
            return self.complete()
        samples = sum(copy.items for copy in self._copies.each)
        return Place(self.here.epoch, self._batches, samples, self._world, parts=self._copies)

    def complete(self) -> Place:
        """Give the place after the last batch: the next epoch's start."""
        kept = self._copies if self._live and self._goes_on else None
        return Place(self.here.epoch + 1, world=self._world, parts=kept)

    def __iter__(self) -> Iterator[Turn]:
        each, turn, follows = self._copies.each, self._copies.turn, self._follows
        # the first request goes to worker 0: those before the one whose turn it is are passed over
        for number in range(turn - turn % len(each), turn):
            yield Turn(number, 0, self._run, None, follows)
        for number in itertools.count(turn):
            if all(copy.ended for copy in self._copies.each):
                return
            seed = mixed_with(self._seed, number)
            yield Turn(number, seed, self._run, each[number % len(each)], follows)

    def _checked(self, here: Place) -> Place:
        workers, copies, keeps = self._workers, here.parts, self._keeps
        # at the start of an epoch only copies that live on have a state to begin with
        if copies is None or not self._goes_on or (here.batches == 0 and not self._live):
            fresh = Copies(workers, 0, (Copy(),) * max(1, workers))
            return Place(here.epoch, world=self._world, parts=fresh)
        if max(1, copies.workers) != max(1, workers):
            raise CheckpointError(
                f"the loader's state was saved with num_workers={copies.workers}, and this one has "
                f"{workers}: an IterableDataset is dealt out by worker; resume with "
                f"num_workers={copies.workers}"
            )
        if here.world != self._world:
            raise CheckpointError(
                f"the loader's state was saved by {here.world} processes, and there are "
                f"{self._world}: each has an IterableDataset of its own; resume with {here.world}"
            )
        if any((copy.state is not None) != keeps and copy.items for copy in copies.each):
            raise CheckpointError(
                "the loader's state was saved with an IterableDataset that "
                + ("had no state_dict" if keeps else "kept its own state, and this one does not")
                + "; resume with the dataset that it was saved with"
            )
        if here.batches == 0:
            each = tuple(replace(copy, items=0, ended=False) for copy in copies.each)
            copies = Copies(workers, 0, each)
        return replace(here, parts=copies)
