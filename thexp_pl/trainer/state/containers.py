"""Lists, tuples, sets and dicts as attributes of a facade Trainer: walked, stored, put back."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from thexp_pl.data import DataBundler
from thexp_pl.errors import CheckpointError
from thexp_pl.trainer.state.storing import ARRAY, PLAIN, has_state, is_data, restored, storable

__all__ = [
    "CONTAINER",
    "can_be_stored",
    "check_container",
    "is_container",
    "leaves",
    "restore_container",
    "store_container",
]

CONTAINER = "__container__"  # marks the state of an attribute that is one
_ELSEWHERE = "__elsewhere__"  # in place of what the checkpoint holds under a name of its own
_ON_DEVICE = "__on_device__"  # a tensor that was not on the CPU
_SCALARS = "__scalars__"  # tensors of one number each as one: a file is slow with many small ones
_SET = "__set__"
_STATE = "__state__"
_Within = tuple[int, ...]


def is_container(value: Any) -> bool:
    """Tell whether a value is a list, tuple, set, deque or dict without a `state_dict`."""
    return isinstance(value, (list, tuple, dict, set, deque)) and not has_state(value)


def leaves(value: Any, name: str, within: _Within = ()) -> Iterator[tuple[str, Any]]:
    """Give what a container, and those in it, hold, except numbers and text.

    Args:
        value: The container; anything else is given as it is.
        name: Its name; what is in it is called ``name.key``.
        within: The containers that it is in, by id.
    """
    if not is_container(value):
        yield name, value
    elif id(value) not in within:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if type(item) not in PLAIN:
                place = f"{name}.{str(key).replace('.', '_')}"  # as names of modules are
                yield from leaves(item, place, (*within, id(value)))


def can_be_stored(value: Any, within: _Within = ()) -> bool:
    """Tell whether a checkpoint can hold a container with everything in it.

    Args:
        value: The container, or what is in one.
        within: The containers that it is in, by id.
    """
    if not is_container(value):
        if isinstance(value, (DataLoader, DataBundler)):
            return False
        is_held = isinstance(value, (nn.Module, Optimizer))
        return type(value) in PLAIN or is_held or has_state(value) or _is_exactly_data(value)
    if id(value) in within:
        return False
    within = (*within, id(value))
    is_dict = isinstance(value, dict)
    return all(_is_key(key) for key in (value if is_dict else ())) and all(
        type(item) in PLAIN or can_be_stored(item, within)
        for item in (value.values() if is_dict else value)
    )


def _is_exactly_data(value: Any) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray, np.generic)) and is_data(value)


def _is_key(key: Any) -> bool:
    return type(key) in PLAIN or (type(key) is tuple and all(map(_is_key, key)))


# -- storing -------------------------------------------------------------------------------------


def store_container(value: Any, name: str, elsewhere: Collection[int]) -> dict[str, Any]:
    """Give the state of a container.

    Args:
        value: What `can_be_stored`.
        name: The attribute.
        elsewhere: The ids of tensors that the checkpoint holds anyway.

    Raises:
        TrainerError: The state of an object in it holds what a weights-only load would refuse.
    """
    return {CONTAINER: _stored(value, name, elsewhere)}


def _stored(value: Any, name: str, elsewhere: Collection[int]) -> Any:
    if id(value) in elsewhere or isinstance(value, (nn.Module, Optimizer)):
        return {_ELSEWHERE: type(value).__name__}
    if not is_container(value):
        return {_STATE: storable(value.state_dict(), name)} if has_state(value) else _data(value)
    if isinstance(value, dict):
        return {key: _stored(item, name, elsewhere) for key, item in value.items()}
    if _are_scalars(value, elsewhere):
        items: Any = {_SCALARS: _data(torch.stack([one.detach() for one in value]))}
    else:
        items = [_stored(item, name, elsewhere) for item in value]
    if isinstance(value, set):
        return {_SET: items}
    return tuple(items) if isinstance(value, tuple) and isinstance(items, list) else items


def _data(value: Any) -> Any:
    stored = storable(value, "")
    is_off = isinstance(value, torch.Tensor) and value.device.type != "cpu"
    return {_ON_DEVICE: stored} if is_off else stored


def _are_scalars(value: Any, elsewhere: Collection[int]) -> bool:
    return (
        isinstance(value, (list, deque))
        and len(value) > 1
        and all(type(one) is torch.Tensor and not one.dim() for one in value)
        and len({(one.dtype, one.device) for one in value}) == 1
        and not any(id(one) in elsewhere for one in value)
    )


# -- putting back --------------------------------------------------------------------------------


def check_container(state: Any, present: Any, name: str) -> None:
    """Raise unless there is an object for each state of an object, before anything is restored.

    Args:
        state: What `store_container` gave.
        present: The container that there is; None for none.
        name: The attribute.

    Raises:
        CheckpointError: The first for which there is none.
    """
    for one, here in _pairs(state[CONTAINER], present):
        if _STATE in one and not has_state(here):
            raise CheckpointError(
                f"the checkpoint holds the state of an object in self.{name}, and here is none at "
                "that place; have initial_trainer make as many"
            )


def restore_container(state: Any, present: Any, device: torch.device) -> Any:
    """Give a container as it was stored, with whatever can be kept of the one that there is.

    Lists, sets and dicts stay the same objects, and so do tensors of the same shape. One that holds
    modules, or tensors held elsewhere too, which are not here at those places stays as it is.

    Args:
        state: What `store_container` gave.
        present: The container that there is; None for none.
        device: The device of tensors that were not on the CPU.
    """
    for one, here in _pairs(state[CONTAINER], present):
        if _ELSEWHERE in one and not isinstance(here, (nn.Module, Optimizer, torch.Tensor)):
            return present
    return _restored(state[CONTAINER], present, device)


def _pairs(state: Any, present: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Give the marks of states and of what is held elsewhere, each with what is at its place."""
    if isinstance(state, dict) and (_STATE in state or _ELSEWHERE in state):
        yield state, present
    elif isinstance(state, dict):
        for key, item in state.items():
            yield from _pairs(item, present.get(key) if isinstance(present, dict) else None)
    elif isinstance(state, (list, tuple)):
        for item, here in zip(state, _places(present, len(state)), strict=True):
            yield from _pairs(item, here)


def _places(present: Any, count: int) -> list[Any]:
    own = list(present)[:count] if isinstance(present, (list, tuple, deque)) else []
    return own + [None] * (count - len(own))


def _restored(state: Any, present: Any, device: torch.device) -> Any:
    if isinstance(state, torch.Tensor):
        return _tensor(state, present)
    if isinstance(state, (list, tuple)):
        places = _places(present, len(state))
        found = [_restored(one, here, device) for one, here in zip(state, places, strict=True)]
        return _filled(present, found if isinstance(state, list) else tuple(found))
    if not isinstance(state, dict):
        return type(present)(state) if isinstance(present, np.generic) else state
    if _ELSEWHERE in state:
        return present
    if _STATE in state:
        present.load_state_dict(restored(state[_STATE]))
        return present
    if ARRAY in state:
        return restored(state)
    if _ON_DEVICE in state:
        return _tensor(state[_ON_DEVICE].to(device), present)
    if _SCALARS in state:
        stacked = _restored(state[_SCALARS], None, device)
        return _filled(present, [one.clone() for one in stacked])
    if _SET in state:
        return _filled(present, {_restored(one, None, device) for one in state[_SET]})
    own = present if isinstance(present, dict) else {}
    return _filled(
        present, {key: _restored(one, own.get(key), device) for key, one in state.items()}
    )


def _tensor(state: torch.Tensor, present: Any) -> torch.Tensor:
    if not isinstance(present, torch.Tensor):
        return state
    kinds = [(one.shape, one.dtype, one.layout) for one in (present, state)]
    is_expanded = present.layout is torch.strided and 0 in present.stride()
    if kinds[0] != kinds[1] or present.is_inference() or is_expanded:
        return state.to(present.device)
    with torch.no_grad():
        return present.copy_(state)


def _filled(present: Any, items: Any) -> Any:
    """Put items into the container that there is, where it is of their kind."""
    if isinstance(present, dict) and isinstance(items, dict):
        present.clear()
        present.update(items)
    elif isinstance(present, list) and isinstance(items, list):
        present[:] = items
    elif isinstance(present, deque) and isinstance(items, list):
        present.clear()
        present.extend(items)
    elif isinstance(present, set) and isinstance(items, set):
        present.clear()
        present.update(items)
    elif hasattr(present, "_fields") and isinstance(items, tuple):
        return type(present)(*items)
    else:
        return items
    return present
