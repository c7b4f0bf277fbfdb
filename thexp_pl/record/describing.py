"""What a run writes into its manifest: how it was started, its parameters, what ended it."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.manifest import SCHEMA, gathered_later, now_text
from thexp_pl.record.names import cut
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.places import placed
from thexp_pl.record.process import process_identity
from thexp_pl.record.redact import Redactor
from thexp_pl.record.swept import sweep_entry

__all__ = ["cause_of", "changed_params", "kept_params", "new_manifest", "redacted_cut"]

_MAX_MESSAGE = 10_000
_MAX_TEXT = 100_000  # characters of one text among the parameters
_MAX_PARAMS = 4 << 20  # characters of all parameters as JSON


def new_manifest(paths: RunPaths, redactor: Redactor) -> dict[str, Any]:
    """Describe a run that starts now in this process.

    Args:
        paths: Where it is.
        redactor: Takes secrets out of the command line.

    Returns:
        The manifest, which the shipped JSON Schema describes: ``schema``, ``key``, ``experiment``,
        ``path`` (from the root), ``argv``, ``command`` (as a shell takes it), ``cwd`` (from the
        root where it can be, see `placed`), ``start`` (ISO 8601 with its offset), ``end``,
        ``seconds``, ``status`` (as written; `compute_status` judges), ``cause`` (of the end),
        ``process``, ``python``, ``sweep`` (of a run of one), and what is gathered later, empty or
        None until then.
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
        **gathered_later(),
        **sweep_entry(paths),
        "params": {},
        "metrics": {},
    }


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


def changed_params(before: dict[str, Any], now: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Say which parameters that were recorded have another value now, or none.

    Args:
        before: What `kept_params` gave.
        now: What it gives now.

    Returns:
        By dotted name ``old``, and ``new`` where there is a value.

    >>> changed_params({"optim": {"lr": 0.1}, "seed": 1}, {"optim": {"lr": 0.5}, "seed": 1})
    {'optim.lr': {'old': 0.1, 'new': 0.5}}
    """
    changed: dict[str, dict[str, Any]] = {}
    for name, old in before.items():
        new = now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = changed_params(old, new)
            changed |= {f"{name}.{within}": values for within, values in inner.items()}
        elif name not in now:
            changed[name] = {"old": old}
        elif old != new:
            changed[name] = {"old": old, "new": new}
    return changed


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, _MAX_TEXT)
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value


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
