"""What benchmarks on a GPU share: whether there is one, and clocks that are read there."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator

import torch

__all__ = ["has_gpu", "synced", "waits_counted"]


def has_gpu(absent: list[str]) -> bool:
    """Say whether there is a GPU, or note in `absent` that there is none."""
    if torch.cuda.is_available():
        return True
    absent.append("a CUDA device")
    return False


def synced() -> float:
    """Read the clock once the GPU has done all that it was given."""
    torch.cuda.synchronize()
    return time.perf_counter()


@contextlib.contextmanager
def waits_counted() -> Iterator[Callable[[], float]]:
    """Count how often the host waits for the GPU; give what tells the count so far.

    Source: `torch.cuda.set_sync_debug_mode`, which warns of every such call of torch's but for
    those of `torch.distributed` and `torch.sparse`.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield lambda: float(sum("synchronizing" in str(each.message) for each in told))
        finally:
            torch.cuda.set_sync_debug_mode("default")
