"""Nested parameters under dotted names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["flat"]


def flat(params: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Write nested parameters with dotted names.

    Args:
        params: The parameters.
        above: What comes before each name.

    Returns:
        The parameters by dotted name; an empty mapping stays one.

    >>> flat({"optim": {"lr": 0.1}, "epoch": 3})
    {'optim.lr': 0.1, 'epoch': 3}
    """
    result: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict | Mapping) and value:  # dict first: asking a class of abc is slow
            result.update(flat(value, f"{above}{name}."))
        else:
            result[f"{above}{name}"] = value
    return result
