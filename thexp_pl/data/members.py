"""One loader of a DataBundler, and the streams that several of them make."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from thexp_pl.data.course import Place
from thexp_pl.data.rebuild import rebuilt
from thexp_pl.data.sharing import deal_batches, dealt_batches
from thexp_pl.data.state import count
from thexp_pl.errors import CheckpointError, UsageError

__all__ = ["Member", "ending", "in_turn", "read_bundle", "side_by_side"]


class Member:
    """A loader in a bundle.

    Args:
        name: Its name there.
        loader: Anything to iterate; one with `snapshot` and `spelled` keeps its place.
        cycled: Whether it begins again when it is through.
        dealt: Whether its batches are dealt out among the processes of a training.
    """

    def __init__(self, name: str, loader: Any, cycled: bool, dealt: bool = False) -> None:
        self.name = name
        self.loader = loader
        self.cycled = cycled
        self.dealt = dealt
        self.keeps_place = hasattr(loader, "snapshot") and hasattr(loader, "spelled")

    def length(self) -> int:
        """Give the number of batches of an epoch, of this process's share."""
        return dealt_batches(self.loader, self._drops) if self.dealt else len(self.loader)

    @property
    def _drops(self) -> bool:
        return bool(getattr(self.loader, "drop_last", False))

    def deal(self) -> None:
        """Have the batches dealt out among the processes, which all read the same ones."""
        self.dealt = True
        if hasattr(self.loader, "read_alike"):
            self.loader.read_alike = True

    @property
    def inexact(self) -> str | None:
        """Why this loader cannot go on in the middle of an epoch, or None if it can."""
        if self.keeps_place:
            reason: str | None = self.loader.inexact
            return reason
        return f"{type(self.loader).__name__} keeps no place: see thexp_pl.data.exact"

    def begin_epoch(self, epoch: int) -> None:
        """Have the loader's next iteration begin an epoch of the bundle.

        A cycled loader counts epochs of its own, so that it never repeats an order.
        """
        if self.keeps_place and self.cycled:
            here = self.loader.snapshot()
            self.loader.set_epoch(here.epoch + (here.batches > 0))
        elif self.keeps_place:
            self.loader.set_epoch(epoch)
        elif callable(set_epoch := getattr(getattr(self.loader, "sampler", None), "set_epoch", 0)):
            set_epoch(epoch)

    def is_through(self) -> bool:
        """Tell whether the batch just handed out was the epoch's last, as far as is known."""
        return self.keeps_place and self.loader.snapshot().batches == 0

    def snapshot(self) -> Any:
        """Give the loader's place, or None if it keeps none."""
        return self.loader.snapshot() if self.keeps_place else None

    def spelled(self, snapshot: Any) -> dict[str, Any] | None:
        """Make a state of what `snapshot` gave."""
        return None if snapshot is None else self.loader.spelled(snapshot)

    def batches(self) -> Iterator[Any]:
        """Iterate the loader, or its share: once, or for ever if it is cycled.

        Raises:
            UsageError: It is cycled and has not one batch.
        """
        yield from self._once()
        while self.cycled:
            empty = True
            for batch in self._once():
                empty = False
                yield batch
            if empty:
                raise UsageError(f"the cycled loader {self.name!r} has no batch: it never begins")

    def _once(self) -> Iterator[Any]:
        return deal_batches(self.loader, self._drops) if self.dealt else iter(self.loader)

    def first_batch(self) -> Any:
        """Give a first batch of a fresh copy of the loader."""
        loader = self.loader
        if hasattr(loader, "choice_batch"):
            return loader.choice_batch()
        if not isinstance(loader, DataLoader):
            return next(iter(loader))
        # iterating moves an IterableDataset itself
        moves = isinstance(loader.dataset, IterableDataset)
        dataset = copy.deepcopy(loader.dataset) if moves else loader.dataset
        return next(iter(rebuilt(loader, dataset=dataset)))

    def resize(self, batch_size: int) -> None:
        """Have the loader make batches of another size, from the sample it stands at.

        Raises:
            UsageError: It makes its own batches.
        """
        loader = self.loader
        if hasattr(loader, "set_batch_size"):
            loader.set_batch_size(batch_size)
            return
        if not isinstance(loader, DataLoader) or loader.batch_size is None:
            raise UsageError(f"{self.name!r} makes its own batches: their size cannot be set")
        self.loader = rebuilt(loader, batch_size=batch_size)
        if self.keeps_place:
            self.loader.load_state_dict(loader.state_dict())  # type: ignore[attr-defined]


def ending(members: Sequence[Member], mode: str) -> list[Member]:
    """Give the members that end, which say how long an epoch is.

    Raises:
        UsageError: It never ends, or there is none.
    """
    if not members:
        raise UsageError("a bundler without loaders: add() one")
    if mode == "chain" and any(member.cycled for member in members):
        raise UsageError(
            "a cycled loader in a chain never ends: call zip_mode(), or add() it in place of "
            "cycle()"
        )
    if all(member.cycled for member in members):
        raise UsageError("every loader of this bundler is cycled, so it never ends: add() one")
    return [member for member in members if not member.cycled]


def side_by_side(members: Sequence[Member]) -> Iterator[tuple[int, Any]]:
    """Take one batch of each loader at a time.

    Yields:
        0, or the number of loaders if one that ends has no further batch, and the batches.
    """
    streams = [member.batches() for member in members]
    for batches in zip(*streams, strict=False):
        ends = any(member.is_through() for member in members if not member.cycled)
        yield len(members) if ends else 0, batches[0] if len(batches) == 1 else batches


def in_turn(members: Sequence[Member], at: int) -> Iterator[tuple[int, Any]]:
    """Take one loader after the other, from number `at` on.

    Yields:
        The number of the loader that the next batch comes from, as far as is known (that of all
        loaders is none), and the batch.
    """
    for number in range(at, len(members)):
        member = members[number]
        for batch in member.batches():
            yield number + member.is_through(), batch


def read_bundle(
    state: Mapping[str, Any], members: Mapping[str, Member], mode: str, length: int | None
) -> tuple[Place, Mapping[str, Any]]:
    """Read a state of `DataBundler.state_dict`.

    Args:
        state: The state, from whatever file.
        members: The bundler's loaders by name.
        mode: Its mode.
        length: The number of batches it has now, or None.

    Returns:
        The place, with ``parts`` (number of the loader in progress, None), and the loaders' states.

    Raises:
        CheckpointError: It is no such state, or that of another bundler.
    """
    try:
        at = count(state, "at", most=len(members))
        named = None if state["named"] is None else count(state, "named")
        place = Place(count(state, "epoch"), count(state, "batches"), named=named, parts=(at, None))
        then = None if state["length"] is None else count(state, "length")
        found, names = state["mode"], list(state["members"])
    except (LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise CheckpointError(f"this is no state of a DataBundler: {reason}") from error
    if found != mode or names != list(members):
        raise CheckpointError(
            f"the state is that of a bundler of {names} in {found} mode, and this one has "
            f"{list(members)} in {mode} mode; resume with the loaders that it was saved with"
        )
    if place.batches and length is not None and then is not None and then != length:
        raise CheckpointError(
            f"the bundler's state was saved with epochs of {then} batches, and now they have "
            f"{length}; resume with the same joined batches, or at the start of an epoch"
        )
    return place, state["members"]
