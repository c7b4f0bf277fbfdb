"""Two files of weights, compared tensor by tensor: the one module of this room that needs torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from thexp_pl.errors import CheckpointError
from thexp_pl.record.names import escaped
from thexp_pl.saver.names import sidecar_path
from thexp_pl.saver.reading import read_state

__all__ = ["compared"]

_WEIGHTS = "state_dict"  # of one of Lightning's checkpoints


def compared(one: Path, other: Path) -> tuple[int, str]:
    """Compare two files of weights.

    Args:
        one: A file.
        other: Another.

    Returns:
        How many tensors were compared, and how they differ; an empty text where they do not.

    Raises:
        CheckpointError: One of them is damaged, or holds more than tensors and plain values.
    """
    then, now = dict(_tensors(_loaded(one))), dict(_tensors(_loaded(other)))
    for name in then | now:
        if name not in then or name not in now:
            return len(then), f"the weights differ: {escaped(name)} is in one alone"
    differing = [name for name in then if not _is_same(then[name], now[name])]
    if not differing:
        return len(then), ""
    first = differing[0]
    return len(then), (
        f"the weights differ in {len(differing)} of {len(then)} tensors, first in {escaped(first)}"
        f" ({_distance(then[first], now[first])})"
    )


def _loaded(path: Path) -> Any:
    if os.path.lexists(sidecar_path(path)):
        state, _ = read_state(path, weights_only=True, map_location="cpu")
        return state
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path} cannot be loaded: {reason}") from error


def _tensors(state: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Go through the tensors of a state; of a checkpoint, through those of the model alone."""
    if isinstance(state, torch.Tensor):
        yield above, state
    elif isinstance(state, Mapping):
        inner = state.get(_WEIGHTS) if not above else None
        items = inner.items() if isinstance(inner, Mapping) and inner else state.items()
        for name, value in items:
            yield from _tensors(value, f"{above}.{name}" if above else str(name))
    elif isinstance(state, list | tuple):
        for place, value in enumerate(state):
            yield from _tensors(value, f"{above}.{place}")


def _is_same(then: Any, now: Any) -> bool:
    if then.dtype != now.dtype or then.shape != now.shape:
        return False
    if then.is_sparse or now.is_sparse:
        return then.is_sparse == now.is_sparse and _is_same(then.to_dense(), now.to_dense())
    # as bytes: NaN is equal to the same NaN, and -0.0 is not 0.0
    both = (tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (then, now))
    return torch.equal(*both)


def _distance(then: Any, now: Any) -> str:
    if then.dtype != now.dtype or then.shape != now.shape:
        return f"{then.dtype} {list(then.shape)} then, {now.dtype} {list(now.shape)} now"
    one, other = (tensor.to_dense().to(torch.complex128) for tensor in (then, now))
    largest = (one - other).abs().max().item()
    return f"the largest difference is {largest:g}"
