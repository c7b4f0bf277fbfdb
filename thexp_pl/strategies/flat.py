"""Many tensors sent as few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

__all__ = ["buckets", "joined", "put_back"]

_BUCKET_BYTES = 25 * 2**20  # of one message; those under way take this memory besides
_ALONE_BYTES = 2**20  # copying this much into new memory and back costs more than a message


def buckets(tensors: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Put tensors of one dtype and device together, in an order that depends on these alone.

    Args:
        tensors: Dense ones.

    Returns:
        Lists, each of tensors of one kind; a large one is alone, which spares its copies. What is
        empty is left out.
    """
    waiting: dict[tuple[torch.dtype, torch.device], list[torch.Tensor]] = {}
    sizes: dict[tuple[torch.dtype, torch.device], int] = {}
    for tensor in tensors:
        kind, size = (tensor.dtype, tensor.device), tensor.numel() * tensor.element_size()
        if size == 0:
            continue
        if size >= _ALONE_BYTES:
            yield [tensor]
            continue
        waiting.setdefault(kind, []).append(tensor)
        sizes[kind] = sizes.get(kind, 0) + size
        if sizes[kind] >= _BUCKET_BYTES:
            sizes[kind] = 0
            yield waiting.pop(kind)
    yield from waiting.values()


def joined(bucket: list[torch.Tensor]) -> torch.Tensor:
    """Give the values of a bucket in a row; of a single tensor, where it can be, itself."""
    row: torch.Tensor = _flatten_dense_tensors(bucket)  # type: ignore[no-untyped-call]
    return row


def put_back(bucket: list[torch.Tensor], row: torch.Tensor) -> None:
    """Fill the tensors of a bucket with what `joined` gave and others have changed."""
    if len(bucket) == 1 and row.data_ptr() == bucket[0].data_ptr():
        return
    views = list(_unflatten_dense_tensors(row, bucket))  # type: ignore[no-untyped-call]
    if any(tensor.is_conj() or tensor.is_neg() for tensor in bucket):
        for tensor, view in zip(bucket, views, strict=True):
            tensor.copy_(view)  # the copying of many at once refuses these
    else:
        torch._foreach_copy_(bucket, views)
