"""What a run leaves behind; neither torch nor Lightning is needed.

Written by `Experiment`, read by what is in `thexp_pl.runs`; `paths` says where everything is.
"""

from __future__ import annotations

from thexp_pl.record.experiment import Experiment
from thexp_pl.record.metrics import MetricColumns, read_metrics

__all__ = ["Experiment", "MetricColumns", "read_metrics"]
