"""Ranks that train one model have to do the same, and are told at once where they do not.

Gradients are averaged, and optimizers step, on all ranks together. A rank that left one of these
out would have the others wait for ever, or take part in what is meant for another moment; so before
each averaging, and at the end of each batch, the ranks exchange what they are about to do. The
messages go over the CPU: no device is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import distributed

from thexp_pl.errors import TrainerError

__all__ = ["Lockstep"]

_DEEDS = ("ended its batch", "called backward()")
_FIELDS = 3  # of a message: the deed, whether the batch is the epoch's last, the backwards so far


class Lockstep:
    """The messages of one rank about one fit.

    Args:
        optimizers: How many optimizers may step.
        parameters: How many parameters may get gradients; the same on all ranks.
        group: A process group on the CPU, for these messages alone: none can be taken for what
            others send at other places.
    """

    def __init__(
        self, optimizers: int, parameters: int, group: distributed.ProcessGroup | None
    ) -> None:
        self._steps = [0] * optimizers
        self._backwards = 0
        self._is_last = False
        self._none = torch.zeros(parameters, dtype=torch.int64)
        self._group = group

    def begin_batch(self, is_last: bool) -> None:
        """Count from nothing.

        Args:
            is_last: Whether the batch is the epoch's last.
        """
        self._steps = [0] * len(self._steps)
        self._backwards = 0
        self._is_last = is_last

    def count_step(self, optimizer: int) -> None:
        """Note that an optimizer has stepped."""
        self._steps[optimizer] += 1

    def agree_on_backward(self, touched: Sequence[bool]) -> list[bool]:
        """Say which gradients a backward has touched, and hear of the others'.

        Args:
            touched: By parameter, whether it did on this rank.

        Returns:
            By parameter, whether it did on any rank.

        Raises:
            TrainerError: Another rank does something else.
        """
        self._backwards += 1
        found: list[int] = self._exchange(1, torch.tensor(touched, dtype=torch.int64)).tolist()
        return [bool(one) for one in found]

    def agree_on_end(self) -> None:
        """Say that the batch is done, and hear that it is so for the others, with as many steps.

        Raises:
            TrainerError: Another rank does something else.
        """
        self._exchange(0, self._none)

    def _exchange(self, deed: int, touched: torch.Tensor) -> torch.Tensor:
        own = torch.tensor([deed, int(self._is_last), self._backwards, *self._steps])
        message = torch.cat([own, -own, touched])
        distributed.all_reduce(message, op=distributed.ReduceOp.MAX, group=self._group)
        most, least = message[: len(own)], -message[len(own) : 2 * len(own)]
        if not torch.equal(most, least):
            raise TrainerError(_difference(least.tolist(), most.tolist()))
        return message[2 * len(own) :]


def _difference(least: list[int], most: list[int]) -> str:
    if least[0] != most[0]:
        what = f"one {_DEEDS[0]} where another {_DEEDS[1]}"
    elif least[1] != most[1]:
        what = "the epoch ends for one and goes on for another"
    elif least[2] != most[2]:
        what = f"backward() was called {least[2]} times on one and {most[2]} on another"
    else:
        pairs = zip(least[_FIELDS:], most[_FIELDS:], strict=True)
        number, (few, many) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
        what = f"optimizer {number} stepped {few} times on one and {many} on another"
    return (
        f"the ranks did not do the same in this batch: {what}, so their models would part; call "
        "backward() and step() on every rank alike, with a loss of 0 where there is nothing to "
        "learn, and give every rank as many batches"
    )
