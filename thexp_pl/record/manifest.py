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
from thexp_pl.record.process import process_identity
from thexp_pl.record.redact import Redactor

__all__ = ["SCHEMA", "cause_of", "kept_params", "new_manifest", "now_text", "read_manifest"]

SCHEMA = 1
_MAX_BYTES = 16 << 20
_MAX_MESSAGE = 10_000
_MAX_TEXT = 100_000  # characters of one text among the parameters
_MAX_PARAMS = 4 << 20  # characters of all parameters as JSON
_PACKAGES = ("thexp-pl", "torch", "pytorch-lightning")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "experiment": str,
    "status": str,
    "start": str,
    "params": dict,
    "metrics": dict,
    "process": dict,
    "end": (str, type(None)),
    "seconds": (int, float, type(None)),
    "cause": (dict, type(None)),
}


def new_manifest(paths: RunPaths, redactor: Redactor) -> dict[str, Any]:
    """Describe a run that starts now in this process.

    Args:
        paths: Where it is.
        redactor: Takes secrets out of the command line.

    Returns:
        The manifest: ``schema``, ``key``, ``experiment``, ``path`` (from the root), ``argv``,
        ``command`` (as a shell takes it), ``cwd``, ``start`` (ISO 8601 with its offset), ``end``,
        ``seconds``, ``status`` (as written; `compute_status` judges), ``cause`` (of the end),
        ``process``, ``python``, ``packages``, ``params`` and ``metrics``.
    """
    return {
        "schema": SCHEMA,
        "key": paths.key,
        "experiment": paths.experiment,
        "path": paths.relative,
        "argv": redactor.argv(sys.argv),
        "command": redactor.command(sys.orig_argv),
        "cwd": _working_directory(),
        "start": now_text(),
        "end": None,
        "seconds": None,
        "status": "running",
        "cause": None,
        "process": process_identity(),
        "python": platform.python_version(),
        "packages": _versions(),
        "params": {},
        "metrics": {},
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
            "message": redactor.text(cut(_message(exception), _MAX_MESSAGE)),
        }
    if signal_name is not None:
        cause["signal"] = signal_name
    return cause or None


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
    """Read a manifest that may be damaged or hostile.

    Args:
        path: The file.

    Returns:
        The manifest; every key that `new_manifest` names with a text, a number or an object has
        one.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no manifest, or one of another version.
    """
    manifest = read_json(path, limit=_MAX_BYTES)
    if not isinstance(manifest, dict):
        raise ValueError("not a JSON object")
    if manifest.get("schema") != SCHEMA:
        schema = shown(str(manifest.get("schema")))
        raise ValueError(f"its schema is {schema}, and this thexp_pl reads {SCHEMA}")
    for name, kind in _KINDS.items():
        if not isinstance(manifest.get(name), kind):
            raise ValueError(f"{name!r} is missing or of the wrong kind")
    if datetime.fromisoformat(manifest["start"]).tzinfo is None:
        raise ValueError("'start' has no offset from UTC")
    return manifest


def _kind(exception: BaseException) -> str:
    kind = type(exception)
    prefix = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{prefix}{kind.__qualname__}"


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - a message of someone else's class
        return ""


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - the text is wanted
    except FileNotFoundError:
        return None


def _versions() -> dict[str, str | None]:
    from importlib import metadata  # 40 ms, for the writer only

    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions
