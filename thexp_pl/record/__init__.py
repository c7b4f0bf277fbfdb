"""What a run leaves behind, and reading it back; neither torch nor Lightning is needed.

Written by `Experiment`, read by `ExperimentViewer`; `paths` says where everything is.
"""

from __future__ import annotations

from thexp_pl.record.experiment import Experiment
from thexp_pl.record.metrics import MetricColumns, read_metrics
from thexp_pl.record.viewer import ExperimentViewer

__all__ = ["Experiment", "ExperimentViewer", "MetricColumns", "read_metrics"]
