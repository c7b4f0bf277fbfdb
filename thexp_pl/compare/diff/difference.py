"""All that differs between two runs, category by category."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from thexp_pl.compare.diff.chance import diff_random
from thexp_pl.compare.diff.change import Change, changes
from thexp_pl.compare.diff.code import CodeDifference, diff_code
from thexp_pl.compare.diff.command import command_changes
from thexp_pl.compare.diff.data import diff_data
from thexp_pl.compare.diff.environment import environment_changes, package_changes
from thexp_pl.compare.diff.histories import MetricsDifference, diff_metrics
from thexp_pl.compare.values import as_names
from thexp_pl.errors import RecordError, UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.runs.flat import flat
from thexp_pl.runs.run import Run

__all__ = ["CATEGORIES", "Difference", "diff_runs"]

_Changes: TypeAlias = tuple[Change, ...]


@dataclass(frozen=True)
class Difference:
    """What differs between two runs; it is false where nothing does.

    What differs between any two runs (key, times, process, console) and the place of the same
    project are no differences; tags, notes and how the runs ended are none either.

    Args:
        a: The first run.
        b: The second run.
        code: Its files and hunks.
        command: Script, arguments, options of Python, working directory within the project.
        params: By dotted name.
        packages: Versions by name.
        data: By path, what was declared with `Experiment.uses`.
        environment: Variables, Python, host, machine, devices.
        random: Seeds and the random states at the start.
        metrics: Summaries, and where the histories part.
        remarks: What could not be compared, and what differs and does not count: sentences without
            a full stop.
    """

    a: Run
    b: Run
    code: CodeDifference = field(default_factory=CodeDifference)
    command: _Changes = ()
    params: _Changes = ()
    packages: _Changes = ()
    data: _Changes = ()
    environment: _Changes = ()
    random: _Changes = ()
    metrics: MetricsDifference = field(default_factory=MetricsDifference)
    remarks: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of the categories that differ, in the order of `CATEGORIES`."""
        return tuple(name for name in CATEGORIES if getattr(self, name))

    def __bool__(self) -> bool:
        return bool(self.categories)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns:
            ``a`` and ``b`` (each ``key``, ``experiment``, ``root``); ``differs``; under each
            category that differs what differs, see `CodeDifference`, `MetricsDifference` and
            `Change`; ``metrics_agree`` (whether both have histories, the same bit for bit) and
            ``remarks``.
        """
        found: dict[str, Any] = {"a": _named(self.a), "b": _named(self.b), "differs": bool(self)}
        for name in self.categories:
            value = getattr(self, name)
            found[name] = (
                [change.to_dict() for change in value]
                if isinstance(value, tuple)
                else value.to_dict()
            )
        return {**found, "metrics_agree": self.metrics.agree, "remarks": list(self.remarks)}


def diff_runs(a: Run, b: Run, categories: str | Iterable[str] | None = None) -> Difference:
    """Compare two runs.

    Args:
        a: A run, as `ExperimentViewer.run` gives it.
        b: Another, of any root.
        categories: Those to compare, such as ``["params", "metrics"]``; by default all
            `CATEGORIES`.

    Returns:
        What differs.

    Raises:
        RecordError: A run's manifest is damaged.
        UsageError: There is no such category, or what is to be compared is no `Run`.
    """
    chosen = dict.fromkeys(CATEGORIES if categories is None else as_names(categories))
    for name in chosen:
        if name not in CATEGORIES:
            known = ", ".join(CATEGORIES)
            raise UsageError(
                f"there is no category {shown(name)}{near_miss(name, CATEGORIES)} ({known})"
            )
    for run in (a, b):
        if not isinstance(run, Run):
            raise UsageError(
                f"{shown(str(run))} is no run that can be compared: give what"
                " ExperimentViewer().run(key) gives"
            )
        if run.damage:
            raise RecordError(
                f"the run {shown(run.key)} cannot be compared: {run.damage}; choose another run"
            )
    found: dict[str, Any] = {}
    remarks: list[str] = []
    for name in chosen:
        found[name], told = CATEGORIES[name](a, b)
        remarks += told
    return Difference(a, b, **found, remarks=tuple(remarks))


def _param_changes(a: Run, b: Run) -> Iterable[Change]:
    return changes(flat(a.params), flat(b.params))


def _without_remarks(
    function: Callable[[Run, Run], Iterable[Change]],
) -> Callable[[Run, Run], tuple[Any, tuple[str, ...]]]:
    return lambda a, b: (tuple(function(a, b)), ())


# What is compared, in the order in which it is told.
CATEGORIES: dict[str, Callable[[Run, Run], tuple[Any, tuple[str, ...]]]] = {
    "code": diff_code,
    "command": _without_remarks(command_changes),
    "params": _without_remarks(_param_changes),
    "packages": _without_remarks(package_changes),
    "data": diff_data,
    "environment": _without_remarks(environment_changes),
    "random": diff_random,
    "metrics": diff_metrics,
}


def _named(run: Run) -> dict[str, str]:
    return {"key": run.key, "experiment": run.paths.experiment, "root": str(run.paths.root)}
