"""`import_runs`: the runs of an archive brought into an experiment root."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.atomic import flush_folder
from thexp_pl.errors import RecordError
from thexp_pl.globvars import MARK_FOLDER
from thexp_pl.record.code.git import GitError
from thexp_pl.record.code.store import Store
from thexp_pl.record.facts.hashing import ChangedError, hash_file
from thexp_pl.record.folders import as_root, record_error, remove_empty
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.names import escaped, shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.roots import register_root
from thexp_pl.upkeep.archive.layout import CODE, RUNS, ArchivedRun, Table
from thexp_pl.upkeep.archive.reading import Archive, opened

__all__ = ["Imported", "import_runs"]


@dataclass(frozen=True)
class Imported:
    """What came in.

    Args:
        root: The experiment root.
        runs: The runs that are new there.
        known: Those that were there already, with the same content.
        without_code: The keys of new ones whose code the archive does not hold.
    """

    root: Path
    runs: tuple[RunPaths, ...]
    known: tuple[RunPaths, ...]
    without_code: tuple[str, ...]


def import_runs(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] = "./experiment",
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Imported:
    """Bring the runs of a file that `export_runs` wrote into a root, all of them or none.

    Every name and every hash is checked aside, before anything is to be seen in the root.

    Args:
        path: The file.
        root: The experiment root; it is made where it is missing.
        progress: Called with the bytes that are unpacked and their number; with 0 and 0 while the
            code is checked and all of it brought to its place.

    Returns:
        What came in; a run that is there with the same content is not touched.

    Raises:
        RecordError: The file is no archive, damaged or hostile, or another run of a key is there;
            nothing is left behind.
        OSError: The root cannot be written; nothing is left behind.
    """
    top = as_root(root)
    with opened(Path(path)) as archive:
        with _made(top / MARK_FOLDER) as hidden:
            aside = hidden / f".tmp-{os.urandom(8).hex()}"
            aside.mkdir()
            try:
                _check_room(archive.table, top)
                _unpack(archive, aside, progress)
                progress(0, 0)
                imported = _take(archive.table, aside, top.resolve())
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        register_root(top)
    return imported


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """Make a folder; where what follows fails, it goes again with those above that were made."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException as error:
        remove_empty(missing)
        if isinstance(error, OSError) and not isinstance(error, RecordError):
            raise record_error("import into", folder.parent, error) from error
        raise


def _check_room(table: Table, top: Path) -> None:
    total, free = sum(file.bytes for file in table.files), shutil.disk_usage(top).free
    if total > free:
        raise RecordError(
            f"the runs need {total:,} bytes, and {str(top)!r} has {free:,}: free some space there,"
            " or name another root with --exps_dir"
        )


def _unpack(archive: Archive, aside: Path, progress: Callable[[int, int], object]) -> None:
    total, done = sum(file.bytes for file in archive.table.files), 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    for file in archive.table.files:
        target = aside / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        archive.extract(file, target, advance)
        os.utime(aside)  # it is not left over, however long this takes
    for link in archive.table.links:  # last, so that nothing is written through one
        target = aside / link.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(link.target)


def _take(table: Table, aside: Path, top: Path) -> Imported:
    new, known, without_code = [], [], []
    for run in table.runs:
        paths = RunPaths(top, run.experiment, run.key)
        if os.path.lexists(paths.folder):
            _check_same(table, run, paths)
            known.append(paths)
        else:
            tree = _tree_of(RunPaths(aside / RUNS, run.experiment, run.key))
            if tree is not None and tree not in run.trees:
                without_code.append(run.key)
            new.append((run, paths))
    _take_code(table, aside, top, {tree for run, _ in new for tree in run.trees})
    late = _move([(aside / run.prefix, run, paths) for run, paths in new], table)
    came = tuple(paths for _, paths in new if paths not in late)
    return Imported(top, came, (*known, *late), tuple(without_code))


def _tree_of(paths: RunPaths) -> str | None:
    try:
        code = read_manifest(paths.manifest)["code"] or {}
    except FileNotFoundError as error:
        raise RecordError(
            f"the archive has no run.json of {shown(paths.key)}: export anew"
        ) from error
    except (OSError, ValueError) as error:
        raise RecordError(
            f"the run.json of {shown(paths.key)} in the archive cannot be used"
            f" ({escaped(str(error))}): export anew"
        ) from error
    return str(code.get("tree")) if code.get("how") == "git" else None


def _take_code(table: Table, aside: Path, top: Path, trees: set[str]) -> None:
    if not trees:
        return
    pack = aside / CODE
    try:
        if not any(file.path == CODE for file in table.files):
            raise RecordError(f"the archive has no {CODE}, but runs with code: export anew")
        # In a store of its own first: the root's takes in nothing that is not whole.
        Store(aside / "checked").adopt(pack, sorted(trees))
    except GitError as error:
        raise RecordError(
            f"the code in the archive is damaged ({error.said}); export the runs anew"
        ) from error
    Store(top).adopt(pack, sorted(trees))


def _check_same(table: Table, run: ArchivedRun, paths: RunPaths) -> None:
    if not _is_same(table, run, paths):
        raise RecordError(
            f"another run {shown(run.key)} is in {str(paths.folder.parent)!r}: nothing was"
            " imported; remove that one, or name another root with --exps_dir"
        )


def _is_same(table: Table, run: ArchivedRun, paths: RunPaths) -> bool:
    """Say whether each file of an archived run is there with the same content."""
    for file in table.files:
        if file.path.startswith(run.prefix):
            try:
                digest = hash_file(paths.folder / file.path[len(run.prefix) :], lambda: False)
            except (OSError, ChangedError):
                return False
            if digest.sha256 != file.sha256:
                return False
    return True


def _move(moves: list[tuple[Path, ArchivedRun, RunPaths]], table: Table) -> list[RunPaths]:
    """Move runs to their places, all or none; give those that another process has just brought."""
    done: list[tuple[Path, RunPaths]] = []
    late: list[RunPaths] = []
    try:
        for source, run, paths in moves:
            missing = not os.path.lexists(paths.folder.parent)
            paths.folder.parent.mkdir(exist_ok=True)
            try:
                source.rename(paths.folder)
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    _check_same(table, run, paths)
                    late.append(paths)
                    continue
                if missing:
                    remove_empty([paths.folder.parent])
                raise
            done.append((source, paths))
            flush_folder(paths.folder.parent)
    except BaseException:
        for source, paths in done:
            paths.folder.rename(source)
            remove_empty([paths.folder.parent])
        raise
    return late
