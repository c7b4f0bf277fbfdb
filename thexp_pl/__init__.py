"""thexp_pl: every PyTorch Lightning run recorded and saved.

The public names are loaded when they are first used (PEP 562): ``import thexp_pl`` imports neither
torch nor Lightning.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import near_miss

if TYPE_CHECKING:  # for type checkers and editors; at run time `__getattr__` does it
    from thexp_pl import calculate as calculate
    from thexp_pl import data as data
    from thexp_pl import notebook as notebook
    from thexp_pl import rnd as rnd
    from thexp_pl.cli.lightning_cli import ThexpCLI as ThexpCLI
    from thexp_pl.cli.sweep_call import sweep as sweep
    from thexp_pl.console import Logger as Logger
    from thexp_pl.data import DataBundler as DataBundler
    from thexp_pl.errors import ThexpError as ThexpError
    from thexp_pl.globvars import globs as globs
    from thexp_pl.loggers import RunLogger as RunLogger
    from thexp_pl.meter import AvgMeter as AvgMeter
    from thexp_pl.meter import Meter as Meter
    from thexp_pl.params import BaseParams as BaseParams
    from thexp_pl.params import Params as Params
    from thexp_pl.record import Experiment as Experiment
    from thexp_pl.report import Reporter as Reporter
    from thexp_pl.report.board import BoardPlotter as BoardPlotter
    from thexp_pl.report.board import Plotter as Plotter
    from thexp_pl.rnd import RndManager as RndManager
    from thexp_pl.runs import ExperimentViewer as ExperimentViewer
    from thexp_pl.saver import Saver as Saver
    from thexp_pl.saver import StateFolder as StateFolder
    from thexp_pl.saver import checkpoint_path as checkpoint_path
    from thexp_pl.trainer import Trainer as Trainer

__version__ = "0.1.0"

# public name -> the module that owns it; a module that is itself public names nothing. No module
# has a public object's name: importing it would put the module in the object's place.
_HOMES = {
    "AvgMeter": "meter",
    "BaseParams": "params",
    "BoardPlotter": "report.board",
    "DataBundler": "data",
    "Experiment": "record",
    "ExperimentViewer": "runs",
    "Logger": "console",
    "Meter": "meter",
    "Params": "params",
    "Plotter": "report.board",
    "Reporter": "report",
    "RndManager": "rnd",
    "RunLogger": "loggers",
    "Saver": "saver",
    "StateFolder": "saver",
    "ThexpCLI": "cli.lightning_cli",
    "ThexpError": "errors",
    "Trainer": "trainer",
    "calculate": "",
    "checkpoint_path": "saver",
    "data": "",
    "globs": "globvars",
    "notebook": "",
    "rnd": "",
    "sweep": "cli.sweep_call",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module 'thexp_pl' has no {name!r}{near_miss(name, _HOMES)}"
        raise AttributeError(message, name="")  # a name would make Python append its own guess
    home = _HOMES[name]
    module = importlib.import_module(f"thexp_pl.{home or name}")
    value = getattr(module, name) if home else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
