"""Tensors that are to be the same on all ranks: checked, and made so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import distributed

from thexp_pl.errors import TrainerError

__all__ = ["broadcast_tensors", "check_equal", "check_shapes"]

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def broadcast_tensors(tensors: Iterable[torch.Tensor]) -> None:
    """Give every rank the values that rank 0 has.

    Args:
        tensors: The same shapes and dtypes on all ranks, on the device of the process group.
    """
    pending = []
    with torch.no_grad():
        for tensor in tensors:
            whole = tensor.detach().contiguous()
            work = distributed.broadcast(whole, src=0, async_op=True)
            pending.append((tensor, whole, work))
        for tensor, whole, work in pending:
            work.wait()
            if whole.data_ptr() != tensor.data_ptr():
                tensor.detach().copy_(whole)


def check_shapes(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise unless all ranks have tensors of the same names, shapes and dtypes.

    Args:
        tensors: By name.

    Raises:
        TrainerError: The first difference.
    """
    own = [(name, tuple(one.shape), str(one.dtype)) for name, one in tensors.items()]
    ranks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(ranks, own)
    for rank, others in enumerate(ranks):
        if others != ranks[0]:
            pairs = zip(ranks[0], others, strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), None)
            what = f"{first[0]} and {first[1]}" if first else f"{len(ranks[0])} and {len(others)}"
            raise TrainerError(
                f"rank 0 and rank {rank} hold different parameters: {what}; make the same modules "
                "on every rank"
            )


def check_equal(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise unless tensors have the same bits on all ranks.

    Args:
        tensors: By name; on all ranks the same names and shapes.

    Raises:
        TrainerError: The first that differs.
    """
    if not tensors:
        return
    least = torch.stack([_checksum(one) for one in tensors.values()])
    most = least.clone()
    distributed.all_reduce(least, op=distributed.ReduceOp.MIN)
    distributed.all_reduce(most, op=distributed.ReduceOp.MAX)
    for name, differs in zip(tensors, (most != least).tolist(), strict=True):
        if differs:
            raise TrainerError(
                f"{name} has come to differ between the ranks: something changed it on one rank "
                "only, or on each in its own way; change it by gradients, or on all ranks alike"
            )


def _checksum(tensor: torch.Tensor) -> torch.Tensor:
    """Sum the bits, as whole numbers that wrap around."""
    whole = tensor.detach().contiguous()
    real = torch.view_as_real(whole) if whole.is_complex() else whole
    return real.view(_BITS[real.element_size()]).sum(dtype=torch.int64)
