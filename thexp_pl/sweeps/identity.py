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
) -> str:
    """Give the hash by which a command on some code is known.

    Args:
        tree: The tree of the code.
        words: What all points share.
        names: The options that vary, in any order.
        folder: The working directory as seen from the project.
        study: Of a search its settings; sampler, pruner and storage make no other.

    Returns:
        64 hexadecimal digits.
    """
    searched = None if study is None else {name: study.get(name) for name in _OF_A_STUDY}
    told = json.dumps([tree, list(words), sorted(names), folder, searched], sort_keys=True)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def other_code(sweep: Sweep) -> str:
    """Say which sweep the same command has made on other code, and in which files that differs.

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
            f"{other.key} ({done} of {len(points)} done) is this command on other code"
            f"{_difference(sweep, other.tree)}"
        )
    return ""  # it is damaged


def _other(sweep: Sweep) -> Sweep | None:
    others = []
    for folder in sweeps_of(sweep.paths.root).glob("sweep-*"):
        with contextlib.suppress(RecordError):
            found = read_sweep(SweepFolder(sweep.paths.root, folder.name))
            same = identity_of(found.tree, sweep.words, sweep.names, sweep.folder, sweep.study)
            if found.identity == same != sweep.identity:
                others.append(found)
    return max(others, key=lambda other: other.created, default=None)


def _difference(sweep: Sweep, tree: str) -> str:
    try:
        git = Store(sweep.paths.root).git(sweep.paths.folder)
        told = git("diff-tree", "-r", "--name-only", "--no-renames", "-z", tree, sweep.tree)
    except RecordError:  # that code was dropped, as by `thexp-pl gc`
        return ""
    names = [shown(os.fsdecode(name)) for name in told.split(b"\0") if name]
    more = [f"{len(names) - _MAX_NAMED} more"] if len(names) > _MAX_NAMED else []
    return f": {', '.join(names[:_MAX_NAMED] + more)} differ{'s' if len(names) == 1 else ''}"
