"""The tensors whose gradients a backward makes, and the hooks that see these gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["leaves_of", "unscaled_hooks", "values_of"]

_Hooks = dict[int, Callable[[torch.Tensor], Any]]


def leaves_of(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Find the leaves of a tensor's graph, each once.

    Those that a reentrant `torch.utils.checkpoint` holds lie in graphs of their own.

    Args:
        tensor: What backward is called on.

    >>> weight, bias = torch.ones(2, requires_grad=True), torch.ones((), requires_grad=True)
    >>> [leaf is weight or leaf is bias for leaf in leaves_of((weight * weight + bias).sum())]
    [True, True]
    """
    if tensor.grad_fn is None:
        return [tensor] if tensor.requires_grad else []
    found = []
    waiting = [tensor.grad_fn]
    seen = set(waiting)  # and kept: the same node, asked for again, would be another object
    while waiting:
        node = waiting.pop()
        following = node.next_functions
        for one, _ in following:
            if one is not None and one not in seen:
                seen.add(one)
                waiting.append(one)
        leaf = None if following else getattr(node, "variable", None)
        if isinstance(leaf, torch.Tensor):
            found.append(leaf)
    return found


@contextmanager
def unscaled_hooks(leaves: Iterable[torch.Tensor], scale: torch.Tensor) -> Iterator[None]:
    """Have the hooks on leaves see, and give, gradients without a factor.

    A hook that hides an overflow, as one that clamps does, does not hide it from the scaler: the
    gradient is then not a number.

    Args:
        leaves: The tensors.
        scale: The factor, without dimensions, on any device.
    """
    undo: list[tuple[_Hooks, int, Any]] = []
    for leaf in leaves:
        hooks: _Hooks
        for hooks, wrapped in (
            (getattr(leaf, "_backward_hooks", None) or {}, _of_gradient),
            (getattr(leaf, "_post_accumulate_grad_hooks", None) or {}, _of_leaf),
        ):
            for key, hook in list(hooks.items()):
                undo.append((hooks, key, hook))
                hooks[key] = wrapped(hook, scale)
    try:
        yield
    finally:
        for hooks, key, hook in undo:
            if key in hooks:  # it may have removed itself
                hooks[key] = hook


def _of_gradient(hook: Callable[[torch.Tensor], Any], scale: torch.Tensor) -> Any:
    def on_scaled(gradient: torch.Tensor) -> torch.Tensor | None:
        factor = scale.to(gradient.device)
        true = gradient * factor.double().reciprocal().float()
        before = true._version
        given = hook(true)
        if given is None and true._version == before:
            return None
        result: torch.Tensor = (true if given is None else given) * factor
        return result * _nan_if_overflown(gradient)

    return on_scaled


def _of_leaf(hook: Callable[[torch.Tensor], Any], scale: torch.Tensor) -> Any:
    def on_scaled(leaf: torch.Tensor) -> None:
        if leaf.grad is None:
            hook(leaf)
            return
        factor, is_lost = scale.to(leaf.grad.device), _nan_if_overflown(leaf.grad)
        with torch.no_grad():
            values_of(leaf.grad).mul_(factor.double().reciprocal().float())
            hook(leaf)
            if leaf.grad is not None:
                values_of(leaf.grad).mul_(factor).mul_(is_lost)

    return on_scaled


def _nan_if_overflown(gradient: torch.Tensor) -> torch.Tensor:
    return torch.where(values_of(gradient).isfinite().all(), 1.0, torch.nan)


def values_of(gradient: torch.Tensor) -> torch.Tensor:
    """Give the real numbers of a gradient that may be sparse or complex; a view of them."""
    values = gradient._values() if gradient.is_sparse else gradient
    return torch.view_as_real(values) if values.is_complex() else values
