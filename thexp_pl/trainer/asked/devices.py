"""From thexp's `params.device` to the Lightning Trainer's accelerator and devices."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from thexp_pl.errors import UsageError, near_miss
from thexp_pl.params import BaseParams
from thexp_pl.params.values import Unread
from thexp_pl.trainer.asked.several import ddp_strategy

__all__ = ["asked_devices", "device_options"]

_KINDS = ("cpu", "cuda", "mps")
_STARTED = "torchrun or SLURM"


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
    devices, nodes = asked_devices(options), _asked_nodes(options)
    is_listed = isinstance(devices, list)
    if isinstance(params.flat().get("device"), Unread) and (wanted in _KINDS or is_listed):
        kind = wanted if wanted in _KINDS else torch.device(params.device).type
        first = devices[0] if isinstance(devices, list) else 0
        params.device = f"cuda:{first}" if kind == "cuda" else kind
    device = _parse(params.device)
    if wanted not in ("auto", device.type):
        raise UsageError(
            f"accelerator {accelerator!r} contradicts device {params.device!r}; give one of them"
        )
    devices, nodes = _as_started(_present(devices, device), nodes, options)
    strategy = ddp_strategy(options.get("strategy"), devices, nodes)
    if strategy is not None:
        if isinstance(devices, list) and device.type == "cuda" and device.index not in devices:
            _refuse_contradiction(options, params)
        if strategy._start_method != "popen" and _started_processes() is not None:
            raise UsageError(
                f"strategy {options.get('strategy')!r} makes processes, and {_STARTED} has made "
                "them already; use 'ddp'"
            )
        found = {"accelerator": device.type, "devices": devices, "num_nodes": nodes}
        return {**found, "strategy": strategy}
    if device.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    if isinstance(devices, list) and devices != [device.index or 0]:
        _refuse_contradiction(options, params)
    return {"accelerator": device.type, "devices": [device.index or 0]}


def _refuse_contradiction(options: Mapping[str, Any], params: BaseParams) -> None:
    raise UsageError(
        f"devices {options['devices']!r} contradicts device {params.device!r}; give one of them"
    )


def asked_devices(options: Mapping[str, Any]) -> int | list[int] | None:
    """Read the option `devices`: a number of them (-1 for all), which ones, or None for one.

    Raises:
        UsageError: It is none of these.

    >>> asked_devices({"devices": "2"}), asked_devices({"devices": "0,1"}), asked_devices({})
    (2, [0, 1], None)
    """
    asked = options.get("devices")
    if asked is None or asked == "auto":
        return None
    devices: Any = _numbers(asked) if isinstance(asked, str) else asked
    if isinstance(devices, (list, tuple)):
        found = list(devices)
        is_right = all(type(one) is int and one >= 0 for one in found)
        if found and is_right and len(set(found)) == len(found):
            return found
    elif type(devices) is int and (devices > 0 or devices == -1):
        return devices
    near = near_miss(asked, ["auto"]) if isinstance(asked, str) else ""
    raise UsageError(
        f"devices {asked!r} are none{near}; give their number, such as 2, a list of their indices, "
        "such as [0, 1], -1 for all, or 'auto'"
    )


def _numbers(text: str) -> int | list[int] | None:
    """Read "2" and "0,1"; "1," is the one with that index."""
    words = text.strip().strip("[]").strip().removesuffix(",").split(",")
    try:
        found = [int(word) for word in words]
    except ValueError:
        return None
    return found if "," in text or "[" in text else found[0]


def _asked_nodes(options: Mapping[str, Any]) -> int:
    nodes = options.get("num_nodes")
    if nodes is None:
        return 1
    if type(nodes) is not int or nodes < 1:
        raise UsageError(f"num_nodes {nodes!r} is no number of machines; give 1 or more")
    return nodes


def _present(devices: int | list[int] | None, device: torch.device) -> int | list[int] | None:
    """See that there are such devices; on the CPU a device is a process."""
    count = torch.cuda.device_count()
    if device.type == "cuda":
        wanted = len(devices) if isinstance(devices, list) else devices or 1
        highest = max(devices) + 1 if isinstance(devices, list) else wanted
        if highest > count:
            raise UsageError(f"devices {devices!r} are not all there: this machine has {count}")
        return count if devices == -1 else devices
    if devices == -1:
        raise UsageError(
            f"devices -1 means all of them, and a {device.type} is not counted; give their number"
        )
    if device.type == "cpu":
        return len(devices) if isinstance(devices, list) else devices
    if devices not in (None, 1, [0]):
        raise UsageError(f"devices {devices!r}: there is one {device.type} device; give 1")
    return 1


# -- processes that are there already ------------------------------------------------------------


def _as_started(
    devices: int | list[int] | None, nodes: int, options: Mapping[str, Any]
) -> tuple[int | list[int], int]:
    """Take the number of devices from the processes that are there, or see that it is the same."""
    started = _started_processes()
    if started is None:
        return devices or 1, nodes
    here, all_nodes = started
    count = len(devices) if isinstance(devices, list) else devices
    if count not in (None, here) or options.get("num_nodes") not in (None, all_nodes):
        given = ", ".join(
            f"{name}={options[name]!r}"
            for name in ("devices", "num_nodes")
            if options.get(name) is not None
        )
        raise UsageError(
            f"{given} contradicts {_STARTED}, which has started {here} processes on each of "
            f"{all_nodes} nodes, and each of these would train by itself; leave it out"
        )
    return devices or here, all_nodes


def _started_processes() -> tuple[int, int] | None:
    """Count the processes that torchrun or SLURM has started: on a node, and the nodes."""
    if TorchElasticEnvironment.detect():
        here, everywhere = _variable("LOCAL_WORLD_SIZE"), _variable("WORLD_SIZE")
        return (here, max(everywhere // here, 1)) if everywhere > 1 else None
    everywhere = _variable("SLURM_NTASKS")
    if everywhere > 1 and SLURMEnvironment.detect():
        nodes = _variable("SLURM_NNODES")
        return max(everywhere // nodes, 1), nodes
    return None


def _variable(name: str) -> int:
    text = os.environ.get(name, "1")
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"the variable {name} is {text!r}, which is no number of processes")
    return int(text)


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
