"""A sweep that is only tried out: its points and their commands, or the space of a search."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

from rich.table import Table

from thexp_pl.cli.output.tables import cell, console
from thexp_pl.record.names import escaped

if TYPE_CHECKING:
    from thexp_pl.cli.sweep_plan import Plan
    from thexp_pl.sweeps.point import Point
    from thexp_pl.sweeps.search import SearchSettings

__all__ = ["command_of", "print_points"]


def print_points(plan: Plan, *, as_json: bool) -> None:
    """Print points and commands.

    Args:
        plan: The sweep; of a search, which has no points yet, what it would search.
        as_json: Print one object for machines.
    """
    if plan.search is not None:
        _print_search(plan, plan.search, as_json=as_json)
        return
    if as_json:
        points = [
            {
                "number": point.number,
                "values": dict(point.values),
                "digest": point.digest,
                "command": command_of(plan, point),
            }
            for point in plan.points
        ]
        _print_json({"names": list(plan.names), "points": points})
        return
    table = Table(box=None, pad_edge=False)
    for title in ("point", *plan.names):
        table.add_column(cell(title), no_wrap=True)
    for point in plan.points:
        values = [cell(point.values.get(name, "")) for name in plan.names]
        table.add_row(str(point.number), *values)
    with console() as screen:
        screen.print(table)
    sys.stdout.write("\n")
    for point in plan.points:
        sys.stdout.write(f"{escaped(command_of(plan, point))}\n")


def _print_search(plan: Plan, search: SearchSettings, *, as_json: bool) -> None:
    if as_json:
        told = {name: value for name, value in search.told().items() if name != "space"}
        space = {"trials": plan.trials, "space": dict(search.ranges), "command": command_of(plan)}
        _print_json({"names": list(plan.names), **told, **space})
        return
    ranges = ", ".join(f"{name} in {text}" for name, text in search.ranges.items())
    told_of = f"{search.metric} ({search.direction}), sampler {search.sampler}"
    pruner = "" if search.pruner == "none" else f", pruner {search.pruner}"
    line = f"search: {plan.trials} trials, {ranges}; {told_of}{pruner}"
    sys.stdout.write(f"{escaped(line)}\n{escaped(command_of(plan))}\n")


def _print_json(told: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(told, indent=2)}\n")


def command_of(plan: Plan, point: Point | None = None) -> str:
    """Give the command of one point, as a shell takes it.

    Args:
        plan: The sweep.
        point: The point; None for what all points share.
    """
    program = "thexp-pl" if plan.words[0] == "fit" else "python"
    return shlex.join([program, *plan.words, *(() if point is None else point.words())])
