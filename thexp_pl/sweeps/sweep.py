"""`Sweep`: what was submitted, as it lies on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from thexp_pl.atomic import write_json
from thexp_pl.record.append import AppendFile
from thexp_pl.record.sweep_files import SCHEMA, read_point_facts, read_submitted
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.point import Point

__all__ = ["Sweep", "add_points", "read_points", "read_sweep", "write_sweep"]


@dataclass(frozen=True)
class Sweep:
    """What was submitted once, and stays.

    Args:
        paths: Its files.
        identity: The hash of the code, the configuration files, the fixed words and the names that
            vary: the same command on the same of these goes on with the same sweep.
        created: When, ISO 8601 with its offset.
        command: The command that submitted it, as a shell takes it.
        words: The words of ``thexp-pl`` that all points share, ``fit`` first.
        names: The options that vary.
        folder: The working directory as seen from the project, ``"."`` for the project itself.
        facts: What a run's manifest tells of its origin, as it was at submission: ``code``,
            ``git``, ``packages``, ``editable``, ``environment``, ``cwd``, ``python``.
        study: Of a search its settings, see `thexp_pl.sweeps.search`; None of a grid.
        files: The hashes of the configuration files that were kept, by their paths: in the project
            as seen from there, else absolute.
    """

    paths: SweepFolder
    identity: str
    created: str
    command: str
    words: tuple[str, ...]
    names: tuple[str, ...]
    folder: str = "."
    facts: Mapping[str, Any] = field(default_factory=dict)
    study: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The sweep's key."""
        return self.paths.key

    @property
    def tree(self) -> str:
        """The tree of its code in the root's store."""
        return str(self.facts["code"]["tree"])


def write_sweep(sweep: Sweep) -> None:
    """Write what was submitted; its folder is there.

    Args:
        sweep: The sweep.

    Raises:
        OSError: It cannot be written.
    """
    told = {name: value for name, value in asdict(sweep).items() if name != "paths"}
    write_json(sweep.paths.manifest, {"schema": SCHEMA, "key": sweep.key, **told})


def read_sweep(paths: SweepFolder) -> Sweep:
    """Read what was submitted.

    Args:
        paths: The sweep's files.

    Returns:
        The sweep.

    Raises:
        RecordError: Its file is missing, damaged or of a later release.
    """
    told = read_submitted(paths)
    return Sweep(paths, **{**told, "words": tuple(told["words"]), "names": tuple(told["names"])})


def add_points(sweep: Sweep, points: Iterable[Point]) -> None:
    """Append points to a sweep, all of them or none.

    Args:
        sweep: The sweep; one process at a time adds to it.
        points: The points, whose numbers follow those that are there.

    Raises:
        OSError: They cannot be written.
    """
    lines = [json.dumps({**asdict(point), "values": dict(point.values)}) for point in points]
    file = AppendFile(sweep.paths.points)
    try:
        file.append("".join(f"{line}\n" for line in lines).encode())
    finally:
        file.close()


def read_points(sweep: Sweep) -> list[Point]:
    """Read the points of a sweep.

    Args:
        sweep: The sweep.

    Returns:
        The points in the order of their numbers; a torn last line is passed over.

    Raises:
        RecordError: A whole line of them is damaged, or they cannot be read.
    """
    return [Point(**told) for told in read_point_facts(sweep.paths)]
