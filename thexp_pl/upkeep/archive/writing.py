"""`export_runs`: some runs, with their code, as one file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from thexp_pl.atomic import flush_folder
from thexp_pl.errors import RecordError
from thexp_pl.jsonable import dumps
from thexp_pl.record.code.git import Git, GitError
from thexp_pl.record.code.store import Store
from thexp_pl.record.names import shown
from thexp_pl.record.outputs import output_error, refuse_taken
from thexp_pl.record.paths import RunPaths, code_store
from thexp_pl.runs.run import read_run
from thexp_pl.upkeep.archive.layout import (
    CODE,
    TABLE,
    ArchivedRun,
    File,
    Link,
    Table,
    name_fault,
    stays_inside,
)
from thexp_pl.upkeep.folders import size_of
from thexp_pl.upkeep.needs import checkpoint_files, needs_of

__all__ = ["Exported", "export_runs"]

_BLOCK = 1 << 20
# What this package has beside its files: of processes at work, or left by ones that were killed.
_PASSING = re.compile(
    r"\.tmp-[0-9a-f]{16}|\.heartbeat|\.(again|notes|resume|saver)\.lock"
    r"|\..*\.(ckpt|pth|pt)(\.json)?\.tmp"
)
_PACKED = (".ckpt", ".pth", ".pt", ".pack", ".npz", ".png", ".gz", ".zip")  # gain nothing
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same runs make the same file


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        path: The file.
        table: What it holds.
        left_out: What it does not hold of the runs, and why.
    """

    path: Path
    table: Table
    left_out: tuple[tuple[str, str], ...]


def export_runs(
    runs: Sequence[RunPaths],
    path: str | os.PathLike[str],
    *,
    checkpoints: bool = True,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Exported:
    """Write runs and their code to a file that `import_runs` reads, on any machine.

    Args:
        runs: The runs; none that is running.
        path: The file, which must not be there yet; it takes its name when all is in it.
        checkpoints: Take the checkpoints, keypoints and models too.
        progress: Called with the bytes of the runs that are written and their number; with 0 and 0
            while git packs the code.

    Returns:
        What was written. Sockets, pipes, locks and links that lead out of a run are left out.

    Raises:
        RecordError: A run is running, damaged or not there, or the file is there already or cannot
            be written; nothing is left behind.
        OSError: A file of a run cannot be read; nothing is left behind.
    """
    target = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    refuse_taken(target)
    _check(runs)
    aside = target.with_name(f".tmp-{os.urandom(8).hex()}")
    try:
        with _told_of(target, aside):
            with aside.open("xb") as file:
                writing = _Writing(file, checkpoints, progress)
                table = writing.write(runs)
                file.flush()
                os.fsync(file.fileno())
            refuse_taken(target)  # it took a while
            aside.rename(target)
    finally:
        aside.unlink(missing_ok=True)
    flush_folder(target.parent)
    return Exported(target, table, tuple(writing.left_out))


@contextlib.contextmanager
def _told_of(target: Path, aside: Path) -> Iterator[None]:
    """Say of what goes wrong with the new file that it does; a file of a run names itself."""
    try:
        yield
    except RecordError:
        raise
    except OSError as error:
        if error.filename not in (None, str(aside)):
            raise
        raise output_error(target, error) from error


def _check(runs: Sequence[RunPaths]) -> None:
    if not runs:
        raise RecordError("there is no run to export: name one; `thexp-pl list` shows the keys")
    names = [paths.relative for paths in runs]
    for paths in runs:
        run = read_run(paths)
        if run.status == "running":
            raise RecordError(f"the run {shown(paths.key)} is running: export it when it has ended")
        if run.damage:  # no import would take it
            raise RecordError(
                f"the run {shown(paths.key)} is damaged ({run.damage}): mend it, or leave it out"
            )
        if names.count(paths.relative) > 1:
            raise RecordError(
                f"two roots have a run {shown(paths.relative)}: export them one at a time, with"
                " --exps_dir"
            )


class _Writing:
    """An archive while it is written."""

    def __init__(
        self, file: IO[bytes], checkpoints: bool, progress: Callable[[int, int], object]
    ) -> None:
        self.left_out: list[tuple[str, str]] = []
        self._file = file
        self._checkpoints = checkpoints
        self._progress = progress
        self._written = self._total = 0  # bytes
        self._files: list[File] = []
        self._links: list[Link] = []

    def write(self, runs: Sequence[RunPaths]) -> Table:
        """Write runs, their code and the table."""
        ordered = sorted(runs, key=lambda paths: (paths.experiment, paths.key))
        self._total = sum(size_of(path) for paths in ordered for path in self._chosen(paths))
        with contextlib.ExitStack() as stack:
            for root in sorted({paths.root for paths in runs}):
                if (code_store(root) / "HEAD").is_file():
                    stack.enter_context(Store(root).adding())  # nothing is dropped meanwhile
            with zipfile.ZipFile(self._file, "w", allowZip64=True) as archive:
                archived = [self._add_run(archive, paths) for paths in ordered]
                self._add_code(archive, ordered, archived)
                table = Table(tuple(archived), tuple(self._files), tuple(self._links))
                with archive.open(_entry(TABLE), "w") as out:
                    out.write(dumps(table.to_dict(), indent=1) + b"\n")
        return table

    def _add_run(self, archive: zipfile.ZipFile, paths: RunPaths) -> ArchivedRun:
        bare = ArchivedRun(paths.experiment, paths.key)
        for path in self._chosen(paths):
            inner = path.relative_to(paths.folder).as_posix()
            self._add(archive, path, bare.prefix + inner, inner)
        if not any(file.path == f"{bare.prefix}run.json" for file in self._files):
            raise RecordError(f"the run {shown(paths.key)} has no run.json that can be exported")
        trees = _kept_trees(paths)
        tree = (read_run(paths).manifest.get("code") or {}).get("tree")
        if tree is not None and tree not in trees:
            self.left_out.append((bare.prefix, "its code, which the store has not kept"))
        return ArchivedRun(paths.experiment, paths.key, trees)

    def _chosen(self, paths: RunPaths) -> Iterator[Path]:
        weights = set() if self._checkpoints else set(checkpoint_files(paths.folder))
        for path in _below(paths.folder):
            if weights.isdisjoint((path, path.with_name(path.name.removesuffix(".json")))):
                yield path

    def _add(self, archive: zipfile.ZipFile, path: Path, name: str, inner: str) -> None:
        fault = name_fault(name)
        if fault:
            self.left_out.append((name, fault))
            return
        facts = path.lstat()
        if stat.S_ISLNK(facts.st_mode):
            link = os.readlink(path)  # noqa: PTH115 - a Path would take `./` away
            if name_fault(link.lstrip("./")) or not stays_inside(inner, link):
                self.left_out.append((name, f"a link that leads out of the run, to {link}"))
            else:
                self._links.append(Link(name, link))
        elif stat.S_ISREG(facts.st_mode):
            self._add_file(archive, path, name)
        else:
            self.left_out.append((name, "neither a file nor a link"))

    def _add_file(self, archive: zipfile.ZipFile, path: Path, name: str) -> None:
        digest, size = hashlib.sha256(), 0
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            os.fdopen(os.open(path, flags), "rb") as source,
            archive.open(_entry(name), "w", force_zip64=True) as out,
        ):
            mode = os.fstat(source.fileno()).st_mode
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                out.write(block)
                self._written += len(block)
                self._progress(self._written, self._total)
        self._files.append(File(name, size, digest.hexdigest(), bool(mode & stat.S_IXUSR)))

    def _add_code(
        self, archive: zipfile.ZipFile, runs: Sequence[RunPaths], archived: list[ArchivedRun]
    ) -> None:
        by_root: dict[Path, set[str]] = {}
        for paths, run in zip(runs, archived, strict=True):
            by_root.setdefault(paths.root, set()).update(run.trees)
        self._progress(0, 0)
        packs = [_packed(root, sorted(trees)) for root, trees in sorted(by_root.items()) if trees]
        if not packs:
            return
        if len(packs) > 1:
            raise RecordError(
                "the runs are of several roots, each with code of its own: export those of one root"
                " at a time, with --exps_dir"
            )
        with archive.open(_entry(CODE), "w", force_zip64=True) as out:
            out.write(packs[0])
        self._files.append(File(CODE, len(packs[0]), hashlib.sha256(packs[0]).hexdigest()))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    stored = name.lower().endswith(_PACKED)
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


def _below(folder: Path) -> Iterator[Path]:
    """Give the files and links of a run, sorted; what only a living run has is passed over."""
    for at, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(at, name))]  # noqa: PTH114, PTH118 - names of a walk
        folders[:] = sorted(set(folders).difference(links))
        for name in sorted([*names, *links]):
            if not _PASSING.fullmatch(name):
                yield Path(at, name)


def _kept_trees(paths: RunPaths) -> tuple[str, ...]:
    if not (code_store(paths.root) / "HEAD").is_file():
        return ()
    git = _git(paths.root)
    trees = sorted(needs_of(paths).trees)
    lines = git("cat-file", "--batch-check=%(objecttype)", feed="\n".join(trees).encode() + b"\n")
    kinds = lines.decode().splitlines()
    return tuple(tree for tree, kind in zip(trees, kinds, strict=False) if kind == "tree")


def _packed(root: Path, trees: Sequence[str]) -> bytes:
    try:
        return _git(root)(
            *("pack-objects", "--revs", "--stdout", "-q", "--threads=1"),
            feed="\n".join(trees).encode() + b"\n",
        )
    except GitError as error:
        raise RecordError(
            f"the code of a run in {str(root)!r} is not whole ({error.said}); `thexp-pl gc --check`"
            " says which"
        ) from error


def _git(root: Path) -> Git:
    store = Store(root)
    return store.git(store.path, patient=True)
