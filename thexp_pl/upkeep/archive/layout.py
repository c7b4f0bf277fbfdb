"""The table of contents of an archive, and the names that may stand in it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.names import check_experiment_name, shown

__all__ = [
    "CODE",
    "FORMAT",
    "RUNS",
    "TABLE",
    "VERSION",
    "ArchivedRun",
    "File",
    "Link",
    "Table",
    "name_fault",
    "stays_inside",
]

FORMAT = "thexp_pl runs"
VERSION = 1
TABLE, CODE, RUNS = "thexp_pl.json", "code.pack", "runs"
_MAX_NAME_BYTES = 4000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TREE = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class File:
    """A file of the archive.

    Args:
        path: Its name in the archive.
        bytes: Its size.
        sha256: Its hash.
        program: Whether it can be executed.
    """

    path: str
    bytes: int
    sha256: str
    program: bool = False


@dataclass(frozen=True)
class Link:
    """A symbolic link in a run's folder; it is in the table alone.

    Args:
        path: Its name, as a file's.
        target: Where it leads, within the run's folder.
    """

    path: str
    target: str


@dataclass(frozen=True)
class ArchivedRun:
    """A run of the archive.

    Args:
        experiment: The experiment's name.
        key: The run's key.
        trees: The trees of its code that the archive holds.
    """

    experiment: str
    key: str
    trees: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of its files begin with."""
        return f"{RUNS}/{self.experiment}/{self.key}/"


@dataclass(frozen=True)
class Table:
    """All that an archive holds.

    Args:
        runs: The runs.
        files: The files, those of the runs and the pack.
        links: The symbolic links.
    """

    runs: tuple[ArchivedRun, ...]
    files: tuple[File, ...]
    links: tuple[Link, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give what is written.

        Returns:
            JSON values.
        """
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, value: Any) -> Table:
        """Read a table that may be hostile.

        Args:
            value: JSON values.

        Returns:
            The table; each name in it stays where it belongs, and there is none twice.

        Raises:
            RecordError: It is no such table.
        """
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise RecordError(f"it has no {TABLE} of thexp_pl")
        if value.get("version") != VERSION:
            raise RecordError(
                f"it is of version {shown(str(value.get('version')))}, and this thexp_pl reads"
                f" {VERSION}: update thexp_pl"
            )
        try:
            runs = [
                ArchivedRun(one["experiment"], one["key"], tuple(one["trees"]))
                for one in value["runs"]
            ]
            files = [File(**one) for one in value["files"]]
            table = cls(tuple(runs), tuple(files), tuple(Link(**one) for one in value["links"]))
            _check(table)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise RecordError(f"its {TABLE} is damaged: {str(error)[:300]}") from error
        return table


def name_fault(path: str) -> str:
    """Say why a name cannot be one in an archive.

    Args:
        path: The name.

    Returns:
        The reason; empty where there is none.

    >>> name_fault("runs/digits/26-11-22-061138-k3f9/run.json")
    ''
    >>> name_fault("runs/../run.json")
    "it has the part '..'"
    """
    if "\\" in path or "\0" in path:
        return "it holds a backslash or a NUL"
    try:
        if len(path.encode()) > _MAX_NAME_BYTES:
            return "it is too long"
    except UnicodeEncodeError:
        return "it is no text in UTF-8"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return f"it has the part {part!r}"
        if len(part.encode()) > 255:
            return "a part of it is too long"
    return ""


def stays_inside(path: str, target: str) -> bool:
    """Say whether a symbolic link leads to a place in its run's folder, by its name.

    Where none of the folders in its name is a link, and all links of the run are such, that holds
    whatever the target goes through.

    Args:
        path: The link, as seen from the run's folder.
        target: Where it leads.

    Returns:
        Whether it does: ``..`` stands at its beginning only, and no more often than there are
        folders above the link.

    >>> stays_inside("modules/last.ckpt", "0000003.ckpt"), stays_inside("a/b", "../../c")
    (True, False)
    """
    if target.startswith("/") or "\\" in target or "\0" in target or not target:
        return False
    parts = target.split("/")
    up = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return up <= len(PurePosixPath(path).parts) - 1 and ".." not in parts[up:]


def _check(table: Table) -> None:
    for run in table.runs:
        for name in (run.experiment, run.key):
            check_experiment_name(name)
            if name_fault(name):
                raise ValueError(f"{shown(name)}: {name_fault(name)}")
        if not all(isinstance(tree, str) and _TREE.fullmatch(tree) for tree in run.trees):
            raise ValueError("a tree is no hash")
    prefixes = [run.prefix for run in table.runs]
    if len(set(prefixes)) < len(prefixes):
        raise ValueError("it names a run twice")
    for file in table.files:
        is_sound = type(file.bytes) is int and file.bytes >= 0 and isinstance(file.program, bool)
        if not is_sound or not _SHA256.fullmatch(file.sha256):
            raise ValueError(f"{shown(str(file.path))} has no size or no hash")
    names = [*(file.path for file in table.files), *(link.path for link in table.links)]
    if len(set(names)) < len(names):
        raise ValueError("it names a file twice")
    _check_names(names, set(prefixes))
    for link in table.links:
        inner = "/".join(link.path.split("/")[3:])
        if not stays_inside(inner, link.target):
            raise ValueError(f"the link {shown(link.path)} leads out of its run")


def _check_names(names: list[str], owners: set[str]) -> None:
    for name in names:
        # of "runs/<experiment>/<key>/..."; the pack alone stands outside
        owner = "/".join(name.split("/")[:3]) + "/"
        if name != CODE and (owner not in owners or name_fault(name)):
            raise ValueError(f"{shown(name)} is no file of its runs: {name_fault(name)}")
    # Below a link a name would mean another place, and a link there another depth.
    parts = sorted(name.split("/") for name in names)
    for above, below in pairwise(parts):  # what is below a name comes next to it
        if below[: len(above)] == above:
            name, top = "/".join(below), "/".join(above)
            raise ValueError(f"{shown(name)} is below {shown(top)}, which is no folder")
