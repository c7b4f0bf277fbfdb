"""The benchmarks run and state sane figures; how fast they are is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_benchmark_states_its_figures_as_json():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "meter", "--repeats", "2", "--json"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert all(len(rounds) == 2 and min(rounds) > 0 for rounds in report["seconds"].values())
    against_torchmetrics = [goal for goal in report["goals"] if "MeanMetric" in goal["against"]]
    assert against_torchmetrics
    for goal in against_torchmetrics:
        median, low, high = goal["figure"]
        assert 0 < low <= median <= high
    thexp = [goal for goal in report["goals"] if "thexp" in goal["against"]]
    for goal in thexp:  # a peer that is not installed has no figure, never a zero
        assert goal["figure"] is None or goal["figure"][0] > 0


def test_an_unknown_benchmark_is_refused_with_those_that_exist():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "metre"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "metre" in done.stderr
