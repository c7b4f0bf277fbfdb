"""Which run left a file: by a part of its name, by its path, or by what is in it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_bytes
from thexp_pl.record.facts.hashing import ChangedError, hash_file
from thexp_pl.record.files.own import is_own
from thexp_pl.record.journal import read_journal
from thexp_pl.record.paths import RunPaths

__all__ = ["Files", "backtrack"]

Files = dict[str, dict[str, Any]]
_HASH = re.compile("[0-9a-fA-F]{64}")
_OF_CONTENT = ("size", "modified", "sha256", "unhashed", "link", "final")
_MAX_JOURNAL = 1 << 30
_TICK = 0.002  # seconds; the journal tells thousandths


def backtrack(runs: Sequence[RunPaths], what: str | os.PathLike[str]) -> dict[str, Files]:
    """Find the files of runs that are meant.

    Args:
        runs: The runs.
        what: A SHA-256 in hexadecimal; the path of a file that is there, with a separator in it;
            or else a part of the file's path within the run.

    Returns:
        By key, the files by path, as `thexp_pl.runs.viewer.ExperimentViewer.backtracking` says.

    Raises:
        OSError: The file cannot be read.
    """
    text = os.fspath(what)
    if _HASH.fullmatch(text):
        return _by_content(runs, text.lower(), None)
    if os.sep in text and os.path.isfile(text):  # noqa: PTH113 - False for what cannot be a path
        return _by_file(runs, os.path.realpath(text))
    needles = () if _may_be_escaped(text) else (text.encode(),)
    return _found(runs, needles, lambda run, path, facts: text in path)


def _by_file(runs: Sequence[RunPaths], real: str) -> dict[str, Files]:
    """Find the run whose folder holds a file, or else the runs that left one of that content."""
    folders = {str(run.folder): run for run in runs}
    holding = next((parent for parent in Path(real).parents if str(parent) in folders), None)
    if holding is not None:
        name = Path(real).relative_to(holding).as_posix()
        run_of_it = [folders[str(holding)]]
        found = _found(run_of_it, (), lambda run, path, facts: path == name)
        if found:
            return found
    digest = hash_file(Path(real), lambda: False)
    return _by_content(runs, digest.sha256, digest.bytes)


def _by_content(runs: Sequence[RunPaths], sha256: str, size: int | None) -> dict[str, Files]:
    def is_it(run: RunPaths, path: str, facts: dict[str, Any]) -> bool:
        if "sha256" in facts or size is None:
            return facts.get("sha256") == sha256
        # A run that was killed has written no hashes.
        return facts.get("size") == size and _hash(run.folder / path) == sha256

    needles = (sha256.encode(), *([] if size is None else [b'"size": %d' % size]))
    return _found(runs, needles, is_it)


def _found(
    runs: Iterable[RunPaths],
    needles: tuple[bytes, ...],
    is_it: Callable[[RunPaths, str, dict[str, Any]], bool],
) -> dict[str, Files]:
    result: dict[str, Files] = {}
    for run in runs:
        if not _may_hold(run.journal, needles):
            continue
        for path, facts in _files(run).items():
            if is_it(run, path, facts):
                now = _now(run.folder / path.replace("\0", ""), facts)
                result.setdefault(run.key, {})[path] = facts | now
    return result


def _may_be_escaped(text: str) -> bool:
    # JSON spells these otherwise; anything else stands in the journal as it is.
    return not text.isprintable() or not text.isascii() or '"' in text or "\\" in text


def _may_hold(journal: Path, needles: tuple[bytes, ...]) -> bool:
    """Say whether a journal is worth being read: most are not, and this is much faster."""
    try:
        data = read_bytes(journal, limit=_MAX_JOURNAL)
    except (OSError, ValueError):
        return False
    return not needles or any(needle in data for needle in needles)


def _files(run: RunPaths) -> Files:
    files: Files = {}
    try:
        events = read_journal(run.journal)
    except OSError:  # one run that cannot be read does not hide the others
        return {}
    for event in events:
        path, to = event.get("path"), event.get("to")
        if not isinstance(path, str):
            continue
        if event.get("final") is True and path not in files and is_own(path):
            continue  # of no held part
        before = files.get(path, {})
        if "size" in event or event["event"] == "deleted":  # what was known is of another content
            before = {name: fact for name, fact in before.items() if name not in _OF_CONTENT}
        if event["event"] == "moved" and isinstance(to, str):
            content = {
                name: files[path][name] for name in _OF_CONTENT if name in files.get(path, {})
            }
            files[to] = content | event | {"path": to, "from": path}
        files[path] = before | event
    return files


def _now(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    exists = os.path.lexists(path)
    return {"exists": exists, "replaced": _is_replaced(path, facts) if exists else False}


def _is_replaced(path: Path, facts: dict[str, Any]) -> bool | None:
    """Say whether a file is no longer what the run left; None where that cannot be known."""
    if facts["event"] == "deleted" or (facts["event"] == "moved" and "from" not in facts):
        return True
    try:
        if "link" in facts or path.is_symlink():
            return not path.is_symlink() or str(path.readlink()) != facts.get("link")
        now = path.stat()
    except OSError:
        return None
    if not isinstance(facts.get("size"), int):
        return None
    if now.st_size != facts["size"]:
        return True
    # A copy may keep the time of the content, and hold another: not that of the inode.
    seen, modified = (_seconds(facts.get(name)) for name in ("time", "modified"))
    if abs(now.st_mtime - modified) < _TICK and now.st_ctime <= seen:
        return False
    digest = _hash(path) if "sha256" in facts else None
    return None if digest is None else digest != facts["sha256"]


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return math.nan  # no time is before or near it


def _hash(path: Path) -> str | None:
    try:
        return hash_file(path, lambda: False).sha256
    except (OSError, ValueError, ChangedError):
        return None
