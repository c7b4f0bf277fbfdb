"""What a facade Trainer holds: its attributes sorted by kind, their state saved and restored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from thexp_pl.data import DataBundler
from thexp_pl.data.standing import keeps_state
from thexp_pl.errors import CheckpointError, TrainerError

__all__ = ["Attributes", "find_attributes", "load_others", "save_others"]

# marks a numpy array, kept as a tensor: a weights-only load would refuse the array itself
_ARRAY = "__ndarray__"
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


@dataclass
class Attributes:
    """The attributes of a facade Trainer that a checkpoint must hold, by name.

    Args:
        modules: The modules; their weights are the module's `state_dict`.
        optimizers: The optimizers, each once.
        others: Schedulers and other objects with a `state_dict`, tensors, arrays and numbers.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, Optimizer] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)

    def check_optimizers(self) -> None:
        """Raise unless every optimized parameter belongs to a found module or tensor.

        Raises:
            TrainerError: If an optimizer holds a parameter that nothing would move or save.
        """
        known = {id(p) for module in self.modules.values() for p in module.parameters()}
        known |= {id(value) for value in self.others.values()}
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if id(parameter) not in known:
                        raise TrainerError(
                            f"the optimizer '{name}' holds a parameter of shape "
                            f"{tuple(parameter.shape)} that no attribute of the trainer holds, so "
                            "it would be neither moved nor saved; assign its module to self "
                            "(torch.nn.ModuleList for a list of modules)"
                        )


def find_attributes(attributes: Mapping[str, Any]) -> Attributes:
    """Sort the attributes of a trainer by what a checkpoint does with them.

    Args:
        attributes: Names and values, as `vars` gives them; names with a leading '_' are private.
    """
    found = Attributes()
    for name, value in attributes.items():
        if name.startswith("_") or isinstance(value, (DataLoader, DataBundler)):
            continue  # the position in the data is not an attribute's state
        if isinstance(value, nn.Module):
            found.modules[name] = value
        elif isinstance(value, Optimizer):
            if all(value is not other for other in found.optimizers.values()):
                found.optimizers[name] = value
        elif _has_state(value) or _is_data(value):
            found.others[name] = value
    return found


def _is_data(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "biufc"  # numbers: what torch can hold
    return isinstance(value, (torch.Tensor, int, float, complex))


def _has_state(value: Any) -> bool:
    return not isinstance(value, type) and keeps_state(value)


# -- saving --------------------------------------------------------------------------------------


def save_others(others: Mapping[str, Any]) -> dict[str, Any]:
    """Give the states of what is neither module nor optimizer, fit for a weights-only load.

    Raises:
        TrainerError: If a state holds what such a load would refuse.
    """
    return {
        name: _storable(value.state_dict() if _has_state(value) else value, name)
        for name, value in others.items()
    }


def _storable(value: Any, name: str) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.ndarray) and _is_data(value):
        return {_ARRAY: torch.from_numpy(value.copy())}
    if isinstance(value, np.generic) and _is_data(value):
        return value.item()
    if type(value) in _PLAIN or isinstance(value, (torch.dtype, torch.device)):
        return value
    if isinstance(value, Mapping):
        return {key: _storable(item, name) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_storable(item, name) for item in value]
        return items if isinstance(value, list) else tuple(items)
    raise TrainerError(
        f"the state of the attribute '{name}' holds a {type(value).__name__}, which a checkpoint "
        f"cannot; have its state_dict give tensors, numbers and text, or call it '_{name}' and it "
        "is left out"
    )


# -- loading -------------------------------------------------------------------------------------


def load_others(
    target: Any, others: Mapping[str, Any], states: Mapping[str, Any], later: Collection[str] = ()
) -> None:
    """Restore the states of `save_others` into the attributes of a trainer.

    Args:
        target: The trainer; tensors of the same shape are filled in place, so that whatever else
            holds them sees the restored values.
        others: Its present attributes.
        states: What was saved.
        later: The attributes that were made while it trained, and need not be there yet.

    Raises:
        CheckpointError: If the trainer has no such attribute, or one of another kind, or of
            another shape where it is trained. Nothing is restored then.
    """
    for name, state in states.items():
        if (
            name in others
            or name not in later
            or (isinstance(state, Mapping) and _ARRAY not in state)
        ):
            _check(name, others, state, type(target).__name__)
    for name, state in states.items():
        value: Any = others.get(name)
        if _has_state(value):
            value.load_state_dict(_restored(state))
        elif isinstance(value, torch.Tensor) and value.shape == state.shape:
            with torch.no_grad():
                value.copy_(state)
        elif isinstance(value, torch.Tensor):
            setattr(target, name, state.to(value.device))
        elif isinstance(value, np.generic):
            setattr(target, name, type(value)(state))
        else:
            setattr(target, name, _restored(state))


def _check(name: str, others: Mapping[str, Any], state: Any, trainer: str) -> None:
    if name not in others:
        raise CheckpointError(
            f"the checkpoint holds a state for the attribute '{name}', which {trainer} does not "
            "have; it was saved by other code"
        )
    value = others[name]
    here, there = _kind(value, _has_state(value)), _kind(state, isinstance(state, Mapping))
    if here != there:
        raise CheckpointError(
            f"the attribute '{name}' is {here} in {trainer} and {there} in the checkpoint; it was "
            "saved by other code"
        )
    if isinstance(value, torch.Tensor) and value.requires_grad and value.shape != state.shape:
        raise CheckpointError(
            f"the tensor '{name}' has the shape {tuple(value.shape)} in {trainer} and "
            f"{tuple(state.shape)} in the checkpoint; it was saved by other code"
        )


def _kind(value: Any, has_state: bool) -> str:
    if isinstance(value, torch.Tensor):
        return "a tensor"
    if isinstance(value, np.ndarray) or (isinstance(value, Mapping) and _ARRAY in value):
        return "an array"
    return "an object with a state_dict" if has_state else "a number"


def _restored(state: Any) -> Any:
    if isinstance(state, Mapping):
        if _ARRAY in state:
            return state[_ARRAY].numpy().copy()
        return {key: _restored(item) for key, item in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(_restored(item) for item in state)
    return state
