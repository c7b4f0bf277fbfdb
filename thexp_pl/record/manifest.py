"""run.json: what is known of a run. Its schema, and reading it; `describing` is the writing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json
from thexp_pl.record.inside import check_inside
from thexp_pl.record.names import shown
from thexp_pl.record.sealed import SEAL

__all__ = ["SCHEMA", "SCHEMA_FILE", "gathered_later", "now_text", "read_manifest"]

SCHEMA = 2
SCHEMA_FILE = Path(__file__).parent / "schema" / f"run-{SCHEMA}.schema.json"
_MAX_BYTES = 16 << 20
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
    "sweep": (dict, _NONE),
    "world_size": (int, _NONE),
}
_OF_OBJECTS = ("gpus", "uses")


def gathered_later() -> dict[str, Any]:
    """Give what a manifest holds before it is gathered, or where an early release had none."""
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


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest that may be damaged or hostile, of this release or of one before.

    Args:
        path: The file.

    Returns:
        The manifest; every key that `new_manifest` names with a text, a number, a list or an
        object has one. What a release before did not write is as `new_manifest` begins with it.

    Raises:
        OSError: It cannot be read, or a link leads out of the run's folder.
        ValueError: It is no manifest, or one of a later version.
    """
    check_inside(path, path.parent)
    manifest = read_json(path, limit=_MAX_BYTES)
    if not isinstance(manifest, dict):
        raise ValueError("not a JSON object")
    _check_schema(manifest.get("schema"))
    manifest = {**gathered_later(), "sweep": None, **manifest}  # only a run of a sweep names it
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
