"""Submitting a sweep: the project is kept once, and what its runs run is written out of that."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.code import find_project, git_facts, take_snapshot
from thexp_pl.record.facts import environment_facts, package_facts
from thexp_pl.record.folders import as_root, new_key, record_error
from thexp_pl.record.locks import take
from thexp_pl.record.manifest import now_text
from thexp_pl.record.names import escaped, shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.places import placed
from thexp_pl.record.redact import Redactor
from thexp_pl.record.roots import register_root
from thexp_pl.record.sweep_folder import SweepFolder, sweeps_of
from thexp_pl.sweeps.configuration import content_hash, kept_name
from thexp_pl.sweeps.identity import identity_of
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.restoring import write_out
from thexp_pl.sweeps.sweep import Sweep, add_points, read_points, read_sweep, write_sweep

__all__ = ["check_open", "held", "submit"]

_LOCK_SECONDS = 120  # as long as a large project takes to be written out
_SCRIPT = ".py"
_LOOKED_AT = 100  # points, and each name that any of them has


def submit(
    root: str | os.PathLike[str],
    words: Sequence[str],
    names: Sequence[str],
    points: Iterable[Point],
    *,
    command: str,
    study: Mapping[str, Any] | None = None,
    files: Mapping[Path, bytes] | None = None,
    project: Path | None = None,
    folder: Path | None = None,
) -> Sweep:
    """Submit a sweep, or more points of one: the same command on the same code goes on with it.

    The code of the project is kept in the root's store and written out into the sweep's folder,
    where all of its runs run: what becomes of the project later changes none of them. What the
    snapshot leaves out, and what git ignores, is seen there through links to the project; but
    configuration files are kept as the code is, wherever they lie.

    Args:
        root: The experiment root.
        words: What all points share: ``fit`` and its options, or a script, as seen from `folder`,
            and its own.
        names: The options that vary.
        points: The points; one whose digest the sweep has already counts once.
        command: The command that submits it, as a shell takes it.
        study: Of a search its settings.
        files: The configuration files that points read, by their resolved absolute paths.
        project: The folder of the code; by default found as for a run.
        folder: The working directory; by default that of this process.

    Returns:
        The sweep.

    Raises:
        NoGitError: There is no git program.
        GitError: git cannot read the project or write the store.
        RecordError: The sweep cannot be written; of a new one nothing is left.
        UsageError: The script or the working directory is not in the project, or a word is a
            secret, which would have to be written down.
    """
    root = as_root(root)
    top = _project(project)
    folder = Path.cwd() if folder is None else folder
    points = list(points)
    check_open(words, points)
    words, place = _within(top, words, folder)
    try:
        facts = _facts(top, root, folder)
        files = files or {}
        hashes = {kept_name(file, top): content_hash(data) for file, data in files.items()}
        identity = identity_of(facts["code"]["tree"], words, names, place, study, hashes)
        with _submitting(root):
            register_root(root)
            sweep = _found(root, identity) or Sweep(
                SweepFolder(root, f"sweep-{new_key()}"),
                identity,
                now_text(),
                Redactor().text(command),
                tuple(words),
                tuple(names),
                place,
                facts,
                study,
                hashes,
            )
            write_out(sweep, top, files)
            if not sweep.paths.manifest.exists():
                write_sweep(sweep)
            _add_new(sweep, points)
            os.utime(sweep.paths.folder)  # one that is gone on with keeps its code
    except OSError as error:
        if isinstance(error, RecordError):
            raise
        raise record_error("submit a sweep under", root, error) from error
    return sweep


@contextlib.contextmanager
def held(sweep: Sweep) -> Iterator[None]:
    """Be the one process that works on a sweep.

    Args:
        sweep: The sweep.

    Yields:
        Nothing.

    Raises:
        RecordError: Another process does, or the lock cannot be made.
    """
    descriptor = _taken(sweep)
    try:
        yield
    finally:
        os.close(descriptor)


def _taken(sweep: Sweep) -> int:
    path = sweep.paths.lock
    try:
        descriptor = take(path, 0.2)
        if descriptor is None:
            raise RecordError(
                f"another process ({_holder(path)}) works on the sweep {sweep.key}: wait for its"
                " end, or end it first"
            )
        try:
            told = f"process {os.getpid()} on {socket.gethostname()}\n"
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, told.encode(), 0)
        except OSError:
            os.close(descriptor)
            raise
    except OSError as error:
        if isinstance(error, RecordError):
            raise
        raise record_error("lock the sweep by", path, error) from error
    return descriptor


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        return escaped(path.read_bytes()[:200].decode("utf-8", "replace").strip()) or "unknown"
    return "unknown"


def _project(given: Path | None) -> Path:
    found = find_project(given)
    if found is None:
        raise UsageError(
            "no project was found whose code could be submitted, only the home folder or one above:"
            " start the sweep in the folder of the code"
        )
    return found


def check_open(words: Iterable[str], points: Sequence[Point]) -> None:
    """Refuse secrets: the words of a sweep are kept until the last of its runs has started.

    Args:
        words: What all points share.
        points: The points.

    Raises:
        UsageError: One of the words is a secret.
    """
    last = {name: value for point in points for name, value in point.values.items()}
    some = [*points[:_LOOKED_AT], Point(0, last)]  # rows of a file may differ in their names
    words = [*words, *(word for point in some for word in point.words())]
    kept = Redactor().argv(words)
    for place, word in enumerate(words):
        if kept[place] != word:
            name = word.partition("=")[0] if "=" in word else words[max(0, place - 1)]
            raise UsageError(
                f"{shown(name)} takes a secret, and a sweep writes its command down: have the code"
                " read it from an environment variable"
            )


def _within(top: Path, words: Sequence[str], folder: Path) -> tuple[list[str], str]:
    """See a script and the working directory from the project."""
    here = Path(os.path.realpath(folder))
    if here != top and top not in here.parents:
        raise UsageError(
            f"the working directory {shown(str(here))} is not in the project {shown(str(top))}:"
            " start the sweep there"
        )
    words = list(words)
    if words and words[0].endswith(_SCRIPT):
        script = Path(os.path.realpath(here / words[0]))
        if not script.is_file():
            raise UsageError(f"there is no script {shown(words[0])}: name a file that is there")
        if top not in script.parents:
            raise UsageError(
                f"the script {shown(words[0])} is not in the project {shown(str(top))}, whose code"
                " is submitted: start the sweep in the script's own project"
            )
        words[0] = os.path.relpath(script, here)
    return words, here.relative_to(top).as_posix()


def _facts(top: Path, root: Path, folder: Path) -> dict[str, Any]:
    redactor = Redactor()
    code = take_snapshot(top, root, redact=redactor.text)
    return {
        "code": code,
        "git": redactor.tree(git_facts(top, untracked=code["untracked"])),
        **package_facts(RunPaths(root, "", ""), redactor),
        **environment_facts(redactor),
        "cwd": redactor.text(placed(folder, root)),
        "python": platform.python_version(),
    }


@contextlib.contextmanager
def _submitting(root: Path) -> Iterator[None]:
    descriptor = take(SweepFolder(root, "").submit_lock, _LOCK_SECONDS)
    if descriptor is None:
        raise RecordError(
            f"another process submits a sweep under {shown(str(root))} for {_LOCK_SECONDS} s by"
            " now: see what it does, or end it"
        )
    try:
        yield
    finally:
        os.close(descriptor)


def _found(root: Path, identity: str) -> Sweep | None:
    """Find a sweep; what a process that was killed has left of one, is dropped."""
    for folder in sorted(sweeps_of(root).glob("sweep-*"), reverse=True):
        paths = SweepFolder(root, folder.name)
        if not paths.manifest.exists():
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with contextlib.suppress(RecordError):  # a damaged one is left alone
            sweep = read_sweep(paths)
            if sweep.identity == identity:
                return sweep
    return None


def _add_new(sweep: Sweep, points: Iterable[Point]) -> None:
    there = read_points(sweep)
    known = set(map(_sameness, there))
    new: list[Point] = []
    for point in points:
        if (own := _sameness(point)) not in known:
            known.add(own)
            new.append(replace(point, number=len(there) + len(new)))
    if new:
        add_points(sweep, new)


def _sameness(point: Point) -> str:
    return point.digest or json.dumps([sorted(point.values.items())])
