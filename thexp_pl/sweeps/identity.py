"""What makes two submissions the same sweep, and which other one the same command has made."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.code.store import Store
from thexp_pl.record.names import shown
from thexp_pl.record.sweep_folder import SweepFolder, sweeps_of
from thexp_pl.sweeps.standing import standing
from thexp_pl.sweeps.sweep import Sweep, read_points, read_sweep

__all__ = ["identity_of", "other_code"]

_OF_A_STUDY = ("space", "metric", "direction")
_MAX_NAMED = 3


def identity_of(
    tree: str,
    words: Sequence[str],
    names: Iterable[str],
    folder: str,
    study: Mapping[str, Any] | None,
    files: Mapping[str, str],
) -> str:
    """Give the hash by which a command on some code is known.

    Args:
        tree: The tree of the code.
        words: What all points share.
        names: The options that vary, in any order.
        folder: The working directory as seen from the project.
        study: Of a search its settings; sampler, pruner and storage make no other.
        files: The hashes of the configuration files, by their paths.

    Returns:
        64 hexadecimal digits.
    """
    searched = None if study is None else {name: study.get(name) for name in _OF_A_STUDY}
    parts = [tree, list(words), sorted(names), folder, searched, dict(files)]
    told = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def other_code(sweep: Sweep) -> str:
    """Say which sweep the same command has made on other code or configuration, and what differs.

    Args:
        sweep: The sweep.

    Returns:
        One line on the newest such sweep; empty where there is none, and once a process of the
        sweep itself was ever started.
    """
    if any(sweep.paths.told(0).parent.glob("*.json")):
        return ""
    other = _other(sweep)
    if other is None:
        return ""
    with contextlib.suppress(RecordError):
        points = read_points(other)
        done = sum(state.is_done for state in standing(other, points).values())
        return (
            f"{other.key} ({done} of {len(points)} done) is this command"
            f" {'with other configuration' if other.tree == sweep.tree else 'on other code'}"
            f"{_difference(sweep, other)}"
        )
    return ""  # it is damaged


def _other(sweep: Sweep) -> Sweep | None:
    others = []
    for folder in sweeps_of(sweep.paths.root).glob("sweep-*"):
        with contextlib.suppress(RecordError):
            found = read_sweep(SweepFolder(sweep.paths.root, folder.name))
            rest = (sweep.words, sweep.names, sweep.folder, sweep.study)
            same = identity_of(found.tree, *rest, found.files)
            if found.identity == same != sweep.identity:
                others.append(found)
    return max(others, key=lambda other: other.created, default=None)


def _difference(sweep: Sweep, other: Sweep) -> str:
    names = [os.fsdecode(name) for name in _changed_code(sweep, other.tree)]
    files = [name for name in sweep.files if sweep.files[name] != other.files.get(name)]
    told = [shown(name) for name in dict.fromkeys([*names, *files])]
    if not told:
        return ""
    more = [f"{len(told) - _MAX_NAMED} more"] if len(told) > _MAX_NAMED else []
    return f": {', '.join(told[:_MAX_NAMED] + more)} differ{'s' if len(told) == 1 else ''}"


def _changed_code(sweep: Sweep, tree: str) -> list[bytes]:
    try:
        git = Store(sweep.paths.root).git(sweep.paths.folder)
        told = git("diff-tree", "-r", "--name-only", "--no-renames", "-z", tree, sweep.tree)
    except RecordError:  # that code was dropped, as by `thexp-pl gc`
        return []
    return [name for name in told.split(b"\0") if name]
