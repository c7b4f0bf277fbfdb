"""What was measured last: results.json holds it, RESULTS.md and growth.svg show it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from benchmarks import NAMES
from benchmarks.growth import drawn
from benchmarks.report import Report
from benchmarks.tables import markdown, summary
from thexp_pl.atomic import write_text

__all__ = ["SpoiltError", "keep", "kept", "page"]

FOLDER = Path(__file__).parent
_HEAD = """\
# Benchmarks

Made by `python -m benchmarks --write`, which measures all, or those that it names; `make bench`
prints the same tables. Times differ from machine to machine: read the figures, each the median over
rounds in which the cases ran in turn, with the smallest and the largest round beside it. A figure
is a ratio, or, where its goal says so, a difference. A peer that is not installed is absent.
[docs/benchmarks.md](../docs/benchmarks.md) says more.
"""
_PICTURE = "![How costs grow with their sizes](growth.svg)"


class SpoiltError(Exception):
    """What was kept cannot be read."""


def kept() -> dict[str, Report]:
    """Read what was measured last, of the benchmarks that there still are.

    Returns:
        The reports by name.

    Raises:
        SpoiltError: What was kept is not what `keep` writes.
    """
    path = FOLDER / "results.json"
    try:
        told = json.loads(path.read_text("utf-8"))
        reports = {name: Report.from_dict(one) for name, one in told.items() if name in NAMES}
        page(reports.values())
    except FileNotFoundError:
        return {}
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpoiltError(
            f"{path} is spoilt ({type(error).__name__}: {error}); take its last state from git,"
            " or delete it and measure all with --write"
        ) from error
    return reports


def keep(name: str, report: Report) -> None:
    """Put a report in the place of the last one of its name, and draw all anew.

    Args:
        name: Of the benchmark.
        report: What it measured.
    """
    now = kept() | {name: report}
    told = {each: now[each].to_dict() for each in sorted(now)}
    write_text(FOLDER / "results.json", json.dumps(told, indent=1) + "\n")
    reports = [now[each] for each in sorted(now)]
    write_text(FOLDER / "RESULTS.md", page(reports))
    write_text(FOLDER / "growth.svg", drawn(reports))


def page(reports: Collection[Report]) -> str:
    """Write reports as one Markdown page."""
    lines = [_HEAD, *summary(reports)]
    if any(report.growths for report in reports):
        lines += ["", _PICTURE]
    lines += [line for report in reports for line in markdown(report)]
    return "\n".join(lines) + "\n"
