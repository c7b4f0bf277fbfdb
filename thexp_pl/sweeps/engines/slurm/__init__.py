"""The SLURM engine: the points of a sweep as jobs that submitit submits."""

from __future__ import annotations

from thexp_pl.sweeps.engines.slurm.engine import SlurmEngine

__all__ = ["SlurmEngine"]
