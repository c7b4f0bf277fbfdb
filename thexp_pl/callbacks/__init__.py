"""Lightning Callbacks, one a file.

Each works in a plain ``pl.Trainer(callbacks=[...])`` where that makes sense, and by
``.hook(trainer)`` in the facade Trainer.
"""

from thexp_pl.callbacks.eval import EvalCallback
from thexp_pl.callbacks.experiment import ExperimentCallback
from thexp_pl.callbacks.logger import LoggerCallback
from thexp_pl.callbacks.meter import MeterCallback
from thexp_pl.callbacks.rnd import RndCallback
from thexp_pl.callbacks.saver import SaverCallback

__all__ = [
    "EvalCallback",
    "ExperimentCallback",
    "LoggerCallback",
    "MeterCallback",
    "RndCallback",
    "SaverCallback",
]
