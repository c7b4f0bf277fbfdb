"""`Params`: what every training run has."""

from __future__ import annotations

import importlib
import sys

from thexp_pl.params.base import BaseParams
from thexp_pl.params.values import Unread

__all__ = ["PROGRESS_NAMES", "Params"]

PROGRESS_NAMES = frozenset({"eidx", "idx", "global_step"})


def _default_device() -> str:
    if "torch" not in sys.modules and _is_cpu_build():
        return "cpu"  # without the seconds that importing torch takes
    try:
        torch = importlib.import_module("torch")
    except ImportError:  # reading records needs no torch
        return "cpu"
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def _is_cpu_build() -> bool:
    from importlib import metadata

    try:
        return metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return False


class Params(BaseParams):
    """Parameters of a training run, with epoch, device and the progress already there.

    `eidx` (epoch, from 1), `idx` (batch, from 0) and `global_step` (batches, from 0) are progress:
    the trainer writes them; they are no flags and count neither for equality nor for the hash.

    Source: thexp's ``Params``.

    Args:
        epoch: Number of epochs to train.
        device: Where to train, as torch names it; found out when it is first read: 'cuda:0' where
            there is one, else 'cpu'.

    >>> params = Params()
    >>> params.device = "cpu"
    >>> params.batch_size = 25
    >>> params
    Params[('epoch', 10),
     ('eidx', 1),
     ('idx', 0),
     ('global_step', 0),
     ('device', 'cpu'),
     ('batch_size', 25)]
    """

    def __init__(self) -> None:
        super().__init__()
        device = Unread(_default_device, "cuda:0 where there is one, else cpu")
        defaults = {"epoch": 10, "eidx": 1, "idx": 0, "global_step": 0, "device": device}
        for name, value in defaults.items():
            if name not in self:  # a mixin may have come first
                self[name] = value

    def is_progress(self, name: str) -> bool:
        """Say whether a name holds progress: `eidx`, `idx` or `global_step`."""
        return name in PROGRESS_NAMES
