"""The strategy of a facade Trainer on several devices, whatever name or object asks for it."""

from __future__ import annotations

from typing import Any, Literal

from pytorch_lightning.strategies import DDPStrategy

from thexp_pl.errors import UsageError
from thexp_pl.strategies import ManualDDPStrategy

__all__ = ["ddp_strategy"]

_StartMethod = Literal["popen", "spawn", "fork", "forkserver"]


def ddp_strategy(asked: Any, devices: int | list[int], nodes: int) -> ManualDDPStrategy | None:
    """Give the strategy that trains on several devices, or on one where that was asked for.

    Args:
        asked: What the user gave: a name of the "ddp" family, a DDPStrategy, "auto" or None.
        devices: How many devices a node has, or which.
        nodes: How many nodes.

    Returns:
        A new one; None where a single device is to be trained on as it is.

    Raises:
        UsageError: One device was asked for, and several.
    """
    if isinstance(asked, ManualDDPStrategy):
        return asked
    if isinstance(asked, DDPStrategy):
        return ManualDDPStrategy(
            cluster_environment=asked.cluster_environment,
            process_group_backend=asked.process_group_backend,
            timeout=asked._timeout,
            start_method=asked._start_method,
        )
    if isinstance(asked, str) and asked.startswith("ddp"):
        return ManualDDPStrategy(start_method=_start_method(asked))
    count = len(devices) if isinstance(devices, list) else devices
    if asked == "single_device" and count * nodes != 1:
        raise UsageError(
            f"strategy 'single_device' contradicts {count * nodes} devices; use 'ddp', or leave it "
            "out"
        )
    return ManualDDPStrategy() if count * nodes != 1 else None


def _start_method(name: str) -> _StartMethod:
    if name.startswith("ddp_spawn"):
        return "spawn"
    return "fork" if name.startswith(("ddp_fork", "ddp_notebook")) else "popen"
