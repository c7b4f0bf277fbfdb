"""From thexp's `params.device` to the Lightning Trainer's accelerator and devices."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from thexp_pl.errors import UsageError
from thexp_pl.params import BaseParams
from thexp_pl.params.values import Unread
from thexp_pl.trainer.several import ddp_strategy

__all__ = ["asked_devices", "device_options"]

_KINDS = ("cpu", "cuda", "mps")


def device_options(params: BaseParams, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the Lightning options that put a run on `params.device`, or on several devices.

    Args:
        params: Their device is set from `accelerator` and `devices` where these are given and the
            device was not.
        options: The Lightning Trainer options the user gave. Without `devices`, where torchrun or
            SLURM has started the processes, there are as many devices as processes.

    Returns:
        `accelerator`, `devices`, and for several `num_nodes` and `strategy`.

    Raises:
        UsageError: If the device is unknown or absent, or contradicts `accelerator` or `devices`.
    """
    accelerator = options.get("accelerator") or "auto"
    wanted = {"gpu": "cuda"}.get(str(accelerator), str(accelerator))
    if wanted not in (*_KINDS, "auto"):
        raise UsageError(f"accelerator {accelerator!r} is not supported; use 'cpu', 'gpu' or 'mps'")
    devices, nodes = asked_devices(options), options.get("num_nodes") or 1
    if isinstance(params.flat().get("device"), Unread) and wanted in _KINDS:
        first = devices[0] if isinstance(devices, list) else 0
        params.device = f"cuda:{first}" if wanted == "cuda" else wanted
    device = _parse(params.device)
    if wanted not in ("auto", device.type):
        raise UsageError(
            f"accelerator {accelerator!r} contradicts device {params.device!r}; give one of them"
        )
    if device.type == "cuda" and devices == -1:
        devices = torch.cuda.device_count()
    several = _started_processes() if devices is None else None
    devices, nodes = several or (1 if devices is None else devices, nodes)
    strategy = ddp_strategy(options.get("strategy"), devices, nodes)
    if strategy is not None:
        found = {"accelerator": device.type, "devices": devices, "num_nodes": nodes}
        return {**found, "strategy": strategy}
    if device.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    if isinstance(devices, list) and devices != [device.index or 0]:
        raise UsageError(
            f"devices {options['devices']!r} contradicts device {params.device!r}; give one of them"
        )
    return {"accelerator": device.type, "devices": [device.index or 0]}


def asked_devices(options: Mapping[str, Any]) -> int | list[int] | None:
    """Read the option `devices`: a number of them (-1 for all), which ones, or None for one.

    Raises:
        UsageError: It is none of these.
    """
    devices = options.get("devices")
    if devices is None or devices == "auto":
        return None
    try:
        if isinstance(devices, str):
            devices = [int(one) for one in devices.split(",") if one]  # "0,1", and "2" for two
            devices = devices[0] if len(devices) == 1 and "," not in options["devices"] else devices
        if isinstance(devices, (list, tuple)) and devices:
            return [int(one) for one in devices]
        if type(devices) is int and (devices > 0 or devices == -1):
            return devices
    except (TypeError, ValueError):
        pass
    raise UsageError(
        f"devices {options['devices']!r} are none; give their number, or a list of their indices"
    )


def _started_processes() -> tuple[int, int] | None:
    """Count the processes that torchrun or SLURM has started: on a node, and the nodes."""
    if TorchElasticEnvironment.detect():
        here, all_of_them = os.environ.get("LOCAL_WORLD_SIZE", "1"), os.environ["WORLD_SIZE"]
        return (int(here), int(all_of_them) // int(here)) if int(all_of_them) > 1 else None
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if SLURMEnvironment.detect() and int(tasks) > 1:
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(tasks) // nodes, nodes
    return None


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
