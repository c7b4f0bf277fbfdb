"""What a run leaves behind; neither torch nor Lightning is needed.

Written by `Experiment`, read by what is in `thexp_pl.runs`; `paths` says where everything is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thexp_pl.record.experiment import Experiment as Experiment
    from thexp_pl.record.metrics import MetricColumns as MetricColumns
    from thexp_pl.record.metrics import read_history as read_history
    from thexp_pl.record.metrics import read_metrics as read_metrics

# Found when they are first used: a reader does without all that it takes to write.
_HOMES = {
    "Experiment": "experiment",
    "MetricColumns": "metrics",
    "read_history": "metrics",
    "read_metrics": "metrics",
}

__all__ = ["Experiment", "MetricColumns", "read_history", "read_metrics"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
