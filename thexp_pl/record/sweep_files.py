"""What was submitted of a sweep, read back: as if torn or hostile, and no more than plain facts."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, TypeGuard

from thexp_pl.atomic import read_bytes, read_json
from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown
from thexp_pl.record.sweep_folder import SweepFolder

__all__ = ["SCHEMA", "read_point_facts", "read_submitted"]

SCHEMA = 1
_TEXTS = ("identity", "created", "command", "folder")
_MAX_BYTES = 64 << 20
_MAX_POINTS_BYTES = 1 << 30


def read_submitted(paths: SweepFolder) -> dict[str, Any]:
    """Read what was submitted.

    Args:
        paths: The sweep's files.

    Returns:
        What `thexp_pl.sweeps.sweep.Sweep` is made of, all of its kind; ``facts`` name a tree.

    Raises:
        RecordError: The file is missing, damaged or of a later release.
    """
    try:
        return _checked(read_json(paths.manifest, limit=_MAX_BYTES))
    except (OSError, ValueError) as error:
        raise _unread(paths, error) from error


def _checked(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise ValueError("sweep.json is of another release, or none")
    words, names = told.get("words"), told.get("names")
    facts, study = told.get("facts"), told.get("study")
    if not all(isinstance(told.get(name), str) for name in _TEXTS):
        raise ValueError(f"sweep.json lacks one of {', '.join(_TEXTS)}")
    if not _are_texts(words) or not _are_texts(names):
        raise ValueError("'words' and 'names' of sweep.json are no lists of texts")
    code = facts.get("code") if isinstance(facts, dict) else None
    if not isinstance(code, dict) or not isinstance(code.get("tree"), str):
        raise ValueError("'facts' of sweep.json name no code")
    if not (study is None or isinstance(study, dict)):
        raise ValueError("'study' of sweep.json is no object")
    files = told.get("files")
    if not isinstance(files, dict) or not _are_texts([*files.values()]):
        raise ValueError("'files' of sweep.json gives no hashes by their paths")
    rest = {"words": words, "names": names, "facts": facts, "study": study, "files": files}
    return {**{name: told[name] for name in _TEXTS}, **rest}


def _are_texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def read_point_facts(paths: SweepFolder) -> list[dict[str, Any]]:
    """Read the points of a sweep.

    Args:
        paths: The sweep's files.

    Returns:
        What `thexp_pl.sweeps.point.Point` is made of, in the order of their numbers; a torn last
        line is passed over.

    Raises:
        RecordError: A whole line of them is damaged, or they cannot be read.
    """
    try:
        data = read_bytes(paths.points, limit=_MAX_POINTS_BYTES)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise _unread(paths, error) from error
    points = []
    for number, line in enumerate(data.split(b"\n")[:-1]):
        point = None
        with suppress(ValueError, TypeError, KeyError):
            point = _point(json.loads(line))
        if point is None or point["number"] != number:
            raise RecordError(
                f"line {number + 1} of {shown(str(paths.points))} is damaged: submit the"
                " sweep again under another root, or restore the file"
            )
        points.append(point)
    return points


def _unread(paths: SweepFolder, error: OSError | ValueError) -> RecordError:
    reason = error.strerror if isinstance(error, OSError) else error
    key = shown(paths.key)[1:-1]
    return RecordError(
        f"the sweep {shown(paths.key)} cannot be read: {reason}; the runs that were begun for it"
        f" are listed by `thexp-pl list \"sweep == '{key}'\"`"
    )


def _point(told: dict[str, Any]) -> dict[str, Any] | None:
    values, number, trial = told["values"], told["number"], told["trial"]
    is_whole = (
        isinstance(values, dict)
        and all(isinstance(value, str) for value in values.values())
        and isinstance(number, int)
        and isinstance(told["digest"], str)
        and (trial is None or isinstance(trial, int))
    )
    names = ("number", "values", "digest", "trial")
    return {name: told[name] for name in names} if is_whole else None
