"""`Plan`: what a sweep is to do, checked, before anything is written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.sweep_points import named, points_of, script_digest
from thexp_pl.cli.sweep_words import Given, given_words, placed_value, refuse_name
from thexp_pl.errors import UsageError
from thexp_pl.sweeps.grid import grid_points
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.values import read_values

if TYPE_CHECKING:
    from thexp_pl.sweeps.search import SearchSettings

__all__ = ["Plan", "planned"]

_SEARCH = ("sampler", "trials", "metric", "direction", "pruner", "storage")
_ROOT = "./experiment"
Digest = Callable[[Mapping[str, str]], str]


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do.

    Args:
        words: The words that all points share, ``fit`` or a script first.
        names: The options that vary.
        points: The points of a grid; of a search those that were checked.
        digest: Gives the digest of the values of a point, and refuses what cannot be meant.
        search: The settings of a search; None of a grid.
        trials: How many points a search is to have.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    points: tuple[Point, ...]
    digest: Digest
    search: SearchSettings | None = None
    trials: int = 0


def planned(arguments: argparse.Namespace) -> Plan:
    """Make the plan of a command.

    Args:
        arguments: As `thexp_pl.cli.commands.sweep.run_sweep` has them.

    Returns:
        The plan, whose points have been checked.

    Raises:
        UsageError: A point or an option cannot be used as given.
    """
    from thexp_pl.record.code import find_project

    if arguments.json and not arguments.dry_run:
        raise UsageError("--json prints the points of --dry_run; give both")
    for name, least in (("jobs", 1), ("retries", 0)):
        count = getattr(arguments, name)
        if count is not None and count < least:
            raise UsageError(f"--{name}={count}: give {least} or more")
    project = find_project()
    given = given_words(arguments.words, project)
    if arguments.exps_dir is None:
        arguments.exps_dir = _told_root(given) or _ROOT
    if any(getattr(arguments, name) is not None for name in _SEARCH):
        return _search(given, arguments)
    return _grid(given, arguments, project)


def _told_root(given: Given) -> str | None:
    """Give the root of a configuration file or a variable, which `fit` takes too."""
    from thexp_pl.cli.given import given_by

    return None if given.is_script else given_by(given.words({})).text("exps_dir")


def _rows(given: Given, path: Path, project: Path | None) -> list[dict[str, str]]:
    """Read a file of points, and see that each option in it may be a point's own."""
    from thexp_pl.sweeps.points_file import points_of_file

    rows = points_of_file(path)
    for number, row in enumerate(rows):
        try:
            for name, value in row.items():
                if name == "config" and not given.is_script:
                    raise UsageError(
                        "--config is for all points: give it on the command line, and here the"
                        " options that vary"
                    )
                refuse_name(name, value, is_script=given.is_script)
                row[name] = placed_value(name, value, project, is_script=given.is_script)
        except UsageError as error:
            raise UsageError(f"--points: {named(Point(number, row), error)}") from None
    return rows


def _grid(given: Given, arguments: argparse.Namespace, project: Path | None) -> Plan:
    rows = None
    if arguments.points is not None:
        rows = _rows(given, Path(arguments.points), project)
    fixed, grid = grid_points(given.options, rows, zipped=arguments.zip)
    if not grid.names:
        what = "the script alone" if given.is_script else "`thexp-pl fit`"
        raise UsageError(
            f"nothing varies, and {what} does one run: give a list such as --seed=0..4, or --points"
        )
    words = given.words(fixed)
    digest, check = _checks(given, words, fixed, arguments.own)
    points = points_of(grid, digest)
    if len(points) < grid.count:
        sys.stderr.write(
            f"note: {grid.count - len(points)} of {grid.count} points are the same as others, and"
            " left out\n"
        )
    check(points)
    return Plan(tuple(words), grid.names, tuple(points), digest)


def _search(given: Given, arguments: argparse.Namespace) -> Plan:
    from thexp_pl.sweeps.search import SearchSettings, check_storage, read_space

    if arguments.points is not None or arguments.zip:
        raise UsageError("a search chooses its points: leave --points and --zip out")
    if arguments.trials is None or arguments.trials < 1:
        given_by_user = next(name for name in _SEARCH if getattr(arguments, name) is not None)
        raise UsageError(
            f"--{given_by_user} is for a search, which needs to know how many points it may try:"
            " give --trials, 1 up"
        )
    space = read_space(given.options)
    ranges = {name: given.options[name] for name in given.options if name in space.dimensions}
    fixed = {
        name: read_values(name, text)[0]
        for name, text in given.options.items()
        if name not in ranges
    }
    words = given.words(fixed)
    asked = {name: getattr(arguments, name) for name in _SEARCH if name != "trials"}
    options: dict[str, Any] = {name: text for name, text in asked.items() if text is not None}
    settings = SearchSettings(**{"metric": "", **options}, ranges=ranges, seed=_seed(fixed))
    digest, check = _checks(given, words, fixed, arguments.own)
    points = points_of(space.extremes(), digest)
    check(points)
    check_storage(settings)
    return Plan(tuple(words), tuple(ranges), tuple(points), digest, settings, arguments.trials)


def _seed(fixed: Mapping[str, str]) -> int:
    text = fixed.get("seed", fixed.get("seed_everything", ""))
    return int(text) if text.isascii() and text.isdigit() else 0


def _checks(
    given: Given, words: list[str], fixed: Mapping[str, str], own: Iterable[str]
) -> tuple[Digest, Callable[[Iterable[Point]], None]]:
    """Give what makes the digests of points, and what checks points as a whole."""
    if given.is_script:  # it alone knows its flags
        shared = [word for word in given.order if word.startswith("-")]
        return script_digest(given.command, fixed, shared), lambda points: None
    from thexp_pl.cli.sweeping import FitPoints  # imports torch and Lightning

    checked = FitPoints(words, tuple(own))
    return checked.digest, checked.check
