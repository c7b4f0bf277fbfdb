"""Values in the form in which a checkpoint can hold them, fit for a weights-only load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from thexp_pl.data.standing import keeps_state
from thexp_pl.errors import TrainerError

__all__ = ["ARRAY", "PLAIN", "has_state", "is_data", "restored", "storable"]

# marks a numpy array, kept as a tensor: a weights-only load would refuse the array itself
ARRAY = "__ndarray__"
PLAIN = (type(None), bool, int, float, complex, str, bytes)


def is_data(value: Any) -> bool:
    """Tell whether a value is a tensor, an array or a number."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "biufc"  # numbers: what torch can hold
    return isinstance(value, (torch.Tensor, int, float, complex))


def has_state(value: Any) -> bool:
    """Tell whether a value gives and takes a `state_dict`."""
    return not isinstance(value, type) and keeps_state(value)


def storable(value: Any, name: str) -> Any:
    """Give data, or a `state_dict`, in the form for a checkpoint.

    Args:
        value: It.
        name: The attribute that it belongs to.

    Raises:
        TrainerError: It holds what a weights-only load would refuse.
    """
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.ndarray) and is_data(value):
        return {ARRAY: torch.from_numpy(value.copy())}
    if isinstance(value, np.generic) and is_data(value):
        return value.item()
    if type(value) in PLAIN or isinstance(value, (torch.dtype, torch.device)):
        return value
    if isinstance(value, Mapping):
        return {key: storable(item, name) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [storable(item, name) for item in value]
        return items if isinstance(value, list) else tuple(items)
    raise TrainerError(
        f"the state of the attribute '{name}' holds a {type(value).__name__}, which a checkpoint "
        f"cannot; have its state_dict give tensors, numbers and text, or call it '_{name}' and it "
        "is left out"
    )


def restored(state: Any) -> Any:
    """Give back what `storable` was given.

    Args:
        state: What it gave.
    """
    if isinstance(state, Mapping):
        if ARRAY in state:
            return state[ARRAY].numpy().copy()
        return {key: restored(item) for key, item in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(restored(item) for item in state)
    return state
