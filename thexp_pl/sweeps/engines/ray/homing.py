"""Runs brought home from a worker that does not see the experiment root, by export and import.

What comes home is first a file in the sweep's folder, whole, and is imported from there: a process
that is killed meanwhile leaves the file, and the next one imports it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from thexp_pl.atomic import flush_folder
from thexp_pl.errors import RecordError
from thexp_pl.record.folders import run_folders
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.runs.run import read_run
from thexp_pl.upkeep.archive.importing import import_runs
from thexp_pl.upkeep.archive.reading import opened
from thexp_pl.upkeep.archive.writing import export_runs

__all__ = ["bring_home", "gathered", "log_home", "recover"]

_SUFFIX = ".zip"


def gathered(scratch: Path, paths: SweepFolder) -> Path | None:
    """Pack what an attempt has recorded on a worker.

    Args:
        scratch: The folder of the point.
        paths: The sweep in the scratch root.

    Returns:
        The file with all runs that are whole; None where there is none.

    Raises:
        OSError: They cannot be read, or there is no room.
    """
    runs = [run for run in run_folders(paths.root) if not read_run(run).damage]
    target = scratch / "home.zip"
    target.unlink(missing_ok=True)
    return export_runs(runs, target).path if runs else None


def bring_home(paths: SweepFolder, point: int, pieces: Iterable[bytes]) -> None:
    """Bring the runs of a point home.

    Args:
        paths: The sweep at home.
        point: The point's number.
        pieces: What `gathered` has packed.

    Raises:
        OSError: They cannot be imported; what came stays in the sweep's folder for `recover`.
    """
    target = _homing(paths) / f"{point:07d}{_SUFFIX}"
    target.parent.mkdir(exist_ok=True)
    aside = target.with_suffix(".part")
    with aside.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(target)
    flush_folder(target.parent)
    _import(paths, target)


def recover(paths: SweepFolder) -> None:
    """Import what came home when this process's forerunner was killed.

    Args:
        paths: The sweep at home.

    Raises:
        RecordError: It cannot be imported; it is left under another name, and told of once.
    """
    for path in sorted(_homing(paths).glob(f"*{_SUFFIX}")):
        try:
            _import(paths, path)
        except OSError as error:
            left = path.replace(path.with_name(f"refused-{path.name}.bak"))
            raise RecordError(
                f"a run that was brought home before: {error}; its file is {left.name!r} there now,"
                " and the same command goes on without it"
            ) from error


def _homing(paths: SweepFolder) -> Path:
    return paths.folder / "homing"


def _import(paths: SweepFolder, path: Path) -> None:
    with opened(path) as archive:
        known = [RunPaths(paths.root, run.experiment, run.key) for run in archive.table.runs]
    with _replacing([run for run in known if _is_of(paths, run)], path.with_suffix(".old")):
        import_runs(path, paths.root)
    path.unlink()
    with suppress(OSError):  # another file is in it
        path.parent.rmdir()


def _is_of(paths: SweepFolder, run: RunPaths) -> bool:
    """Say whether a run is here, in the state in which it was sent to a worker."""
    sweep = read_run(run).manifest.get("sweep") if run.manifest.exists() else None
    return isinstance(sweep, dict) and sweep.get("key") == paths.key


@contextmanager
def _replacing(runs: Iterable[RunPaths], aside: Path) -> Iterator[None]:
    """Have the earlier states of runs aside, and back in their places where it fails."""
    moved = []
    for run in runs:
        folder = aside / run.experiment / run.key
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        moved.append((run.folder.rename(folder), run))
    try:
        yield
    except BaseException:
        for folder, run in moved:
            with suppress(OSError):  # it is there again
                folder.rename(run.folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def log_home(paths: SweepFolder, point: int, printed: bytes) -> None:
    """Append to a point's log what its processes have printed on a worker.

    Args:
        paths: The sweep at home.
        point: The point's number.
        printed: What they have printed.
    """
    path = paths.log(point)
    with suppress(OSError):  # the run has a log of its own
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.write(printed)
