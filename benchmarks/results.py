"""RESULTS.md: what was measured, where and with which versions."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version

from benchmarks.harness import Report

_PACKAGES = ("thexp-pl", "torch", "pytorch-lightning", "torchmetrics", "numpy", "thexp")


def markdown(reports: Iterable[Report]) -> str:
    """Write the reports as one Markdown page.

    Args:
        reports: What was measured in this run.

    Returns:
        The page.
    """
    lines = [
        "# Benchmarks",
        "",
        "Made by `python -m benchmarks --write`; `make bench` prints the same tables. Times differ",
        "from machine to machine: read the figures, each the median over rounds in which the cases",
        "ran in turn, with the smallest and the largest round beside it. A figure is a ratio, or,",
        "where its goal says so, a difference in milliseconds.",
        "",
        f"{date.today().isoformat()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs, one of them used; Python {platform.python_version()}, "
        + ", ".join(_versions()),
    ]
    for report in reports:
        lines += ["", f"## {report.title}", "", *_times(report), "", *_ratios(report)]
    return "\n".join(lines) + "\n"


def _versions() -> Iterable[str]:
    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} absent"


def _times(report: Report) -> list[str]:
    rows = ["| case | median us | min us | max us |", "|---|---:|---:|---:|"]
    for case, seconds in report.seconds.items():
        spread = (statistics.median(seconds), min(seconds), max(seconds))
        rows.append(f"| {case} | " + " | ".join(f"{value * 1e6:.2f}" for value in spread) + " |")
    return rows + [f"| {name} | absent | | |" for name in report.absent]


def _ratios(report: Report) -> list[str]:
    rows = ["| case | against | figure | rounds | goal | |", "|---|---|---:|---|---|---|"]
    for goal in report.goals:
        found = report.figure(goal)
        if found is None:
            rows.append(f"| {goal.case} | {goal.against} | absent | | {goal.text} | |")
            continue
        median, low, high = found
        verdict = "held" if median <= goal.limit else "missed"
        spread = f"{low:.4f} .. {high:.4f}"
        rows.append(
            f"| {goal.case} | {goal.against} | {median:.4f} | {spread} | {goal.text} | {verdict} |"
        )
    return rows
