"""From thexp's `params.device` to the Lightning Trainer's accelerator and devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from thexp_pl.errors import TrainerError, UsageError
from thexp_pl.params import BaseParams
from thexp_pl.params.values import Unread

__all__ = ["device_options", "refuse_unsupported"]

_KINDS = {"cpu": "cpu", "cuda": "cuda", "mps": "mps"}
_ONE_DEVICE_STRATEGIES = ("auto", "single_device", None)


def device_options(params: BaseParams, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the Lightning options that put a run on `params.device`.

    Args:
        params: Their device is set from `accelerator` where that is given and the device was not.
        options: The Lightning Trainer options the user gave.

    Returns:
        `accelerator` and `devices`.

    Raises:
        UsageError: If the device is unknown or absent, or contradicts `accelerator`.
    """
    accelerator = options.get("accelerator") or "auto"
    wanted = {"gpu": "cuda"}.get(str(accelerator), str(accelerator))
    if isinstance(params.flat().get("device"), Unread) and wanted in _KINDS:
        params.device = "cuda:0" if wanted == "cuda" else wanted
    device = _parse(params.device)
    if wanted in _KINDS and wanted != device.type:
        raise UsageError(
            f"accelerator {accelerator!r} contradicts device {params.device!r}; give one of them"
        )
    if device.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    return {"accelerator": _KINDS[device.type], "devices": [device.index or 0]}


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


def refuse_unsupported(options: Mapping[str, Any]) -> None:
    """Raise for Lightning options under which a user-written backward would go wrong silently.

    Args:
        options: The Lightning Trainer options the user gave.

    Raises:
        TrainerError: For several devices or nodes, their strategies, and float16 mixed precision.
    """
    devices = options.get("devices") or 1
    is_one = len(devices) == 1 if isinstance(devices, (list, tuple)) else False
    if not is_one and str(devices) not in ("1", "auto"):
        raise TrainerError(
            f"devices={devices!r}: the facade Trainer runs on one device; several need a "
            "LightningModule with manual_backward (thexp-pl fit --model)"
        )
    if (options.get("num_nodes") or 1) != 1:
        raise TrainerError("num_nodes: the facade Trainer runs on one device of one machine")
    if options.get("strategy") not in _ONE_DEVICE_STRATEGIES:
        raise TrainerError(
            f"strategy={options['strategy']!r}: the facade Trainer runs on one device; leave it out"
        )
    if str(options.get("precision")) in ("16", "16-mixed"):
        raise TrainerError(
            f"precision={options['precision']!r} scales the gradients, which a clipping written "
            "by hand would not see; use 'bf16-mixed' or '32-true'"
        )
