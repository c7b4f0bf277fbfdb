"""What is trained on several ranks, and that it is the same on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import LBFGS, Optimizer

from thexp_pl.errors import TrainerError
from thexp_pl.strategies.exchange import Exchange
from thexp_pl.strategies.replicas import broadcast, check_shapes, first_difference

__all__ = ["Trained"]


class Trained:
    """The parameters of a module, and what else optimizers hold.

    Made on all ranks at once: rank 0's parameters and buffers become those of all.

    Args:
        module: The module.
        exchange: The way to the other ranks.

    Raises:
        TrainerError: The ranks have other modules.
    """

    def __init__(self, module: nn.Module, exchange: Exchange) -> None:
        self._module = module
        self._exchange = exchange
        self._known: list[Any] | None = None  # parameters and optimizers, as `_present` gave them
        self.tensors: dict[str, torch.Tensor] = dict(module.named_parameters())
        state = {**self.tensors, **dict(module.named_buffers())}
        check_shapes(state, exchange)
        broadcast(state.values(), exchange)
        self.elements = _count(self.tensors)  # how many numbers are trained

    def has_changed(self, optimizers: Sequence[Optimizer]) -> bool:
        """Say whether other parameters or optimizers are there than were taken up."""
        known = self._known
        return known is None or list(map(id, self._present(optimizers))) != list(map(id, known))

    def present(self, optimizers: Sequence[Optimizer]) -> dict[str, torch.Tensor]:
        """Give what there is to train now, by name."""
        found: dict[str, torch.Tensor] = dict(self._module.named_parameters())
        known = {id(parameter) for parameter in found.values()}
        for number, optimizer in enumerate(optimizers):
            for index, parameter in enumerate(_held(optimizer)):
                if id(parameter) not in known:
                    known.add(id(parameter))
                    found[f"parameter {index} of optimizer {number}"] = parameter
        return found

    def take_up(self, optimizers: Sequence[Optimizer], *, sharing: bool) -> None:
        """Train what is there now; on all ranks at once.

        Args:
            optimizers: Those that may step.
            sharing: Make what is new that of rank 0; else it has to be equal already.

        Raises:
            TrainerError: The ranks have other parameters, or an optimizer cannot be.
        """
        for optimizer in optimizers:
            _refuse(optimizer)
        found, known = self.present(optimizers), {id(one) for one in self.tensors.values()}
        check_shapes(found, self._exchange)
        new = {name: one for name, one in found.items() if id(one) not in known}
        if sharing and new:
            broadcast([*new.values(), *self._module.buffers()], self._exchange)
        elif not sharing:
            self._check_new(new)
        self.tensors, self._known = found, self._present(optimizers)
        self.elements = _count(found)

    def check(self) -> None:
        """Raise unless all that is trained has the same bits on all ranks.

        Raises:
            TrainerError: The first that differs.
        """
        name = first_difference(self.tensors, self._exchange)
        if name is not None:
            raise TrainerError(
                f"{name} has come to differ between the ranks: something changed it on one rank "
                "only, or on each in its own way; change it by gradients, or on all ranks alike"
            )

    def _check_new(self, new: Mapping[str, torch.Tensor]) -> None:
        name = first_difference(new, self._exchange)
        if name is not None:
            raise TrainerError(
                f"{name} is new in the midst of an epoch, and other numbers on each rank; fill it "
                "with the same ones (torch.manual_seed), or make it before an epoch begins, when "
                "rank 0's become those of all"
            )

    def _present(self, optimizers: Sequence[Optimizer]) -> list[Any]:
        held = [parameter for optimizer in optimizers for parameter in _held(optimizer)]
        return [*self._module.parameters(), *held, *optimizers]


def _count(tensors: Mapping[str, torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())


def _held(optimizer: Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _refuse(optimizer: Optimizer) -> None:
    if isinstance(optimizer, LBFGS):
        raise TrainerError(
            "LBFGS decides by its own loss how often it calls the closure, which differs between "
            "ranks; train with it on one device"
        )
