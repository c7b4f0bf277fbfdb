"""`thexp_pl.sweep`: the command's work, from Python."""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thexp_pl.cli.sweep_naming import class_word
from thexp_pl.cli.sweep_plan import Plan
from thexp_pl.cli.sweep_points import points_of, values_text
from thexp_pl.errors import ParamsError, RecordError, UsageError
from thexp_pl.params import BaseParams
from thexp_pl.params.plain import canonical, shown, to_plain
from thexp_pl.params.values import Unread
from thexp_pl.record.rerun import current
from thexp_pl.runs.run import Run

__all__ = ["sweep"]

_FLAGS = ("seed", "exp_name")  # of `fit`, where the class has no such parameter


def sweep(
    trainer_class: type,
    grid: Iterable[BaseParams],
    *,
    root: str | os.PathLike[str] = "./experiment",
    jobs: int | None = None,
    engine: str = "local",
    retries: int = 0,
    fail_fast: bool = False,
    gpus_per_run: float | None = None,
    min_free_memory: str | None = None,
    cpus_per_run: float | None = None,
    address: str | None = None,
    slurm: Mapping[str, Any] | None = None,
) -> list[Run]:
    """Train a facade Trainer once for each point of a grid, as ``thexp-pl sweep`` does.

    Each point is a process ``thexp-pl fit`` of its own, in the code as it is now; the same call
    again goes on with what is missing. A script that calls it does so below
    ``if __name__ == "__main__":``, for these processes import it.

    Args:
        trainer_class: A `thexp_pl.Trainer` subclass, at the top of a module or of a script.
        grid: The points, such as ``params.grid_search("optim.lr", [0.1, 0.01])``.
        root: The experiment root.
        jobs: How many run at a time; None: one on this machine, and as many as Ray or SLURM has
            room for.
        engine: ``"local"``, ``"ray"`` or ``"slurm"``.
        retries: How often a point that failed is tried again.
        fail_fast: Stop all once a point has failed for good.
        gpus_per_run: GPUs that each run has for itself; on Ray a part of one too.
        min_free_memory: Start a run where so much is free, such as ``"8GB"``.
        cpus_per_run: Cores of a run, on Ray and SLURM.
        address: A Ray cluster that is there.
        slurm: What submitit takes, such as ``{"timeout_min": 60, "partition": "gpu"}``.

    Returns:
        The run of each point, in their order, also of those that failed.

    Raises:
        UsageError: The class cannot be named, a value cannot be given as a flag, or a point or an
            option is refused.
        RecordError: The sweep cannot be written, another process works on it, or a point has come
            to no run.
        KeyboardInterrupt: It was interrupted; the same call goes on.

    Source: thexp's ``grid_search``, whose points it had the user run one after the other.
    """
    told = current()
    if told is not None and told.sweep:
        raise UsageError(
            "sweep was called in a run of a sweep, which imports the script: call it below"
            ' `if __name__ == "__main__":`'
        )
    for name, count, least in (("jobs", 1 if jobs is None else jobs, 1), ("retries", retries, 0)):
        if type(count) is not int or count < least:
            raise UsageError(f"{name}={count!r}: give a whole number, {least} or more")
    plan, order = _plan(trainer_class, _points(grid))
    arguments = argparse.Namespace(
        exps_dir=root,
        engine=engine,
        jobs=jobs,
        retries=retries,
        fail_fast=fail_fast,
        gpus_per_run=None if gpus_per_run is None else str(gpus_per_run),
        min_free_memory=min_free_memory,
        cpus_per_run=None if cpus_per_run is None else str(cpus_per_run),
        address=address,
        slurm=[f"{name}={_word(value)}" for name, value in (slurm or {}).items()],
    )
    return _runs(plan, order, arguments)


def _word(value: Any) -> str:
    """Write an option of the engine as it is typed: a list or a mapping as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _points(grid: Any) -> list[BaseParams]:
    if isinstance(grid, BaseParams):
        raise UsageError(
            "sweep takes the points of a grid, and these Params are one: give"
            ' params.grid_search("optim.lr", [0.1, 0.01])'
        )
    try:
        points = list(grid)
    except TypeError:
        raise UsageError(
            f"a grid is a list of Params, and {shown(grid)} is none: give"
            ' params.grid_search("optim.lr", [0.1, 0.01])'
        ) from None
    if not points:
        raise UsageError("the grid holds no point: give grid_search at least one value")
    for point in points:
        if not isinstance(point, BaseParams):
            raise UsageError(f"a point of the grid is a {type(point).__name__}: give Params")
    return points


def _plan(trainer_class: Any, points: Sequence[BaseParams]) -> tuple[Plan, list[str]]:
    """Make the plan, and give the digest of each point in their order."""
    named = class_word(trainer_class)
    from thexp_pl.cli.sweeping import FitPoints, plain_settings  # imports torch and Lightning

    defaults = trainer_class.params_class()()
    typed = [_typed(point, defaults) for point in points]
    names = list(dict.fromkeys(name for own in typed for name in own))
    for own, point in zip(typed, points, strict=True):
        own.update({name: _text(point, defaults, name) for name in names if name not in own})
    fixed = [name for name in names if len({own[name] for own in typed}) == 1]
    has_new = any(name not in defaults and name not in _FLAGS for name in names)
    shared = [f"--{name}={typed[0][name]}" for name in fixed]
    words = [*(["--allow_new"] if has_new else []), *shared]
    checked = FitPoints(["fit", *words], facade=trainer_class)
    grid = [{name: own[name] for name in own if name not in fixed} for own in typed]
    for values, own, point in zip(grid, typed, points, strict=True):
        _compare(checked.settings(values) or {}, plain_settings(point), own)
    made = points_of(grid, checked.digest)
    checked.check(made)
    order = [checked.digest(values) for values in grid]
    varied = tuple(name for name in names if name not in fixed)
    shared = ["fit", f"--trainer_class={named}", *words]
    return Plan(tuple(shared), varied, tuple(made), checked.digest), order


def _typed(point: BaseParams, defaults: BaseParams) -> dict[str, str]:
    """Give what differs from the defaults, by name as it is typed."""
    own, known = _stored(point), _stored(defaults)
    gone = next((name for name in known if name not in own and name not in point), None)
    if gone is not None:
        raise UsageError(f"{gone}: no flag takes a parameter away; leave it in the grid's Params")
    typed = {}
    for name, value in own.items():
        is_same = name in known and _same(value, known[name], name)
        if not is_same and not isinstance(value, Unread):
            typed[name] = _text(point, defaults, name)
    if point.has_exp_name():
        typed["exp_name"] = point.get_exp_name()
    return typed


def _stored(params: BaseParams) -> dict[str, Any]:
    return {name: value for name, value in params.flat().items() if not params.is_progress(name)}


def _same(value: Any, default: Any, name: str) -> bool:
    if isinstance(value, Unread) or isinstance(default, Unread):
        return isinstance(value, Unread) and isinstance(default, Unread)
    try:
        return bool(to_plain(value, name) == to_plain(default, name))
    except ParamsError:
        return type(value) is type(default)  # an object that the class makes in each process


def _text(point: BaseParams, defaults: BaseParams, name: str) -> str:
    """Write a value as it is typed."""
    if name == "exp_name":
        return point.get_exp_name()
    value = point.stored(name)
    try:
        plain = to_plain(value, name)
    except ParamsError as error:
        raise UsageError(f"a sweep gives its points as flags, and {error}") from None
    if isinstance(plain, str):
        is_text = name in defaults and isinstance(defaults.stored(name), (str, Unread))
        return plain if is_text else repr(plain)
    return repr(plain)


def _compare(read: Mapping[str, Any], meant: Mapping[str, Any], typed: Mapping[str, str]) -> None:
    """See that the flags of a point make the Params that were meant."""
    for name in {**meant, **read}:
        is_flag = name in _FLAGS and name not in read
        if not is_flag and canonical(read.get(name)) != canonical(meant.get(name)):
            raise UsageError(
                f"{name}: {shown(meant.get(name))} does not come back from its flag"
                f" --{name}={typed.get(name, '')}, which reads as {shown(read.get(name))}; give a"
                " number, a text or a list"
            )


def _runs(plan: Plan, order: Sequence[str], arguments: argparse.Namespace) -> list[Run]:
    from thexp_pl.cli.sweep_running import run_plan
    from thexp_pl.sweeps.standing import standing
    from thexp_pl.sweeps.sweep import read_points

    swept, summary = run_plan(plan, arguments)
    if summary.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if summary.signal:
        raise SystemExit(summary.exit_code)
    points = {point.digest: point for point in read_points(swept)}
    states = standing(swept, [points[digest] for digest in order])
    runs = []
    for point in (points[digest] for digest in order):
        run = states[point.number].run
        if run is None:
            raise RecordError(
                f"point {point.number} ({values_text(point.values)}) has come to no run:"
                f" {states[point.number].reason or 'nothing is known'}; see"
                f" {swept.paths.log(point.number)}"
            )
        runs.append(run)
    return runs
