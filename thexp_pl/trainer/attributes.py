"""What a facade Trainer holds: its attributes sorted by kind, their state saved and restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from thexp_pl.errors import CheckpointError, TrainerError

__all__ = ["Attributes", "find_attributes", "load_others", "save_others"]

_ARRAY = (
    "__ndarray__"  # marks a numpy array, which a weights-only load would refuse, kept as tensor
)


@dataclass
class Attributes:
    """The attributes of a facade Trainer that a checkpoint must hold, by name.

    Args:
        modules: The modules; their weights are the module's `state_dict`.
        optimizers: The optimizers.
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
        if name.startswith("_") or isinstance(value, DataLoader):
            continue  # the position in the data is not an attribute's state
        if isinstance(value, nn.Module):
            found.modules[name] = value
        elif isinstance(value, Optimizer):
            found.optimizers[name] = value
        elif _has_state(value) or _is_data(value):
            found.others[name] = value
    return found


def _is_data(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufc"  # numbers: what torch can hold
    return isinstance(value, (torch.Tensor, int, float))


def _has_state(value: Any) -> bool:
    return (
        not isinstance(value, type)
        and callable(getattr(value, "state_dict", None))
        and callable(getattr(value, "load_state_dict", None))
    )


def save_others(others: Mapping[str, Any]) -> dict[str, Any]:
    """Give the states of what is neither module nor optimizer, fit for a weights-only load."""
    states: dict[str, Any] = {}
    for name, value in others.items():
        if _has_state(value):
            states[name] = value.state_dict()
        elif isinstance(value, np.ndarray):
            states[name] = {_ARRAY: torch.from_numpy(value.copy())}
        elif isinstance(value, torch.Tensor):
            states[name] = value.detach()
        else:  # a numpy scalar is an int or a float too, but no primitive
            states[name] = value.item() if isinstance(value, np.generic) else value
    return states


def load_others(target: Any, others: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Restore the states of `save_others` into the attributes of a trainer.

    Args:
        target: The trainer; tensors are filled in place where shape and dtype agree, so that
            whatever else holds them sees the restored values.
        others: Its present attributes.
        states: What was saved.

    Raises:
        CheckpointError: If the trainer has no such attribute, as after a renaming.
    """
    for name, state in states.items():
        if name not in others:
            raise CheckpointError(
                f"the checkpoint holds a state for the attribute '{name}', which "
                f"{type(target).__name__} does not have; it was saved by other code"
            )
        value = others[name]
        if _has_state(value):
            value.load_state_dict(state)
        elif isinstance(value, torch.Tensor) and value.shape == state.shape:
            with torch.no_grad():
                value.copy_(state)
        elif isinstance(state, Mapping) and _ARRAY in state:
            setattr(target, name, state[_ARRAY].numpy())
        else:
            setattr(target, name, state)
