"""A sweep brought to a worker that does not see the experiment root: a scratch root of its own.

The scratch root holds what an attempt needs: what was submitted, the code, the points, and the
point's run where one is to be gone on with. The links in the code stay links: what the snapshot
left out, such as large data, is found where the worker has it at the same path.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.upkeep.archive.importing import import_runs
from thexp_pl.upkeep.archive.writing import export_runs

__all__ = [
    "Cargo",
    "packed_run",
    "packed_sweep",
    "root_in",
    "scratch_of",
    "settled",
]


@dataclass(frozen=True)
class Cargo:
    """What an attempt needs where the experiment root is not to be seen.

    Args:
        sweep: What was submitted and the code, as `packed_sweep` gives them.
        points: The points, as their file holds them.
        run: The run that is gone on with, as `packed_run` gives it; None to begin anew.
    """

    sweep: bytes
    points: bytes
    run: bytes | None


def packed_sweep(paths: SweepFolder) -> bytes:
    """Pack what was submitted, the code and the configuration, links as links.

    Args:
        paths: The sweep.

    Returns:
        A tar file.

    Raises:
        OSError: It cannot be read.
    """
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=1) as archive:
        for path in (paths.manifest, paths.code, paths.configuration):
            if path.exists():  # the last one: only where a file of it was given
                archive.add(path, path.name)
    return data.getvalue()


def packed_run(run: RunPaths, folder: Path) -> bytes:
    """Pack a run with its checkpoints and its code.

    Args:
        run: The run, which has ended.
        folder: Where a file may be meanwhile.

    Returns:
        An archive as `thexp_pl.upkeep.archive` writes it.

    Raises:
        OSError: It cannot be read.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as aside:
        return export_runs([run], Path(aside, "run.zip")).path.read_bytes()


def scratch_of(key: str, point: int) -> Path:
    """Give the folder of a point on this worker; the next attempt here finds the same.

    Args:
        key: The sweep's key.
        point: The point's number.

    Returns:
        The folder, made by this user where it is not there.

    Raises:
        RecordError: Somebody else has made it.
    """
    own = Path(tempfile.gettempdir(), f"thexp_pl-{os.getuid()}")
    own.mkdir(mode=0o700, exist_ok=True)
    if own.lstat().st_uid != os.getuid():
        raise RecordError(f"{str(own)!r} on the worker belongs to another user: set TMPDIR there")
    folder = own / key / f"{point:07d}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def root_in(scratch: Path) -> Path:
    """Give the scratch root.

    Args:
        scratch: The folder of the point.

    Returns:
        The root, which need not be there.
    """
    return scratch / "experiment"


def settled(scratch: Path, key: str, cargo: Cargo) -> SweepFolder:
    """Unpack a sweep on a worker.

    A run that an earlier attempt has left there, because its worker was killed, stays, unless a
    run was sent: that one counts, as nobody knows which has come further since.

    Args:
        scratch: The folder of the point, see `scratch_of`.
        key: The sweep's key.
        cargo: What was sent.

    Returns:
        The sweep in the scratch root.

    Raises:
        OSError: It cannot be written.
    """
    root = root_in(scratch)
    if cargo.run is not None:
        shutil.rmtree(root, ignore_errors=True)
    paths = SweepFolder(root, key)
    for folder in (paths.code, paths.configuration):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (paths.folder, paths.told(0).parent, paths.log(0).parent):
        folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(cargo.sweep)) as archive:
        # the newest releases ask which members may be trusted; older ones know no such question
        archive.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _: member)
        archive.extractall(paths.folder)
    paths.points.write_bytes(cargo.points)
    if cargo.run is not None:
        sent = scratch / "sent.zip"
        sent.write_bytes(cargo.run)
        import_runs(sent, root)
        sent.unlink()
    return paths
