"""run.json: what is known of a run; its schema, written by the run and read by everyone."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.names import cut, shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.places import placed
from thexp_pl.record.process import process_identity
from thexp_pl.record.redact import Redactor
from thexp_pl.record.sealed import SEAL

__all__ = [
    "SCHEMA",
    "SCHEMA_FILE",
    "cause_of",
    "kept_params",
    "new_manifest",
    "now_text",
    "read_manifest",
    "redacted_cut",
]

SCHEMA = 2
SCHEMA_FILE = Path(__file__).parent / "schema" / f"run-{SCHEMA}.schema.json"
_MAX_BYTES = 16 << 20
_MAX_MESSAGE = 10_000
_MAX_TEXT = 100_000  # characters of one text among the parameters
_MAX_PARAMS = 4 << 20  # characters of all parameters as JSON
_NONE = type(None)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "experiment": str,
    "status": str,
    "start": str,
    "params": dict,
    "metrics": dict,
    "process": dict,
    "end": (str, _NONE),
    "seconds": (int, float, _NONE),
    "cause": (dict, _NONE),
    "platform": dict,
    "cpu": dict,
    "gpus": list,
    "environment": dict,
    "packages": dict,
    "editable": dict,
    "git": (dict, _NONE),
    "code": (dict, _NONE),
    "seeds": dict,
    "random_states": (dict, _NONE),
    "uses": list,
    "parent": (dict, _NONE),
    "world_size": (int, _NONE),
}
_OF_OBJECTS = ("gpus", "uses")


def new_manifest(paths: RunPaths, redactor: Redactor) -> dict[str, Any]:
    """Describe a run that starts now in this process.

    Args:
        paths: Where it is.
        redactor: Takes secrets out of the command line.

    Returns:
        The manifest, which `SCHEMA_FILE` describes: ``schema``, ``key``, ``experiment``, ``path``
        (from the root), ``argv``, ``command`` (as a shell takes it), ``cwd`` (from the root where
        it can be, see `placed`), ``start`` (ISO 8601 with its offset), ``end``, ``seconds``,
        ``status`` (as written; `compute_status` judges), ``cause`` (of the end), ``process``,
        ``python``, and what is gathered later, empty or None until then.
    """
    return {
        "schema": SCHEMA,
        "key": paths.key,
        "experiment": paths.experiment,
        "path": paths.relative,
        "argv": redactor.argv(sys.argv),
        "command": redactor.command(sys.orig_argv),
        "cwd": _working_directory(paths.root, redactor),
        "start": now_text(),
        "end": None,
        "seconds": None,
        "status": "running",
        "cause": None,
        "process": process_identity(),
        "python": platform.python_version(),
        **_gathered_later(),
        "params": {},
        "metrics": {},
    }


def _gathered_later() -> dict[str, Any]:
    return {
        "platform": {},
        "cpu": {},
        "gpus": [],
        "environment": {},
        "packages": {},
        "editable": {},
        "git": None,
        "code": None,
        "seeds": {},
        "random_states": None,
        "uses": [],
        "parent": None,
        "world_size": None,
    }


def now_text() -> str:
    """Give the time.

    Returns:
        ISO 8601 in local time, with its offset, to the millisecond.
    """
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def cause_of(
    exception: BaseException | None, signal_name: str | None, redactor: Redactor
) -> dict[str, str] | None:
    """Describe why a run ended early.

    Args:
        exception: What was raised, if anything.
        signal_name: Such as ``"SIGTERM"``, if one came.
        redactor: Takes secrets out of the message.

    Returns:
        ``type`` and ``message`` of the exception, ``signal``; None where there was neither.
    """
    cause: dict[str, str] = {}
    if exception is not None:
        cause = {
            "type": _kind(exception),
            "message": redacted_cut(_message(exception), _MAX_MESSAGE, redactor),
        }
    if signal_name is not None:
        cause["signal"] = signal_name
    return cause or None


def redacted_cut(text: str, limit: int, redactor: Redactor) -> str:
    """Take secrets out of a text and the middle out of a long one; no half secret stays at a cut.

    Args:
        text: The text.
        limit: The most characters that are kept.
        redactor: Takes the secrets out.

    Returns:
        What is left.
    """
    return cut(redactor.text(cut(text, 2 * limit)), limit)


def kept_params(params: Any) -> dict[str, Any]:
    """Make of parameters what a manifest can hold: what is too large gives way to a note.

    Args:
        params: The parameters by name.

    Returns:
        JSON values by name: a long text without its middle, and a note in place of a parameter
        that would make the manifest too large to be read again.
    """
    kept: dict[str, Any] = {}
    left = _MAX_PARAMS
    for name, value in to_jsonable(params).items():
        short = _shortened(value)
        size = len(name) + len(json.dumps(short, indent=2))
        if size > left:
            short = f"… (left out: {size:,} characters of JSON)"
            size = len(name) + len(short)
        if size > left:
            kept["…"] = f"{len(params) - len(kept):,} more parameters left out"
            break
        left -= size
        kept[name] = short
    return kept


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, _MAX_TEXT)
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest that may be damaged or hostile, of this release or of one before.

    Args:
        path: The file.

    Returns:
        The manifest; every key that `new_manifest` names with a text, a number, a list or an
        object has one. What a release before did not write is as `new_manifest` begins with it.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no manifest, or one of a later version.
    """
    manifest = read_json(path, limit=_MAX_BYTES)
    if not isinstance(manifest, dict):
        raise ValueError("not a JSON object")
    _check_schema(manifest.get("schema"))
    manifest = _gathered_later() | manifest
    manifest.pop(SEAL, None)  # of what is in the file
    for name, kind in _KINDS.items():
        if not isinstance(manifest.get(name), kind):
            raise ValueError(f"{name!r} is missing or of the wrong kind")
    for name in _OF_OBJECTS:
        if not all(isinstance(item, dict) for item in manifest[name]):
            raise ValueError(f"{name!r} holds what is no object")
    if datetime.fromisoformat(manifest["start"]).tzinfo is None:
        raise ValueError("'start' has no offset from UTC")
    return manifest


def _check_schema(schema: object) -> None:
    if type(schema) is not int or schema < 1:
        raise ValueError(f"its schema is {shown(str(schema))}, which no thexp_pl ever wrote")
    if schema > SCHEMA:
        raise ValueError(
            f"its schema is {shown(str(schema))}, and this thexp_pl reads up to {SCHEMA}: update"
            " thexp_pl to read it"
        )


def _kind(exception: BaseException) -> str:
    kind = type(exception)
    prefix = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{prefix}{kind.__qualname__}"


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - a message of someone else's class
        return ""


def _working_directory(root: Path, redactor: Redactor) -> str | None:
    try:
        folder = os.getcwd()  # noqa: PTH109 - the text is wanted
    except FileNotFoundError:
        return None
    return redactor.text(placed(folder, root))
