"""``thexp-pl sweep``: many runs of one command."""

from __future__ import annotations

import argparse
from typing import Any

from thexp_pl.cli.commands.common import add_command

__all__ = ["ENGINES", "add_parsers", "run_sweep"]

ENGINES = ("local", "ray", "slurm")


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "sweep",
        run_sweep,
        "train at many points: all combinations of lists, a file of points, or a search",
        "All options of fit are taken as well (thexp-pl fit --help), and each may hold a list, as"
        " in --optim.lr=0.1,0.01, or a range, as in --seed=0..4; a script that records a run may"
        " stand in the place of fit. The code is kept once, when the sweep is submitted; the same"
        " command again goes on with what is missing.",
    )
    parser.usage = "thexp-pl sweep [SWEEP OPTIONS] [SCRIPT] [--NAME=VALUE,VALUE,... ...]"
    _add_points(parser)
    _add_running(parser)
    _add_engines(parser)
    _add_search(parser)


def _add_points(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Points")
    group.add_argument("--zip", action="store_true", help="the lists go together, not crossed")
    group.add_argument(
        "--points", metavar="FILE", help="points from a YAML list of mappings, or a CSV with names"
    )
    group.add_argument(
        "--fit.*", dest="fit", metavar="VALUE", help="an option of fit that sweep has as well"
    )
    group.add_argument(
        "--sweep.*",
        dest="sweep",
        metavar="VALUE",
        help="an option of sweep that the Params have as well",
    )
    group.add_argument(
        "--dry_run", action="store_true", help="print the points and their commands, do nothing"
    )
    group.add_argument("--json", action="store_true", help="with --dry_run: JSON for machines")


def _add_running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Running")
    group.add_argument(
        "--exps_dir", metavar="DIR", help="the folder for runs; default: ./experiment"
    )
    group.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=_whole,
        help="how many run at a time; default: 1, of ray and slurm what there is room for",
    )
    group.add_argument(
        "--retries", metavar="N", type=_whole, default=0, help="try what failed N times more"
    )
    group.add_argument(
        "--fail_fast", action="store_true", help="stop all once a point has failed for good"
    )
    group.add_argument("--gpus_per_run", metavar="N", help="GPUs that each run has for itself")
    group.add_argument(
        "--min_free_memory", metavar="SIZE", help="start a run where so much is free, such as 8GB"
    )


def _add_engines(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Engines")
    group.add_argument(
        "--engine", choices=ENGINES, default="local", help="where they run; default: local"
    )
    group.add_argument("--cpus_per_run", metavar="N", help="of ray and slurm: cores of a run")
    group.add_argument("--address", metavar="ADDRESS", help="of ray: a cluster that is there")
    group.add_argument(
        "--slurm.*",
        dest="slurm",
        metavar="VALUE",
        action="append",
        default=[],
        help="of slurm: what submitit takes, such as --slurm.partition=gpu",
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Search")
    group.add_argument("--sampler", metavar="NAME", help="who suggests points: tpe or random")
    group.add_argument("--trials", metavar="N", type=_whole, help="how many points there are to be")
    group.add_argument("--metric", metavar="NAME", help="the metric that is to become good")
    group.add_argument("--direction", metavar="SIDE", help="max or min; by the metric's name")
    group.add_argument(
        "--pruner", metavar="NAME", help="who ends poor runs early: median, hyperband or none"
    )
    group.add_argument("--storage", metavar="URL", help="a database that keeps the study")


def _whole(text: str) -> int:
    """Read a whole number.

    Args:
        text: What is typed.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no whole number; a parameter that is called so is given as --fit.NAME="
        ) from None


def run_sweep(arguments: argparse.Namespace) -> int:
    """Submit a sweep and run it, or print its points.

    Args:
        arguments: What the command line gave; ``words``, those of the command that is run, and
            ``own``, the names of the sweep's own options that were typed.

    Returns:
        0 where all points are done; 1 where some have failed; 128 plus the signal that stopped it.

    Raises:
        UsageError: A point, an option or the engine cannot be used as given.
        RecordError: The sweep cannot be written, or another process works on it.
    """
    from thexp_pl.cli.sweep_plan import planned

    plan = planned(arguments)
    if arguments.dry_run:
        from thexp_pl.cli.output.sweep_points import print_points
        from thexp_pl.sweeps.submission import check_open

        check_open(plan.words, plan.points)
        print_points(plan, as_json=arguments.json)
        return 0
    from thexp_pl.cli.sweep_running import run_plan

    return run_plan(plan, arguments)[1].exit_code
