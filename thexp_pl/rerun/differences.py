"""What is not as it was when a run was recorded: Python, packages, data."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from thexp_pl.record.facts import package_facts
from thexp_pl.record.facts.hashing import ChangedError, hash_file, hash_folder
from thexp_pl.record.names import escaped
from thexp_pl.record.redact import Redactor
from thexp_pl.rerun.data import declared
from thexp_pl.rerun.moved import Moved
from thexp_pl.runs.run import Run

__all__ = ["Difference", "differences"]

_DIGITS = 12  # of a hash, enough to see that it is another


class Difference(NamedTuple):
    """One thing that is not as it was.

    Args:
        kind: ``python``, ``package``, ``checkout`` (of a package installed in place) or ``data``.
        name: Which one.
        then: What was recorded.
        now: What is there.
    """

    kind: str
    name: str
    then: str
    now: str

    def __str__(self) -> str:
        return escaped(f"{self.kind} {self.name}: {self.then} then, {self.now} now")


def differences(
    run: Run, moved: Moved, *, progress: Callable[[int, int], object] = lambda done, total: None
) -> list[Difference]:
    """Compare what a run used with what is there now.

    Args:
        run: The run.
        moved: Where its project is now.
        progress: Called with how many of the files and folders that the run declared to use were
            hashed, and how many there are.

    Returns:
        The differences; none where it is all the same.
    """
    now = package_facts(run.paths, Redactor())
    return [
        *_compared("python", {"version": run.manifest.get("python")}, {"version": _python()}),
        *_compared("package", run.manifest["packages"], now["packages"], absent="not installed"),
        *_compared("checkout", _checkouts(run.manifest, moved), _checkouts(now, moved)),
        *_data(run, moved, progress),
    ]


def _python() -> str:
    return platform.python_version()


def _compared(
    kind: str, then: Mapping[str, Any], now: Mapping[str, Any], absent: str = "unknown"
) -> Iterator[Difference]:
    for name in sorted(then.keys() | now.keys()):
        before, after = str(then.get(name, absent)), str(now.get(name, absent))
        if before != after:
            yield Difference(kind, name, before, after)


def _checkouts(facts: Mapping[str, Any], moved: Moved) -> dict[str, str]:
    """Say which commit each package stands at that is installed in place; the project's is kept."""
    found = {}
    for name, package in facts["editable"].items():
        path = moved.found(package.get("path")) if isinstance(package, dict) else None
        if isinstance(package, dict) and (path is None or moved.name(path) is None):
            changed = " with changes" if package.get("dirty") else ""
            found[name] = f"{package.get('commit') or 'no commit'}{changed}"
    return found


def _data(run: Run, moved: Moved, progress: Callable[[int, int], object]) -> Iterator[Difference]:
    known = list(declared(run, moved))
    for done, (path, entry) in enumerate(known):
        progress(done, len(known))
        now = _found(moved.place(path), entry["kind"] == "folder")
        if isinstance(now, str):
            yield Difference("data", str(entry["path"]), _described(entry), now)
        elif (entry.get("bytes"), entry.get("sha256")) != (now["bytes"], now["sha256"]):
            yield Difference("data", str(entry["path"]), _described(entry), _described(now))


def _found(path: Path, is_folder: bool) -> dict[str, Any] | str:
    try:
        return (hash_folder if is_folder else hash_file)(path, _never)._asdict()
    except FileNotFoundError:
        return "not there"
    except ChangedError:
        return "being changed"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def _never() -> bool:
    return False


def _described(facts: Mapping[str, Any]) -> str:
    size, digest = facts.get("bytes"), facts.get("sha256")
    known = f"sha256 {digest[:_DIGITS]}" if isinstance(digest, str) else "not hashed"
    return f"{size:,} bytes, {known}" if isinstance(size, int) else known
