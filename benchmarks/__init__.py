"""Benchmarks: ``python -m benchmarks meter``; each prints ratios measured in one run.

A benchmark is a module ``bench_NAME.py`` with a function ``report`` that takes a
`benchmarks.harness.Scale` and returns a `benchmarks.report.Report`. The libraries compared with are
listed in ``peers.txt`` and ``trackers.txt``; one that is not installed is reported as absent.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["NAMES"]

NAMES = tuple(sorted(path.stem[6:] for path in Path(__file__).parent.glob("bench_*.py")))
