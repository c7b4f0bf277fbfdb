"""Cheap runs with code and checkpoints, and time that passes at once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from record_code_helpers import tree_of

from thexp_pl.record import Experiment
from thexp_pl.record.code import export_tree, take_snapshot
from thexp_pl.record.paths import RunPaths, code_store
from thexp_pl.record.sealed import write_sealed
from thexp_pl.saver.sidecar import Record, Sidecar

DAY = 86400.0


def record(root: Path, name: str = "digits", **params: Any) -> RunPaths:
    """Record a run without code."""
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        exp.log_metrics(0, 0, {"loss": 0.5})
    return exp.paths


def change(paths: RunPaths, **facts: Any) -> None:
    """Change entries of a run's manifest."""
    manifest = json.loads(paths.manifest.read_text())
    write_sealed(paths.manifest, manifest | facts)


def with_code(root: Path, project: Path, name: str = "digits") -> RunPaths:
    """Record a run with a snapshot of a project."""
    paths = record(root, name)
    change(paths, code=take_snapshot(project, root))
    return paths


def tree_in(paths: RunPaths) -> str:
    """Name the tree of a run's code."""
    return str(json.loads(paths.manifest.read_text())["code"]["tree"])


def add_checkpoint(paths: RunPaths, content: bytes = b"weights", epoch: int = 1) -> Path:
    """Write a checkpoint with the sidecar that a Saver would write, without torch."""
    file = paths.folder / "modules" / f"0{epoch:06d}.ckpt"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    facts = Record(
        "checkpoint", epoch, None, 0, len(content), sha256, paths.key, 1, {}, "2026-01-01", None
    )
    file.with_name(file.name + ".json").write_bytes(Sidecar({}, facts).encode())
    return file


def went_on_from(child: RunPaths, parent: RunPaths, file: Path | None = None) -> None:
    """Have a run's manifest say that it went on from another."""
    origin = {"key": parent.key, "how": "resumed"}
    if file is not None:
        origin["checkpoint"] = os.path.relpath(file, child.root)
    change(child, parent=origin)


def make_old(root: Path, *, refs: bool = True) -> None:
    """Set the times of all objects of a root's store, and of its refs, to three days ago."""
    then = time.time() - 3 * DAY
    for name in ("objects", "refs") if refs else ("objects",):
        for at, _, files in os.walk(code_store(root) / name):  # unlike `rglob`, it bears changes
            for file in files:
                with contextlib.suppress(FileNotFoundError):  # a process at work has renamed it
                    os.utime(Path(at, file), (then, then))


def restored(root: Path, tree: str, aside: Path) -> dict[bytes, tuple[str, bytes]]:
    """Write the code of a run out and read it."""
    target = aside / f"restored-{os.urandom(4).hex()}"
    export_tree(root, tree, target)
    return tree_of(target)


def listing(folder: Path) -> dict[str, bytes | str]:
    """Read all that is in a folder: contents of files, targets of links."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found
