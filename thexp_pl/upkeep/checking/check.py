"""`check`: whether runs are as they were recorded, to the last byte that a hash was written of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thexp_pl.record.facts.hashing import ChangedError, hash_file, hash_folder
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.run import Run, read_run
from thexp_pl.upkeep.checking.code import check_code
from thexp_pl.upkeep.checking.faults import Fault
from thexp_pl.upkeep.checking.files import check_files

__all__ = ["Checked", "check"]


@dataclass
class Checked:
    """What a check found.

    Args:
        runs: How many runs were looked at.
        damaged: What is not what was recorded.
        gone: Files of runs that somebody has deleted, or left out of an archive.
        changed: Data outside of the runs that is no longer what they used.
        running: The keys of runs that still change, of which only manifest and code were checked.
    """

    runs: int = 0
    damaged: list[Fault] = field(default_factory=list)
    gone: list[Fault] = field(default_factory=list)
    changed: list[Fault] = field(default_factory=list)
    running: list[str] = field(default_factory=list)


def check(
    runs: Sequence[RunPaths], *, progress: Callable[[int, int], None] = lambda done, total: None
) -> Checked:
    """Check manifests, code, checkpoints, random states, metrics, journals and declared data.

    Args:
        runs: The runs.
        progress: Called with the steps done and their number.

    Returns:
        What was found.
    """
    found = Checked(len(runs))
    trees: dict[Path, dict[str, list[str]]] = {}
    steps = len(runs) + len({paths.root for paths in runs})
    for done, paths in enumerate(runs):
        progress(done, steps)
        run = read_run(paths)
        if run.damage:
            found.damaged.append(Fault(run.key, paths.manifest.name, run.damage))
            continue
        code = run.manifest["code"] or {}
        if code.get("how") == "git" and isinstance(code.get("tree"), str):
            trees.setdefault(paths.root, {}).setdefault(code["tree"], []).append(run.key)
        if run.status == "running":
            found.running.append(run.key)
            continue
        damaged, gone = check_files(run)
        found.damaged += damaged
        found.gone += gone
        found.changed += _changed_data(run)
    for done, root in enumerate(sorted({paths.root for paths in runs}), len(runs)):
        progress(done, steps)
        found.damaged += check_code(root, trees.get(root, {}))
    progress(steps, steps)
    return found


def _changed_data(run: Run) -> Iterator[Fault]:
    for used in run.manifest["uses"]:
        named, sha256 = used.get("path"), used.get("sha256")
        if used.get("state") != "hashed" or not isinstance(named, str) or "\0" in named:
            continue
        path = run.paths.root.resolve() / named
        reader = hash_folder if used.get("kind") == "folder" else hash_file
        try:
            if reader(path, lambda: False).sha256 != sha256:
                yield Fault(run.key, named, "it is not what the run used")
        except FileNotFoundError:
            yield Fault(run.key, named, "it is not there any more")
        except (OSError, ChangedError) as error:
            reason = getattr(error, "strerror", None) or "it changes"
            yield Fault(run.key, named, f"it cannot be read: {reason}")
