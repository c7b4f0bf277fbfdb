"""The kinds of value that a Meter meets, told apart without importing torch or numpy.

A value can be a tensor, an array or a Metric only if its library has been imported already, so
`sys.modules` is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

__all__ = [
    "detached",
    "has_many",
    "is_dense",
    "is_metric",
    "is_tensor",
    "number_of",
    "plain",
    "storable",
]


def is_tensor(value: object) -> bool:
    """Say whether a value is a `torch.Tensor`."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Say whether a value is a `numpy.ndarray`."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def is_metric(value: object) -> bool:
    """Say whether a value is a `torchmetrics.Metric`."""
    torchmetrics = sys.modules.get("torchmetrics")
    return torchmetrics is not None and isinstance(value, torchmetrics.Metric)


def has_many(value: Any) -> bool:
    """Say whether a value is a tensor or an array of other than one element."""
    if is_tensor(value):
        return is_dense(value) and bool(value.numel() != 1)
    return is_array(value) and bool(value.size != 1)


def is_dense(tensor: Any) -> bool:
    """Say whether a tensor has all its numbers at hand: it is not sparse, nested or meta."""
    strided = tensor.layout is sys.modules["torch"].strided
    return strided and not (tensor.is_nested or tensor.is_meta)


def number_of(value: Any) -> int | float | None:
    """Read the one real number that a value stands for.

    Args:
        value: Anything; a tensor is copied off its device.

    Returns:
        The Python number of a number, of a numpy scalar or of a tensor or array with one element;
        None for everything else: truth values, complex numbers, sparse, nested and meta tensors.

    >>> number_of(3), number_of(0.5), number_of(True), number_of("3")
    (3, 0.5, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    if is_tensor(value):
        return number_of(value.item()) if is_dense(value) and value.numel() == 1 else None
    return number_of(value.item()) if is_array(value) and value.size == 1 else None


def detached(value: Any) -> Any:
    """Cut a value loose from the autograd graph, within lists, tuples and dicts too."""
    if is_tensor(value):
        return value.detach() if value.requires_grad else value
    if type(value) in (list, tuple):
        return type(value)(detached(element) for element in value)
    if type(value) is dict:
        return {key: detached(element) for key, element in value.items()}
    return value


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold.

    Returns:
        None, truth values, numbers (NaN and inf as floats) and text as they are; tensors and
        arrays as nested lists; lists, tuples and dicts likewise, keys as text; of anything else
        (sparse, nested and meta tensors too) its text.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    number = number_of(value)
    if number is not None:
        return number
    if (is_tensor(value) and is_dense(value)) or is_array(value):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    return str(value)


def storable(value: Any) -> bool:
    """Say whether `torch.load(..., weights_only=True)` gives a value back."""
    if type(value) in (list, tuple):
        return all(storable(element) for element in value)
    if type(value) is dict:
        return all(storable(key) and storable(element) for key, element in value.items())
    return type(value) in (type(None), bool, int, float, str) or is_tensor(value)
