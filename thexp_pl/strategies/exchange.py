"""What the ranks of one training send one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch.distributed import ReduceOp

from thexp_pl.errors import TrainerError
from thexp_pl.strategies.peers import loss_of, meet, watching

__all__ = ["Exchange"]


class Exchange:
    """Messages between all ranks; every method is called on all of them, in the same order.

    What lies on the CPU goes over a group of its own, so that no message can be taken for what
    others send elsewhere, and none waits for a device. A rank that closes its exchange, or whose
    process ends, is missed at once by those that wait for it.

    Args:
        timeout: How long a rank waits for another; None: as torch does.
    """

    def __init__(self, timeout: timedelta | None) -> None:
        self._world = distributed.group.WORLD
        with watching():
            self._group: Any = distributed.new_group(backend="gloo", timeout=timeout)
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()
        meet(self.gather)

    @property
    def is_open(self) -> bool:
        """Whether it was neither closed nor made for processes that have parted since."""
        return self._group is not None and self._world is distributed.group.WORLD

    def close(self) -> None:
        """Leave the others."""
        group, self._group = self._group, None
        if group is not None and self._world is distributed.group.WORLD:
            distributed.destroy_process_group(group)

    def reduce(self, tensor: torch.Tensor, how: ReduceOp.RedOpType = ReduceOp.SUM) -> None:
        """Put the sum, or what else, over all ranks in place of a tensor."""
        with self._missing():
            distributed.all_reduce(tensor, op=how, group=self._way(tensor))

    def begin_sum(self, tensor: torch.Tensor) -> Callable[[], None]:
        """Begin to put the sum over all ranks in place of a tensor.

        Returns:
            What waits until it is there; until then the tensor is neither read nor written.
        """
        with self._missing():
            work = distributed.all_reduce(tensor, group=self._way(tensor), async_op=True)

        def wait() -> None:
            with self._missing():
                work.wait()

        return wait

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Put what rank 0 has in place of a tensor."""
        with self._missing():
            distributed.broadcast(tensor, src=0, group=self._way(tensor))

    def gather(self, value: Any) -> list[Any]:
        """Give what each rank has, by rank; it can be pickled."""
        found: list[Any] = [None] * self.size
        with self._missing():
            distributed.all_gather_object(found, value, group=self._group)
        return found

    def _way(self, tensor: torch.Tensor) -> Any:
        return self._group if tensor.device.type == "cpu" else None  # None is the main group

    @contextmanager
    def _missing(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            loss = loss_of(error)
            raise TrainerError(
                f"rank {self.rank} waited for the other ranks, and one of them has ended, failed "
                "or hangs; its own output says why"
                if loss is None
                else f"rank {self.rank} waited for the other ranks, and {loss}"
            ) from error
