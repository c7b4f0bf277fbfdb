"""Ways to save the state of a training; each imports what it needs only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.timing import nothing

__all__ = ["BACKGROUND", "DCP", "LIGHTNING", "SAVER", "TORCH", "WAYS", "Way", "sized", "state_of"]

# what saves, and what waits until it is written
Way: TypeAlias = tuple[Callable[[], object], Callable[[], object]]

TORCH, SAVER, BACKGROUND = "torch.save", "Saver", "Saver in the background"
LIGHTNING, DCP = "AsyncCheckpointIO", "dcp.async_save"


def sized(name: str, megabytes: int) -> str:
    """Name a case at a size."""
    return f"{name}, {megabytes // 1_000} GB" if megabytes >= 1_000 else f"{name}, {megabytes} MB"


def state_of(megabytes: int) -> dict[str, Any]:
    """Make the state of a model of some layers and its Adam: three tensors a weight, and a step."""
    import torch

    weights = 20 if megabytes <= 10 else 50 if megabytes <= 100 else 100
    each = megabytes * 1_000_000 // 4 // 3 // weights
    moments = ("exp_avg", "exp_avg_sq")
    return {
        "state_dict": {f"layers.{number}.weight": torch.randn(each) for number in range(weights)},
        "optimizer_states": {
            number: {"step": torch.tensor(1.0), **{name: torch.randn(each) for name in moments}}
            for number in range(weights)
        },
    }


def _by_torch(folder: Path, state: Any) -> Way:
    import torch

    return partial(torch.save, state, folder / "plain.pt"), nothing


def _by_saver(folder: Path, state: Any, *, background: bool) -> Way:
    from thexp_pl import Saver

    saver = Saver(folder / f"saver{background}", 1, background=background)
    return partial(saver.save_checkpoint, 0, state), saver.flush


def _by_lightning(folder: Path, state: Any) -> Way:
    from pytorch_lightning.plugins import AsyncCheckpointIO, TorchCheckpointIO

    plugin = AsyncCheckpointIO(TorchCheckpointIO())
    return partial(plugin.save_checkpoint, state, folder / "lightning.ckpt"), plugin.teardown


def _by_dcp(folder: Path, state: Any) -> Way:
    import torch.distributed.checkpoint as dcp

    under_way: list[Any] = []

    def wait() -> None:
        while under_way:
            under_way.pop().result()

    def save() -> None:
        wait()  # that only one is under way is left to the caller
        given = dcp.async_save(state, checkpoint_id=folder / "dcp")  # type: ignore[attr-defined]
        under_way.append(given)

    return save, wait


WAYS: dict[str, Callable[[Path, Any], Way]] = {
    TORCH: _by_torch,
    SAVER: partial(_by_saver, background=False),
    BACKGROUND: partial(_by_saver, background=True),
    LIGHTNING: _by_lightning,
    DCP: _by_dcp,
}
