"""Tensors that are to be the same on all ranks: checked, and made so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.distributed import ReduceOp
from torch.nn.parameter import is_lazy

from thexp_pl.errors import TrainerError
from thexp_pl.strategies.exchange import Exchange
from thexp_pl.strategies.flat import buckets, joined, put_back

__all__ = ["broadcast", "check_shapes", "first_difference", "share"]

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_ROW = 1024
_ODD = 0x1E3779B97F4A7C15  # numbers times this one look unlike each other


def broadcast(tensors: Iterable[torch.Tensor], exchange: Exchange) -> None:
    """Give every rank the values that rank 0 has.

    Args:
        tensors: Dense, of the same shapes and dtypes on all ranks.
        exchange: The way to the other ranks.
    """
    with torch.no_grad():
        for bucket in buckets([tensor.detach() for tensor in tensors]):
            row = joined([tensor.resolve_conj().resolve_neg() for tensor in bucket])
            exchange.broadcast(row.view(torch.uint8))  # no backend knows of every dtype
            put_back(bucket, row)


def share(
    tensors: Mapping[str, torch.Tensor], exchange: Exchange, device: torch.device
) -> dict[str, torch.Tensor]:
    """Give every rank the tensors that rank 0 has.

    Args:
        tensors: By name; ranks may have others, and of other shapes.
        exchange: The way to the other ranks.
        device: This rank's.

    Returns:
        By rank 0's names: the tensor given, with rank 0's values in it, or a new one where there
        was none, or none of that shape, dtype and kind of device.
    """
    told = exchange.gather({name: _described(tensor) for name, tensor in tensors.items()})[0]
    sparse = {name: one.detach().cpu() for name, one in tensors.items() if not _is_dense(one)}
    found = exchange.gather(sparse if exchange.rank == 0 else None)[0]
    shared: dict[str, torch.Tensor] = {}
    for name, (shape, dtype, kind) in told.items():
        own, home = tensors.get(name), device if kind == device.type else torch.device(kind)
        if name in found:
            shared[name] = tensors[name] if exchange.rank == 0 else found[name].to(home)
        elif own is None or not _is_dense(own) or _described(own) != (shape, dtype, kind):
            shared[name] = torch.empty(shape, dtype=dtype, device=home)
        else:
            shared[name] = own
    broadcast([one for name, one in shared.items() if name not in found], exchange)
    return shared


def _is_dense(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided


def _described(tensor: torch.Tensor) -> tuple[tuple[int, ...], torch.dtype, str]:
    return tuple(tensor.shape), tensor.dtype, tensor.device.type


def check_shapes(tensors: Mapping[str, torch.Tensor], exchange: Exchange) -> None:
    """Raise unless all ranks have tensors of the same names, shapes and dtypes.

    Args:
        tensors: By name.
        exchange: The way to the other ranks.

    Raises:
        TrainerError: The first difference, or the first tensor that has no shape yet.
    """
    lazy = next((name for name, tensor in tensors.items() if is_lazy(tensor)), None)
    if lazy is not None:
        raise TrainerError(
            f"{lazy} has no shape yet, so the ranks cannot begin with the same one; call its "
            "module on an example before the training begins"
        )
    own: list[Any] = [(name, tuple(one.shape), str(one.dtype)) for name, one in tensors.items()]
    ranks = exchange.gather(own)
    for rank, others in enumerate(ranks):
        if others != ranks[0]:
            pairs = zip(ranks[0], others, strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), None)
            what = f"{first[0]} and {first[1]}" if first else f"{len(ranks[0])} and {len(others)}"
            raise TrainerError(
                f"rank 0 and rank {rank} hold different parameters: {what}; make the same modules "
                "on every rank"
            )


def first_difference(tensors: Mapping[str, torch.Tensor], exchange: Exchange) -> str | None:
    """Give the name of the first tensor whose bits are not the same on all ranks, or None.

    Args:
        tensors: Dense ones by name; on all ranks the same names and shapes.
        exchange: The way to the other ranks.
    """
    if not tensors:
        return None
    sums = torch.stack([_checksum(one).cpu() for one in tensors.values()])
    both = torch.cat([sums, ~sums])  # the largest of ~x is ~ of the smallest x
    exchange.reduce(both, ReduceOp.MAX)
    differ = (both[: len(sums)] != ~both[len(sums) :]).tolist()
    return next((name for name, differs in zip(tensors, differ, strict=True) if differs), None)


def _checksum(tensor: torch.Tensor) -> torch.Tensor:
    """Sum the bits, each by its place, as whole numbers that wrap around."""
    whole = tensor.detach().contiguous()
    real = torch.view_as_real(whole) if whole.is_complex() else whole
    bits = real.view(_BITS[real.element_size()]).reshape(-1)
    even = len(bits) // _ROW * _ROW
    table, rest = bits[:even].view(-1, _ROW), bits[even:]
    sums = [table.sum(0, dtype=torch.int64), table.sum(1, dtype=torch.int64), rest.long()]
    return torch.stack([_weighted(one, place) for place, one in enumerate(sums)]).sum()


def _weighted(sums: torch.Tensor, place: int) -> torch.Tensor:
    places = torch.arange(1, len(sums) + 1, device=sums.device) * 3 + place
    return (sums * (places * _ODD)).sum()
