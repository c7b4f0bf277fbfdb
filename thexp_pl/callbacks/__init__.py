"""Lightning Callbacks, one a file.

Each works in a plain ``pl.Trainer(callbacks=[...])`` where that makes sense, and by
``.hook(trainer)`` in the facade Trainer. `BaseCallback` and `TrainCallback`, for callbacks in
thexp's style, are for the facade alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thexp_pl.callbacks.auto_report import AutoReport
from thexp_pl.callbacks.base import BaseCallback, TrainCallback
from thexp_pl.callbacks.board import BoardCallback
from thexp_pl.callbacks.cuda_error_hold import CUDAErrorHold
from thexp_pl.callbacks.eval import EvalCallback
from thexp_pl.callbacks.experiment import ExperimentCallback
from thexp_pl.callbacks.key_error_save import KeyErrorSave
from thexp_pl.callbacks.logger import LoggerCallback
from thexp_pl.callbacks.meter import MeterCallback
from thexp_pl.callbacks.notebook import NotebookCallback
from thexp_pl.callbacks.pruning import PruningCallback
from thexp_pl.callbacks.rnd import RndCallback
from thexp_pl.callbacks.saver import SaverCallback
from thexp_pl.callbacks.timing_checkpoint import TimingCheckpoint

if TYPE_CHECKING:
    from thexp_pl.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint

__all__ = [
    "AutoReport",
    "BaseCallback",
    "BoardCallback",
    "CUDAErrorHold",
    "EvalCallback",
    "ExperimentCallback",
    "KeyErrorSave",
    "LoggerCallback",
    "MeterCallback",
    "ModelCheckpoint",
    "NotebookCallback",
    "PruningCallback",
    "RndCallback",
    "SaverCallback",
    "TimingCheckpoint",
    "TrainCallback",
]


def __getattr__(name: str) -> Any:
    # Lightning has a class of that name, which a command line finds by the name alone for as long
    # as there is no other
    if name == "ModelCheckpoint":
        from thexp_pl.callbacks.model_checkpoint import ModelCheckpoint

        return ModelCheckpoint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
