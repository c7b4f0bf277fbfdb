"""The data that two runs declared to use."""

from __future__ import annotations

import os
from typing import Any

from thexp_pl.compare.diff.change import Change
from thexp_pl.compare.diff.command import below, project_of
from thexp_pl.compare.values import MISSING, differ
from thexp_pl.runs.places import place
from thexp_pl.runs.run import Run

__all__ = ["data_in_project", "diff_data"]

_TOLD = ("kind", "state", "bytes", "files", "sha256")
_HASHED = ("hashed", "named")  # a URL is not read: its name is all there is


def diff_data(a: Run, b: Run) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Compare the data of two runs by content: the same file in another folder is the same.

    Args:
        a: A run.
        b: Another.

    Returns:
        The changes by path, and what could not be compared.
    """
    one, other = _declared(a), _declared(b)
    _pair_moved(one, other)
    found, unknown = [], []
    for path in {**one, **other}:
        left, right = one.get(path, MISSING), other.get(path, MISSING)
        if left is MISSING or right is MISSING or _differs(left, right):
            found.append(Change(path, left, right))
        elif left["state"] not in _HASHED or right["state"] not in _HASHED:
            states = " and ".join(dict.fromkeys((str(left["state"]), str(right["state"]))))
            unknown.append(f"the content of {path} is not known of both runs: it is {states}")
    return tuple(found), tuple(unknown)


def data_in_project(a: Run, b: Run) -> list[str]:
    """List the data that lies in the project of both runs, and whose content is known of both.

    Such files may be in the snapshots too, and are not code for that.

    Args:
        a: A run.
        b: Another.

    Returns:
        The files and folders as seen from the project.
    """
    one, other = _hashed_in_project(a), _hashed_in_project(b)
    return sorted(one & other)


def _hashed_in_project(run: Run) -> set[str]:
    project = project_of(run)
    found = set()
    for path, entry in _declared(run).items():
        full = place(run, path)
        if entry["state"] == "hashed" and full is not None and project is not None:
            found.add(below(full, project))
    return {path for path in found if path is not None and path != "." and _is_name(path)}


def _is_name(path: str) -> bool:
    """Say whether a file can have this name, whoever wrote it."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _declared(run: Run) -> dict[str, dict[str, Any]]:
    return {
        str(entry.get("path")): {part: entry.get(part) for part in _TOLD}
        for entry in run.manifest["uses"]
    }


def _pair_moved(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> None:
    """Take out what only its place tells apart."""
    contents = {_content(other[path]): path for path in other if path not in one}
    for path in [path for path in one if path not in other]:
        moved = contents.pop(_content(one[path]), None) if one[path]["sha256"] else None
        if moved is not None:
            del one[path], other[moved]


def _content(entry: dict[str, Any]) -> str:
    return repr([entry[part] for part in ("kind", "bytes", "files", "sha256")])


def _differs(one: dict[str, Any], other: dict[str, Any]) -> bool:
    for part in ("kind", "bytes", "files", "sha256"):
        known = [entry[part] for entry in (one, other) if entry[part] is not None]
        if len(known) == 2 and differ(known):
            return True
    return bool((one["state"] == "unreadable") != (other["state"] == "unreadable"))
