"""What a facade Trainer holds: its attributes sorted by kind, their state saved and restored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, Sampler

from thexp_pl.data import DataBundler
from thexp_pl.errors import CheckpointError, TrainerError
from thexp_pl.trainer.state.containers import (
    CONTAINER,
    can_be_stored,
    check_container,
    is_container,
    leaves,
    restore_container,
    store_container,
)
from thexp_pl.trainer.state.storing import ARRAY, has_state, is_data, restored, storable

__all__ = ["Attributes", "Modules", "find_attributes", "left_out", "load_others", "save_others"]

_NO_HOLDERS = (type, FunctionType, MethodType, ModuleType, pl.Trainer, pl.Callback)
_OBJECT = "an object with a state_dict"
_DATA = (Dataset, Sampler, DataLoader, DataBundler)


class Modules(nn.Module):
    """The modules of a list or dict, under the names of their places."""


@dataclass
class Attributes:
    """The attributes of a facade Trainer that a checkpoint must hold, by name.

    Args:
        modules: The modules, also those in lists and dicts (``nets.0``), each of the latter once;
            their weights are the module's `state_dict`.
        optimizers: The optimizers, in lists and dicts too, each once.
        others: Schedulers and other objects with a `state_dict`, tensors, arrays and numbers, and
            the lists, tuples, sets and dicts of such.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, Optimizer] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)

    def tree(self) -> dict[str, nn.Module]:
        """Give the modules by attribute, those of a list or dict as one `Modules`."""
        root = Modules()
        for name, module in self.modules.items():
            *path, last = name.split(".")
            place: nn.Module = root
            for part in path:
                place = place._modules.setdefault(part, Modules()) or place
            place._modules[last] = module
        return {name: module for name, module in root._modules.items() if module is not None}

    def tensors_of_modules(self) -> Iterator[torch.Tensor]:
        """Give the parameters and buffers of all modules."""
        for module in self.modules.values():
            yield from chain(module.parameters(), module.buffers())

    def take_up(self, value: nn.Module | Optimizer, name: str) -> None:
        """Add a module or an optimizer from a list or dict, unless it is held already."""
        if isinstance(value, Optimizer):
            if all(value is not other for other in self.optimizers.values()):
                self.optimizers[name] = value
        elif all(value is not one for held in self.modules.values() for one in held.modules()):
            if name in self.modules:
                raise TrainerError(f"two modules are called self.{name}; call their keys otherwise")
            self.modules[name] = value

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
                            "it would be neither moved nor saved; assign its module to self"
                        )


def find_attributes(attributes: Mapping[str, Any]) -> Attributes:
    """Sort the attributes of a trainer by what a checkpoint does with them.

    Args:
        attributes: Names and values, as `vars` gives them; names with a leading '_' are private.

    Raises:
        TrainerError: If two modules come to have the same name.
    """
    found = Attributes()
    containers = {}
    for name, value in attributes.items():
        if name.startswith("_") or isinstance(value, (DataLoader, DataBundler)):
            continue  # the position in the data is not an attribute's state
        if isinstance(value, nn.Module):
            found.modules[name] = value
        elif isinstance(value, Optimizer):
            found.take_up(value, name)
        elif is_container(value):
            containers[name] = value
        elif has_state(value) or is_data(value):
            found.others[name] = value
    for name, value in containers.items():
        for place, held in leaves(value, name):
            if isinstance(held, (nn.Module, Optimizer)):
                found.take_up(held, place)
        if can_be_stored(value):
            found.others[name] = value
    return found


def left_out(attributes: Mapping[str, Any], found: Attributes) -> list[str]:
    """Name the attributes that hold tensors or modules which are in no checkpoint.

    Args:
        attributes: Names and values, as `vars` gives them.
        found: What `find_attributes` found among them.
    """
    known = {id(tensor) for tensor in found.tensors_of_modules()}
    known |= {id(one) for module in found.modules.values() for one in module.modules()}
    known |= {id(one) for name, value in found.others.items() for _, one in leaves(value, name)}
    names = []
    for name, value in attributes.items():
        if not name.startswith("_") and name not in found.others and not _is_seen(value):
            held = [one for _, leaf in leaves(value, name) for one in _held_by(leaf)]
            if any(id(one) not in known for one in held):
                names.append(name)
    return names


def _is_seen(value: Any) -> bool:
    return isinstance(value, (nn.Module, Optimizer)) or is_data(value)


def _held_by(value: Any) -> list[Any]:
    """Give the tensors and modules that an object without a `state_dict` has as attributes."""
    if isinstance(value, (torch.Tensor, nn.Module)):
        return [value]
    is_torch = type(value).__module__.partition(".")[0] == "torch"  # a distribution, for instance
    if is_torch or isinstance(value, (*_NO_HOLDERS, *_DATA)) or hasattr(value, "__getitem__"):
        return []
    if has_state(value):
        return []
    held = leaves(getattr(value, "__dict__", {}), "")
    return [one for _, one in held if isinstance(one, (torch.Tensor, nn.Module))]


# -- saving --------------------------------------------------------------------------------------


def save_others(found: Attributes) -> dict[str, Any]:
    """Give the states of what is neither module nor optimizer, fit for a weights-only load.

    Args:
        found: The attributes of a trainer.

    Raises:
        TrainerError: If a state holds what such a load would refuse.
    """
    elsewhere = {id(tensor) for tensor in found.tensors_of_modules()}
    elsewhere |= {id(one) for one in found.others.values() if isinstance(one, torch.Tensor)}
    return {name: _state_of(value, name, elsewhere) for name, value in found.others.items()}


def _state_of(value: Any, name: str, elsewhere: Collection[int]) -> Any:
    if is_container(value):
        return store_container(value, name, elsewhere)
    return storable(value.state_dict() if has_state(value) else value, name)


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
    others = {**_containers(target), **others}
    for name, state in states.items():
        is_object = _kind(state, isinstance(state, Mapping)) == _OBJECT
        if name in others or name not in later or is_object:
            _check(name, others, state, type(target).__name__)
        elif _is_of_container(state):
            check_container(state, None, name)
    for name, state in states.items():
        value: Any = others.get(name)
        if _is_of_container(state):
            setattr(target, name, restore_container(state, value, target.device))
        elif has_state(value):
            value.load_state_dict(restored(state))
        elif isinstance(value, torch.Tensor) and value.shape == state.shape:
            with torch.no_grad():
                value.copy_(state)
        elif isinstance(value, torch.Tensor):
            setattr(target, name, state.to(value.device))
        elif isinstance(value, np.generic):
            setattr(target, name, type(value)(state))
        else:
            setattr(target, name, restored(state))


def _containers(target: Any) -> dict[str, Any]:
    """Give also those that hold what no checkpoint can: one may have been saved before."""
    return {name: value for name, value in vars(target).items() if is_container(value)}


def _is_of_container(state: Any) -> bool:
    return isinstance(state, Mapping) and CONTAINER in state


def _check(name: str, others: Mapping[str, Any], state: Any, trainer: str) -> None:
    if name not in others:
        raise CheckpointError(
            f"the checkpoint holds a state for the attribute '{name}', which {trainer} does not "
            "have; it was saved by other code"
        )
    value = others[name]
    if _is_of_container(state) and is_container(value):
        check_container(state, value, name)
    here, there = _kind(value, has_state(value)), _kind(state, isinstance(state, Mapping))
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


def _kind(value: Any, has_own_state: bool) -> str:
    if isinstance(value, torch.Tensor):
        return "a tensor"
    if isinstance(value, np.ndarray) or (isinstance(value, Mapping) and ARRAY in value):
        return "an array"
    if is_container(value) and (not has_own_state or CONTAINER in value):
        return "a list or a dict"
    return _OBJECT if has_own_state else "a number"
