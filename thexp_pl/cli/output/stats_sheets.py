"""Statistics of repeated runs as tables of texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from thexp_pl.cli.output.compare_sheets import cell_texts
from thexp_pl.cli.output.digits import fixed_text, interval_text, mean_text, single_text
from thexp_pl.cli.output.sheet import Sheet, csv_text, markdown_text, value_texts
from thexp_pl.compare.stats import Group, Summary
from thexp_pl.compare.values import MISSING, or_missing

__all__ = ["groups_sheet", "pairs_sheet", "summary_csv", "summary_markdown"]

_MOST_SEEDS = 8
_NAMES = {"paired": "paired t", "welch": "Welch's t"}


def groups_sheet(summary: Summary) -> Sheet:
    """Write the groups for people: of each metric a row a group.

    Args:
        summary: The statistics.

    Returns:
        The table.
    """
    names = _names(summary)
    titles = ["metric", "group", *names, "n", "mean ± std", _interval(summary), "min", "max"]
    told = [
        cell_texts(n, [group.values.get(n, MISSING) for group in summary.groups]) for n in names
    ]
    rows = []
    for title in summary.metrics:
        for place, group in enumerate(summary.groups):
            measured = group.metrics[title]
            sample = measured.sample
            rows.append(
                [
                    title,
                    str(group.number),
                    *(texts[place] for texts in told),
                    str(sample.n),
                    mean_text(sample),
                    interval_text(measured.interval, sample.std),
                    *(single_text(value, sample.std) for value in (sample.min, sample.max)),
                ]
            )
            if summary.seed:
                rows[-1].append(_seeds(group))
    whole = frozenset(place for place, title in enumerate(titles) if place > 1 + len(names))
    return Sheet([*titles, *(["seeds"] if summary.seed else [])], rows, names=2, whole=whole)


def pairs_sheet(summary: Summary) -> Sheet:
    """Write the tests for people: a row a test.

    Args:
        summary: The statistics.

    Returns:
        The table; without rows where there are no tests.
    """
    titles = ["metric", "groups", "test", "n", "difference", _interval(summary)]
    titles += ["t", "df", "p", "p (Holm)", "g"]
    rows = []
    for test in summary.tests:
        first, second = test.n
        width = (test.high - test.low) / 2
        rows.append(
            [
                test.metric,
                "{} - {}".format(*test.groups),
                _NAMES[test.kind],
                f"{first} pairs" if test.kind == "paired" else f"{first}, {second}",
                fixed_text(test.difference, width),
                interval_text((test.low, test.high), width),
                *(f"{value:.4g}" for value in (test.t, test.df)),
                *(f"{value:.2g}" for value in (test.p, test.p_holm)),
                "-" if test.hedges_g is None else f"{test.hedges_g:.2f}",
            ]
        )
    return Sheet(titles, rows, names=3, whole=frozenset(range(3, len(titles))))


def summary_markdown(summary: Summary) -> str:
    """Write statistics as a page's tables, with what has to be said beneath.

    Args:
        summary: The statistics.

    Returns:
        Markdown.
    """
    parts = [markdown_text(groups_sheet(summary))]
    if summary.tests:
        parts.append(markdown_text(pairs_sheet(summary)))
    said = [*(f"Warning: {text}." for text in summary.warnings)]
    said += [f"{text[:1].upper()}{text[1:]}." for text in summary.notes]
    if said:
        from thexp_pl.record.names import escaped

        parts.append("".join(f"- {escaped(text)}\n" for text in said))
    return "\n".join(parts)


def summary_csv(summary: Summary) -> str:
    """Write the groups for machines: a row a metric and group, numbers in full precision.

    Args:
        summary: The statistics; the tests between groups are in their JSON.

    Returns:
        The lines.
    """
    names = _names(summary)
    numbers = ("n", "mean", "std", "low", "high", "min", "max")
    titles = ["metric", "group", *names, *numbers, "diverged", "missing", "seeds", "keys"]
    rows: list[list[Any]] = []
    for title in summary.metrics:
        for group in summary.groups:
            found = group.metrics[title].to_dict()
            rows.append([title, group.number, *(group.values.get(n, MISSING) for n in names)])
            rows[-1] += [or_missing(found[name]) for name in (*numbers, "diverged", "missing")]
            rows[-1] += [list(group.seeds), list(group.keys)]
    return csv_text(titles, rows)


def _interval(summary: Summary) -> str:
    percent = (Decimal(repr(summary.confidence)) * 100).normalize()
    return f"{percent:f}% interval"


def _names(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for group in summary.groups for name in group.values))


def _seeds(group: Group) -> str:
    seeds = value_texts(group.seeds[:_MOST_SEEDS])
    more = len(group.seeds) - len(seeds)
    return ", ".join(seeds) + (f" and {more} more" if more else "")
