"""A report as tables: at a terminal by rich, and as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Collection

from benchmarks.report import Goal, Report, digits, shown

__all__ = ["NOISY", "markdown", "notes", "print_report", "summary"]

NOISY = 0.15  # of a fixed piece of work between its first and its ninth decile
_TIMES = ("case", "median", "least", "most")
_RATIOS = ("case", "against", "figure", "rounds", "goal", "")
_SUMMARY = ("question", "held", "missed", "absent", "rounds", "noise", "date", "machine")


def print_report(report: Report) -> None:
    """Print a report as tables of rich's."""
    from rich.console import Console
    from rich.table import Table

    times, ratios = Table(*_TIMES, title=report.title), Table(*_RATIOS)
    for row in _times(report):
        times.add_row(*row)
    for row in _ratios(report):
        ratios.add_row(*row)
    console = Console(width=120)
    console.print(times, *([ratios] if report.goals else []))
    for line in notes(report):
        console.print(line)


def markdown(report: Report) -> list[str]:
    """Write a report as a section of a Markdown page; give its lines."""
    lines = ["", f"## {report.title}", "", *_table(_TIMES, "---:", _times(report))]
    if report.goals:
        lines += ["", *_table(_RATIOS, "---", _ratios(report))]
    for line in notes(report):
        lines += ["", line]
    return lines


def summary(reports: Collection[Report]) -> list[str]:
    """Write a line of a Markdown table for each report, and the machines below it."""
    places = list(dict.fromkeys(report.where for report in reports))
    rows = [_counts(report, places.index(report.where) + 1) for report in reports]
    lines = _table(_SUMMARY, "---:", rows)
    for number, place in enumerate(places, 1):
        lines += ["", f"Machine {number}: {place}."]
    return lines


def notes(report: Report) -> list[str]:
    """Say in sentences what no table shows."""
    lines = [report.why] if report.why else []
    for growth in report.growths:
        power = report.exponent(growth)
        if power is not None:
            few, many = sorted(growth.cases)[-2:]
            worse = ": worse than linear" if power > 1.1 else ""
            lines.append(
                f"{growth.name} grows from {few:,} to {many:,} {growth.of} by the power"
                f" {power:.2f}{worse}."
            )
    if report.noise > NOISY and report.unit == "s":  # sizes stay where times vary
        lines.append(
            f"Noisy: a fixed piece of work varied by {report.noise:.0%} meanwhile; measure again on"
            " a quieter machine."
        )
    return lines


def _table(head: tuple[str, ...], aligned: str, rows: list[tuple[str, ...]]) -> list[str]:
    """Write a table whose other columns are aligned alike."""
    rule = ["---", *[aligned] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _counts(report: Report, machine: int) -> tuple[str, ...]:
    verdicts = [_verdict(report, goal) for goal in report.goals]
    ends = [verdict[-1] or verdict[0] for verdict in verdicts]
    counted = (str(ends.count(word)) for word in _SUMMARY[1:4])
    rounds = sorted({len(values) for values in report.values.values()})
    span = " to ".join(str(each) for each in dict.fromkeys(rounds[:1] + rounds[-1:]))
    return (report.title, *counted, span, f"{report.noise:.0%}", report.date, str(machine))


def _times(report: Report) -> list[tuple[str, ...]]:
    rows = [
        (case, *(shown(each, report.unit) for each in (statistics.median(v), min(v), max(v))))
        for case, v in report.values.items()
    ]
    return [*rows, *((name, "absent", "", "") for name in dict.fromkeys(report.absent))]


def _ratios(report: Report) -> list[tuple[str, ...]]:
    return [(goal.case, goal.against, *_verdict(report, goal)) for goal in report.goals]


def _verdict(report: Report, goal: Goal) -> tuple[str, ...]:
    found, text = report.figure(goal), goal.text(report.unit)
    if found is None:
        return "absent", "", text, ""
    median, low, high = found
    held = "held" if median <= goal.limit else "missed"
    return digits(median), f"{digits(low)} .. {digits(high)}", text, held
