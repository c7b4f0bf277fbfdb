"""What runs need to be restored: the trees of their code, and the checkpoints they went on from."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_bytes
from thexp_pl.errors import CheckpointError
from thexp_pl.record.journal import read_journal
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.run import read_run
from thexp_pl.saver.names import kind_of, sidecar_path
from thexp_pl.saver.sidecar import read_sidecar

__all__ = ["Needs", "Origin", "checkpoint_files", "needed_files", "needs_of"]

_MAX_BYTES = 64 << 20
_TREE = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
_GOING_ON = ("resume", "resumed", "load")
_SUFFIXES = (".ckpt", ".pth", ".pt")


@dataclass(frozen=True)
class Origin:
    """A checkpoint that a run went on from.

    Args:
        key: The run that wrote it; empty where that is not known.
        paths: Where it may have been, absolute; none where no file was recorded.
        sha256: Its hash; empty where that was not recorded.
    """

    key: str
    paths: frozenset[str]
    sha256: str


@dataclass(frozen=True)
class Needs:
    """What a run needs.

    Args:
        trees: The trees of its code, and whatever else in its record looks like one.
        origins: The checkpoints.
        damage: Why more may be needed than is known; empty where all is known.
    """

    trees: frozenset[str]
    origins: tuple[Origin, ...]
    damage: str = ""


def needs_of(paths: RunPaths) -> Needs:
    """Read what a run needs; of a damaged one, what can still be read.

    Args:
        paths: The run, kept or in the trash.

    Returns:
        Its needs.
    """
    run = read_run(paths)
    damage = run.damage
    trees: set[str] = set()
    for file in (paths.manifest, paths.journal):
        with contextlib.suppress(OSError, ValueError):  # told below, or by `run.damage`
            trees.update(map(bytes.decode, _TREE.findall(read_bytes(file, limit=_MAX_BYTES))))
    code = run.manifest.get("code") or {}
    if isinstance(code.get("tree"), str):
        trees.add(code["tree"])
    events: list[dict[str, Any]] = []
    try:
        events = read_journal(paths.journal)
        if paths.journal.exists() and paths.journal.stat().st_size > _MAX_BYTES:
            trees.update(_trees_in(events))
    except OSError as error:
        damage = damage or f"its journal cannot be read: {error.strerror or error}"
    parent = run.manifest.get("parent") or {}
    found = [] if parent.get("how") == "reproduced" and "checkpoint" not in parent else [parent]
    found += [event for event in events if event["event"] in _GOING_ON]
    origins = (_origin(paths, facts) for facts in found)
    return Needs(frozenset(trees), tuple(filter(None, origins)), damage)


def needed_files(
    trashed: RunPaths, home: RunPaths, origins: Iterable[Origin], *, all_of_them: bool
) -> set[Path]:
    """Say which files of a removed run other runs still need.

    Args:
        trashed: The run as it lies in the trash.
        home: Where it was.
        origins: What the runs that stay went on from.
        all_of_them: Take every checkpoint as needed, since not all needs are known.

    Returns:
        The files, with the sidecars beside them. Where a run that went on from this one does not
        say from which file, or from none that is there, every checkpoint.
    """
    if trashed.folder.is_symlink():  # the files stay where the link leads
        return set()
    files = checkpoint_files(trashed.folder)
    needed: set[Path] = set()
    folder = Path(os.path.realpath(home.root), home.experiment, home.key)
    for origin in origins:
        found = _named(trashed.folder, folder, origin) | _hashed(files, origin.sha256)
        if not found and origin.key == home.key:
            all_of_them = True
        needed |= found
    if all_of_them:
        needed.update(files)
    return needed | {beside for file in needed if (beside := sidecar_path(file)).is_file()}


def checkpoint_files(folder: Path) -> list[Path]:
    """List the checkpoints, keypoints and models in a run's folder.

    Args:
        folder: The folder.

    Returns:
        The files, sorted; those in checkpoints that are folders too.
    """
    found = []
    for at, _, names in os.walk(folder):
        is_in_one = any(part.endswith(_SUFFIXES) for part in Path(at).relative_to(folder).parts)
        found += [Path(at, name) for name in names if is_in_one or name.endswith(_SUFFIXES)]
    return sorted(found)


def _trees_in(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        yield from map(bytes.decode, _TREE.findall(repr(event).encode()))


def _origin(paths: RunPaths, facts: dict[str, Any]) -> Origin | None:
    key = next((facts[name] for name in ("key", "run") if isinstance(facts.get(name), str)), "")
    named = [facts[name] for name in ("checkpoint", "path") if isinstance(facts.get(name), str)]
    places = {
        os.path.realpath(os.path.join(base, text))  # noqa: PTH118 - an absolute text stays
        for text in named
        if text and "\0" not in text
        for base in (paths.root, *paths.root.parents[1:2], paths.folder)  # or that of its trash
    }
    sha256 = facts.get("sha256")
    if not key and not places:
        return None
    own = os.path.join(os.path.realpath(paths.folder), "")  # noqa: PTH118 - a final separator
    if key == paths.key and all(place.startswith(own) for place in places):
        return None  # its own go and stay with it
    return Origin(key, frozenset(places), sha256 if isinstance(sha256, str) else "")


def _named(trashed: Path, home: Path, origin: Origin) -> set[Path]:
    found: set[Path] = set()
    for place in origin.paths:
        if Path(place).is_relative_to(home) and Path(place) != home:
            there = trashed / Path(place).relative_to(home)
            if there.is_dir():
                found.update(path for path in there.rglob("*") if path.is_file())
            elif there.is_file():
                # of a link such as `last.ckpt`, what it leads to as well
                found |= {there, Path(os.path.realpath(there))}
    return found


def _hashed(files: Iterable[Path], sha256: str) -> set[Path]:
    found = set()
    for file in files if sha256 else ():
        if kind_of(file.name):
            with contextlib.suppress(CheckpointError):
                record = read_sidecar(file).record
                if record is not None and record.sha256 == sha256:
                    found.add(file)
    return found
