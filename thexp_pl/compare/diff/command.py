"""How two runs were started: script, arguments, options of Python, working directory."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Any

from thexp_pl.compare.diff.change import Change, changes
from thexp_pl.runs.places import place
from thexp_pl.runs.run import Run

__all__ = ["below", "command_changes", "project_of"]


def command_changes(a: Run, b: Run) -> Iterator[Change]:
    """Go through what differs in how two runs were started.

    Places count only as seen from the project: the same script in another folder is the same.

    Args:
        a: A run.
        b: Another.

    Yields:
        ``script``, ``arguments`` and ``python options`` (lists of words), ``cwd``.
    """
    yield from changes(_started_by(a), _started_by(b))
    if (project_of(a) is None) == (project_of(b) is None):
        yield from changes({"cwd": _cwd(a)}, {"cwd": _cwd(b)})


def project_of(run: Run) -> str | None:
    """Give the folder of a run's project.

    Args:
        run: The run.

    Returns:
        Its absolute path; None where no code was kept.
    """
    return place(run, (run.manifest["code"] or {}).get("project"))


def below(path: str, folder: str) -> str | None:
    """Give a path as seen from a folder that it lies in.

    Args:
        path: An absolute path.
        folder: Another.

    Returns:
        The relative path; None where it does not lie in it.
    """
    relative = os.path.relpath(path, folder)
    return None if relative.split(os.sep, 1)[0] == os.pardir else relative


def _started_by(run: Run) -> dict[str, Any]:
    argv = _words(run.manifest.get("argv"))
    try:
        command = shlex.split(str(run.manifest.get("command") or ""))
    except ValueError:  # a quote that is not closed: someone else wrote this
        command = []
    # `command` is the interpreter, its options, the script or -m module or -c code, the arguments.
    head = command[1 : len(command) - len(argv[1:])]
    by_option = len(head) > 1 and head[-2] in ("-m", "-c")
    return {
        "script": head[-2:] if by_option else _script(run, argv[0] if argv else ""),
        "arguments": argv[1:],
        "python options": head[:-2] if by_option else head[:-1],
    }


def _script(run: Run, named: str) -> str:
    entry = (run.manifest["code"] or {}).get("entry")
    if isinstance(entry, str):
        return entry
    cwd = place(run, run.manifest.get("cwd"))
    if not os.path.isabs(named):  # noqa: PTH117 - a text of another machine
        return os.path.normpath(named) if named else named
    inside = None if cwd is None else below(named, cwd)
    return os.path.basename(named) if inside is None else inside  # noqa: PTH119


def _cwd(run: Run) -> str | None:
    recorded = run.manifest.get("cwd")
    cwd, project = place(run, recorded), project_of(run)
    if cwd is None or project is None:
        return recorded if isinstance(recorded, str) else None
    inside = below(cwd, project)
    return cwd if inside is None else inside


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
