"""Submitting a plan and running it: what the command and `thexp_pl.sweep` share."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import put
from thexp_pl.cli.sweep_configuration import configuration_of
from thexp_pl.record.names import escaped
from thexp_pl.sweeps.driver import DONE, drive
from thexp_pl.sweeps.engines import engine_of
from thexp_pl.sweeps.identity import other_code
from thexp_pl.sweeps.source import ListSource, Source
from thexp_pl.sweeps.standing import standing
from thexp_pl.sweeps.submission import check_open, held, submit
from thexp_pl.sweeps.summary import Listener, Summary
from thexp_pl.sweeps.sweep import Sweep, read_points

if TYPE_CHECKING:
    from thexp_pl.cli.sweep_plan import Plan

__all__ = ["run_plan"]


def run_plan(plan: Plan, arguments: argparse.Namespace) -> tuple[Sweep, Summary]:
    """Submit a sweep, or find the one that the same command made, and run what is missing of it.

    Args:
        plan: What it is to do.
        arguments: The sweep's own options, as the command line has them.

    Returns:
        The sweep, and where it stands.

    Raises:
        UsageError: The engine cannot run anything; nothing was submitted then.
        RecordError: The sweep cannot be written, or another process works on it.
    """
    from thexp_pl.cli.output.sweep_table import sweep_listener
    from thexp_pl.record.folders import as_root

    root = as_root(arguments.exps_dir)
    with contextlib.closing(engine_of(arguments.engine, _engine_options(arguments))) as engine:
        engine.check(root)
        sweep = _submitted(root, plan)
        if told := other_code(sweep):
            sys.stderr.write(f"note: {told}\n")
        with held(sweep), sweep_listener(sweep) as listener:
            source = _source(sweep, plan, listener)
            is_done = _announce(sweep, source, arguments)
            summary = drive(
                sweep,
                source,
                engine,
                retries=arguments.retries,
                fail_fast=arguments.fail_fast,
                listener=listener,
            )
    _tell_end(sweep, summary, is_done=is_done)
    return sweep, summary


def _submitted(root: Path, plan: Plan) -> Sweep:
    check_open(plan.words, plan.points)  # those of a search too, whose ranges are written down
    return submit(
        root,
        plan.words,
        plan.names,
        () if plan.search else plan.points,
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        study=None if plan.search is None else plan.search.told(),
        files=configuration_of(plan),
    )


def _engine_options(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("jobs", "gpus_per_run", "min_free_memory", "cpus_per_run", "address", "slurm")
    return {name: getattr(arguments, name) for name in names}


def _source(sweep: Sweep, plan: Plan, listener: Listener) -> Source:
    """Give the points of this command, which need not be all that the sweep has."""
    if plan.search is not None:
        from thexp_pl.sweeps.search import StudySource

        return StudySource(sweep, plan.search, plan.trials, plan.digest, listener.said)
    points = {point.digest: point for point in read_points(sweep)}
    return ListSource([points[point.digest] for point in plan.points])


def _announce(sweep: Sweep, source: Source, arguments: argparse.Namespace) -> bool:
    """Say what is about to run; whether all of it has run before."""
    states = standing(sweep, source.points).values()
    done = sum(state.status in DONE for state in states)
    counted = "1 point" if source.total == 1 else f"{source.total} points"
    before = f" ({done} done before)" if done else ""
    jobs = f", -j {arguments.jobs or 1}" if arguments.engine == "local" else ""
    put(f"sweep: {sweep.key}, {counted}{before}, engine {arguments.engine}{jobs}")
    sys.stdout.flush()
    return done == source.total


def _tell_end(sweep: Sweep, summary: Summary, *, is_done: bool) -> None:
    put(f"all {summary.total} points are done" if is_done else f"sweep: {summary.text}")
    if summary.done:
        put(f"look:  thexp-pl list {sweep.key}")
        put(f"       thexp-pl {_next(sweep)}")


def _next(sweep: Sweep) -> str:
    """Give the command that compares what came out."""
    if sweep.study is None:
        return f"stats {sweep.key}"
    best_first = ["--reverse"] if sweep.study["direction"] == "max" else []
    words = ["compare", sweep.key, "--sort", str(sweep.study["metric"]), *best_first]
    return escaped(shlex.join(words))
