"""Taking up a run that has ended, to go on with it in its own folder."""

from __future__ import annotations

import contextlib
import itertools
import math
from datetime import datetime
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.folders import rank_places, record_error
from thexp_pl.record.journal import read_journal
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.paths import ProcessPaths, RankPaths, RunPaths
from thexp_pl.record.process import process_identity
from thexp_pl.record.sealed import write_sealed
from thexp_pl.record.status import ENDED, compute_status

__all__ = ["take_up"]


def take_up(paths: RunPaths) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a run that has ended this process's own; of several that try at once, one does.

    Its start, its command and its random states stay. What the earlier attempt left of its end
    is kept under other names.

    Args:
        paths: The run.

    Returns:
        Its manifest as it is written now, and what is known of the earlier attempt: ``process``,
        ``status``, ``cause``, ``end`` and ``seconds``, and ``code``, the tree that it ran. The
        seconds are those of all earlier attempts together.

    Raises:
        RecordError: It runs, is damaged, or cannot be written.
    """
    from filelock import FileLock, Timeout  # 30 ms, which no other start needs

    try:
        with FileLock(paths.resume_lock, timeout=0):
            return _taken_up(paths)
    except Timeout:
        raise _refusal(paths, "another process goes on with it just now") from None
    except ValueError as error:
        raise _refusal(paths, f"its run.json cannot be used: {error}") from error
    except OSError as error:
        if isinstance(error, RecordError):
            raise
        raise record_error("go on with the run in", paths.folder, error) from error


def _taken_up(paths: RunPaths) -> tuple[dict[str, Any], dict[str, Any]]:
    manifest = read_manifest(paths.manifest)
    status = compute_status(manifest, paths.heartbeat)
    if status == "running":
        raise _refusal(paths, "it is running")
    earlier = {name: manifest[name] for name in ("process", "cause", "end", "seconds")}
    if earlier["seconds"] is None:  # it wrote no end
        earlier["seconds"] = _seconds_until_death(paths, manifest["start"])
    code = manifest["code"] or {}
    aside, *_ = [_keep_aside(place) for place in (paths, *rank_places(paths))]
    if "traceback" in (earlier["cause"] or {}):
        earlier["cause"] = {**earlier["cause"], "traceback": _aside(paths.traceback, aside).name}
    manifest |= {
        "process": process_identity(),
        "status": "running",
        "end": None,
        "seconds": None,
        "cause": None,
    }
    write_sealed(paths.manifest, manifest)
    for ended in ENDED:
        paths.end_mark(ended).unlink(missing_ok=True)
    return manifest, {**earlier, "status": status, "code": code.get("tree")}


def _seconds_until_death(paths: RunPaths, start: str) -> float:
    """Tell how long a run that wrote no end ran, all its attempts together.

    Its last one ran until its files were last written, the heartbeat among them. The clock on the
    wall may have been set back meanwhile: what cannot be is 0.
    """
    last: dict[str, Any] = {"seconds": 0.0, "time": start}
    with contextlib.suppress(OSError):
        resumed = [each for each in read_journal(paths.journal) if each["event"] == "resumed"]
        last = resumed[-1] if resumed else last
    files = (paths.heartbeat, paths.metrics, paths.journal, paths.console, paths.manifest)
    ran = 0.0
    with contextlib.suppress(KeyError, ValueError, TypeError, OverflowError):
        begin = datetime.fromisoformat(last["time"]).timestamp()
        ran = max(_changed(file) for file in files) - begin
    return round(_span(last.get("seconds")) + _span(ran), 3)


def _span(value: Any) -> float:
    try:
        span = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return span if 0.0 <= span < math.inf else 0.0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _refusal(paths: RunPaths, why: str) -> RecordError:
    return RecordError(
        f"the run {paths.key} cannot be gone on with in its folder: {why}; leave it, or roll back"
        " to one of its checkpoints as a new run"
    )


def _keep_aside(place: ProcessPaths) -> int:
    """Rename what an earlier attempt left of its end: ``traceback.txt`` to ``traceback.1.txt``.

    Returns:
        The number in the new names.
    """
    files = [place.traceback, place.crash]
    if isinstance(place, RankPaths):
        files.append(place.exit)
    number = next(
        n for n in itertools.count(1) if not any(_aside(each, n).exists() for each in files)
    )
    for each in files:
        with contextlib.suppress(FileNotFoundError):
            if each.stat().st_size:
                each.rename(_aside(each, number))
            else:  # a crash that did not come
                each.unlink()
    return number


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")
