"""Ranks that train one model have to do the same, and are told at once where they do not.

Gradients are averaged, and optimizers step, on all ranks together. A rank that left one of these
out would have the others wait for ever, or take part in what is meant for another moment; so before
each averaging, and at the end of each batch, the ranks exchange what they are about to do. The
messages go over the CPU: no device is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import torch
from torch.distributed import ReduceOp
from torch.optim import Optimizer

from thexp_pl.errors import TrainerError
from thexp_pl.strategies.exchange import Exchange

__all__ = ["Deed", "Lockstep"]


class Deed(IntEnum):
    """What a rank is about to do, and which amount it tells the others with it.

    In this order: how many epochs are to be trained, how many numbers are, whether the training has
    been asked to stop, nothing.
    """

    BEGIN_EPOCH = 0
    BACKWARD = 1
    END_BATCH = 2
    END_TRAINING = 3


_DEEDS = ("the beginning of an epoch", "a backward()", "the end of the batch", "the training's end")
_SAME_OPTIONS = "start every rank with the same options"
_SAME_STEPS = (
    "call backward() and step() on every rank alike, with a loss of 0 where there is nothing to"
    " learn, and give every rank as many batches"
)
_AMOUNTS = ("epochs to train", "numbers that are trained", "requests to stop", "")


class Lockstep:
    """The messages of one rank about what it trains.

    Args:
        exchange: The way to the other ranks.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._optimizers: list[Optimizer] = []
        self._steps: list[int] = []
        self._none: list[int] = []  # a mask in which no parameter's gradient was touched
        self._backwards = 0
        self._is_last = False

    def take_up(self, optimizers: Sequence[Optimizer], parameters: int) -> None:
        """Speak of other things from now on; called on all ranks at once.

        Args:
            optimizers: Those that may step.
            parameters: How many parameters may get gradients.
        """
        self._optimizers = list(optimizers)
        self._steps = [0] * len(self._optimizers)
        self._none = [0] * parameters

    def begin_batch(self, is_last: bool) -> None:
        """Count from nothing.

        Args:
            is_last: Whether the batch is the epoch's last.
        """
        self._steps = [0] * len(self._optimizers)
        self._backwards = 0
        self._is_last = is_last

    def count_step(self, optimizer: Optimizer) -> None:
        """Note that an optimizer has stepped."""
        for number, known in enumerate(self._optimizers):
            self._steps[number] += known is optimizer

    def count_backward(self) -> None:
        """Note that a backward has run."""
        self._backwards += 1

    def agree(
        self,
        deed: Deed,
        *,
        has_changed: bool = False,
        amount: int = 0,
        touched: Sequence[int] | None = None,
    ) -> list[int]:
        """Say what this rank is about to do, and hear that the others are about to do the same.

        Args:
            deed: What it is.
            has_changed: Whether it is time to take up other things.
            amount: What has to be the same at that place, see `Deed`.
            touched: By parameter, what a backward has done to its gradient.

        Returns:
            By parameter, the most that a backward has done on any rank.

        Raises:
            TrainerError: Another rank does something else.
        """
        own = [deed, has_changed, self._is_last, self._backwards, amount, *self._steps]
        mask = self._none if touched is None else touched
        message = torch.tensor([*own, *(-value for value in own), *mask], dtype=torch.int64)
        self._exchange.reduce(message, ReduceOp.MAX)
        found: list[int] = message.tolist()
        most, least = found[: len(own)], found[len(own) : 2 * len(own)]
        if any(one != -other for one, other in zip(most, least, strict=True)):
            raise TrainerError(self._difference([int(value) for value in own]))
        return found[2 * len(own) :]

    def _difference(self, own: list[int]) -> str:
        """Say what the first difference is, having asked all ranks."""
        ranks = self._exchange.gather(own)
        place = next(n for n, values in enumerate(zip(*ranks, strict=True)) if len({*values}) > 1)
        first, other = ranks[0][place], next(r[place] for r in ranks if r[place] != ranks[0][place])
        number = next(n for n, rank in enumerate(ranks) if rank[place] == other)
        what, say = self._fields(Deed(own[0]))[place]
        way_out = _SAME_OPTIONS if what == _AMOUNTS[0] else _SAME_STEPS
        return (
            f"the ranks did not do the same in this batch: {what}: {say[first] if say else first} "
            f"on rank 0 and {say[other] if say else other} on rank {number}, so their models would "
            f"part; {way_out}"
        )

    def _fields(self, deed: Deed) -> list[tuple[str, tuple[str, ...]]]:
        """Give of each number in a message what it says, and the words for it where it has some."""
        steps = [
            (f"steps of optimizer {number} ({type(optimizer).__name__})", ())
            for number, optimizer in enumerate(self._optimizers)
        ]
        return [
            ("next comes", _DEEDS),
            ("the parameters and optimizers are", ("those known", "others than before")),
            ("the batch is", ("not the last", "the epoch's last")),
            ("calls of backward()", ()),
            (_AMOUNTS[deed], ()),
            *steps,
        ]
