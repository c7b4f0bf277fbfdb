"""One run as the index tells of it: enough to list, choose and compare, without its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths

__all__ = ["BRING", "RunRow", "told_away"]

BRING = "with `thexp-pl export` there and `thexp-pl import` here"
_MOST_HOSTS = 3


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in short.

    Args:
        key: The run's key.
        experiment: The experiment's name.
        root: The experiment root, an absolute path.
        status: As `thexp_pl.record.status` judges it, or ``damaged``.
        started: When it started, seconds since 1970.
        seconds: How long it took; None while it runs and where that is not known.
        params: Its parameters, nested as recorded; `thexp_pl.runs.flat` gives dotted names.
        metrics: By name ``last``, ``min``, ``max``, ``mean``, ``count`` and ``nonfinite``; values
            that are not finite are floats too.
        tags: Its tags.
        notes: The texts of its notes, oldest first.
        command: The command that started it, as a shell takes it.
        code: The tree of its code snapshot; empty where there is none.
        commit: The commit of the user's own repository; empty where there is none.
        packages: A digest of all installed packages and their versions.
        python: Python's version.
        host: The machine's name.
        parent: The key of the run that it came from; empty where it began anew.
        sweep: The key of the sweep that it belongs to; empty for none.
        point: Its point's number in that sweep.
        damage: What is wrong with its manifest; empty where it is whole.
        away: The machine that has its files; empty where they can be read here.
    """

    key: str
    experiment: str
    root: Path
    status: str
    started: float
    seconds: float | None = None
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    code: str = ""
    commit: str = ""
    packages: str = ""
    python: str = ""
    host: str = ""
    parent: str = ""
    sweep: str = ""
    point: int | None = None
    damage: str = ""
    away: str = ""

    @property
    def place(self) -> RunPaths:
        """Where its files are, perhaps on another machine: to name them, never to open them."""
        return RunPaths(self.root, self.experiment, self.key)

    @property
    def paths(self) -> RunPaths:
        """The run's files.

        Raises:
            RecordError: They are on another machine.
        """
        if self.away:
            raise RecordError(
                f"the files of the run {shown(self.key)} are on {shown(self.away)} in"
                f" {shown(str(self.place.folder), 4096)}: run the command there, or bring the run"
                f" here {BRING}"
            )
        return self.place


def told_away(rows: Iterable[RunRow]) -> str:
    """Say how many runs have their files on other machines.

    Args:
        rows: Runs.

    Returns:
        The beginning of a sentence; empty where none has.

    >>> told_away([RunRow("k", "e", Path("/r"), "finished", 0.0, away="south")])
    "1 run whose files are on 'south'"
    """
    found = [row.away for row in rows if row.away]
    if not found:
        return ""
    hosts = sorted({*found})
    more = [f"{len(hosts) - _MOST_HOSTS} more"] if len(hosts) > _MOST_HOSTS else []
    places = ", ".join([*map(shown, hosts[:_MOST_HOSTS]), *more])
    return f"{'1 run' if len(found) == 1 else f'{len(found)} runs'} whose files are on {places}"
