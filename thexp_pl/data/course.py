"""Where an iteration stands, and where the next one begins: nothing but numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from thexp_pl.errors import UsageError

__all__ = ["Course", "Place"]

KEPT = 4  # places kept, of which the last is the present one; Lightning is one batch ahead


@dataclass(frozen=True)
class Place:
    """A place between two batches.

    Args:
        epoch: From 0.
        batches: How many of this epoch's were handed out, by this process.
        samples: How many samples those were, in all processes together.
        world: The number of processes.
        named: The number that `set_epoch` gave last, or None if it was never called.
        parts: What else the owner of the course needs to go on from here.
    """

    epoch: int = 0
    batches: int = 0
    samples: int = 0
    world: int = 1
    named: int | None = None
    parts: Any = None


class Course:
    """The places of a loader: the last few, and the one where its next iteration begins.

    Without `set_epoch` each iteration is the next epoch. `set_epoch` names the epoch of the next
    one; but the number that names the epoch in progress, or the one that a loaded place stands in,
    lets it go on. (A loader that is cycled within one epoch of a training is in an epoch of its
    own; so what counts is the number that was given, and the place keeps it.)
    """

    def __init__(self) -> None:
        self._places: deque[Place] = deque([Place()], maxlen=KEPT)
        self._coming: Place | None = None  # where the next iteration begins, if it was said
        self._goes_on: tuple[int, ...] = ()  # numbers for `set_epoch` that change nothing
        self._was_named = False  # `set_epoch` was called since a place was loaded
        self._named: int | None = None
        self._run = 0
        self._start = self._places[-1]  # of the newest iteration

    def at(self, ahead: int = 0) -> Place:
        """Give the place after the last batch handed out, or `ahead` batches before that.

        Raises:
            UsageError: `ahead` is negative, or further back than is kept.
        """
        if ahead == 0 and self._coming is not None:
            return self._coming
        if type(ahead) is not int or not 0 <= ahead < len(self._places):
            raise UsageError(
                f"ahead={ahead!r}: of this loader the places 0 to {len(self._places) - 1} batches "
                "back are known"
            )
        return replace(self._places[-1 - ahead], named=self._named)

    def begin(self) -> tuple[int, Place]:
        """Begin an iteration.

        Returns:
            Its number, for `advance`, and the place where it begins; at the start of an epoch
            with the `parts` of the place before.
        """
        last = self._places[-1]
        if self._coming is not None:
            here = self._coming
            if self._was_named:
                self._goes_on = ()
        else:
            epoch = last.epoch + (last.batches > 0)
            here = Place(epoch, world=last.world, named=self._named, parts=last.parts)
            self._goes_on = (here.epoch,) if self._named is None else ()
        self._coming = None
        self._places[-1] = self._start = here
        self._run += 1
        return self._run, here

    def advance(self, run: int, place: Place) -> None:
        """Note where iteration `run` stands after one more batch, if it is still the newest."""
        if run == self._run:
            self._places.append(place)

    def complete(self, run: int, place: Place) -> None:
        """Note that iteration `run` had no further batch, if it is still the newest."""
        if run == self._run:
            self._places[-1] = place
            self._goes_on = ()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have what is iterated meanwhile leave no trace: the iteration in progress goes on."""
        before = {**vars(self), "_places": self._places.copy()}
        self._goes_on = ()
        try:
            yield
        finally:
            vars(self).update(before)

    def load(self, place: Place, anew: bool = False) -> None:
        """Have the next iteration begin at this place, or `anew` with an epoch after it."""
        if anew:
            place = Place(place.epoch + (place.batches > 0), world=place.world, named=place.named)
        self._places = deque([place], maxlen=KEPT)
        self._coming, self._was_named, self._named = place, False, place.named
        named = place.epoch if place.named is None else place.named
        # a place at the start of an epoch is also the end of the one before
        self._goes_on = () if anew else (named,) if place.batches else (named, place.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch of the next iteration; see the class.

        Raises:
            UsageError: It is no number of an epoch.
        """
        if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
            raise UsageError(f"set_epoch({epoch!r}): give a whole number from 0")
        goes_on = epoch in self._goes_on
        self._named, self._was_named = epoch, True
        if self._coming is not None and goes_on:
            self._coming = replace(self._coming, named=epoch)
        elif goes_on:
            self._goes_on = ()
        else:
            last = self._coming or self._places[-1]
            again = self._coming is None and last.batches > 0 and last.epoch == epoch
            before = self._start if again else last
            self._coming = Place(epoch, world=before.world, named=epoch, parts=before.parts)
            self._goes_on = ()
