"""From thexp's `params.device` to the Lightning Trainer's accelerator and devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from thexp_pl.errors import UsageError
from thexp_pl.params import BaseParams
from thexp_pl.params.values import Unread

__all__ = ["device_options"]

_KINDS = ("cpu", "cuda", "mps")


def device_options(params: BaseParams, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the Lightning options that put a run on `params.device`.

    Args:
        params: Their device is set from `accelerator` and `devices` where these are given and the
            device was not.
        options: The Lightning Trainer options the user gave.

    Returns:
        `accelerator` and `devices`.

    Raises:
        UsageError: If the device is unknown or absent, or contradicts `accelerator` or `devices`.
    """
    accelerator = options.get("accelerator") or "auto"
    wanted = {"gpu": "cuda"}.get(str(accelerator), str(accelerator))
    if wanted not in (*_KINDS, "auto"):
        raise UsageError(f"accelerator {accelerator!r} is not supported; use 'cpu', 'gpu' or 'mps'")
    if isinstance(params.flat().get("device"), Unread) and wanted in _KINDS:
        params.device = f"cuda:{_index(options) or 0}" if wanted == "cuda" else wanted
    device = _parse(params.device)
    if wanted not in ("auto", device.type):
        raise UsageError(
            f"accelerator {accelerator!r} contradicts device {params.device!r}; give one of them"
        )
    if device.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    if _index(options) not in (None, device.index or 0):
        raise UsageError(
            f"devices {options['devices']!r} contradicts device {params.device!r}; give one of them"
        )
    return {"accelerator": device.type, "devices": [device.index or 0]}


def _index(options: Mapping[str, Any]) -> int | None:
    """Give the device that `devices` names; a number alone says how many, not which."""
    devices = options.get("devices")
    return int(devices[0]) if isinstance(devices, (list, tuple)) and devices else None


def _parse(text: Any) -> torch.device:
    try:
        device = torch.device(text)
    except (RuntimeError, TypeError):
        raise UsageError(f"device {text!r} is unknown; use 'cpu', 'cuda:0' or 'mps'") from None
    if device.type not in _KINDS:
        raise UsageError(f"device {text!r} is not supported; use 'cpu', 'cuda:0' or 'mps'")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": 1}[device.type]
    has_mps = device.type != "mps" or torch.backends.mps.is_available()
    if (device.index or 0) >= count or not has_mps:
        there = ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])
        raise UsageError(f"device {text!r} is not on this machine; there is {there}")
    return device
