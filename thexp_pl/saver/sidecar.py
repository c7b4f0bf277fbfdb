"""The JSON sidecar: the user's info and, under `_record`, the commit record of the file."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from thexp_pl import __version__
from thexp_pl.atomic import read_bytes
from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.jsonable import dumps, to_jsonable
from thexp_pl.saver.names import sidecar_path

__all__ = [
    "DamagedError",
    "Record",
    "Sidecar",
    "now",
    "plain_info",
    "read_sidecar",
    "versions",
    "world_size",
]

LIMIT_BYTES = 64 << 20
RECORD_KEY = "_record"
CHECK_KEY = "sidecar_sha256"  # in the record, of all else in the sidecar


class DamagedError(CheckpointError):
    """A file that is missing or not the one its sidecar records; an older one should be taken."""


@dataclass(frozen=True)
class Record:
    """What a Saver writes down about one file.

    Args:
        kind: ``"checkpoint"``, ``"keypoint"`` or ``"model"``.
        epoch: The epoch given.
        step: The step given, or None.
        order: How many saves of this kind the folder had seen before: what "newest" goes by.
        bytes: Size of the file.
        sha256: Its hash, in hexadecimal.
        run_key: The run that wrote it, or None outside a run.
        world_size: Number of processes of the training.
        versions: Of Python and of the libraries that wrote it.
        time: When it was committed, ISO 8601 in UTC.
        best: By what the best of its folder are kept, as ``{"monitor": "loss", "mode": "min"}``:
            the value is that of the info's key `monitor`. None where none are.
        rows: The part of the run's ``metrics.csv`` that came before, as ranges of bytes; see
            `thexp_pl.record.metrics.history`. None where that is not known.
    """

    kind: str
    epoch: int
    step: int | None
    order: int
    bytes: int
    sha256: str
    run_key: str | None
    world_size: int
    versions: dict[str, str]
    time: str
    best: dict[str, str] | None = None
    rows: list[list[int]] | None = None


RECORD_NAMES = frozenset(field.name for field in fields(Record))
REQUIRED_NAMES = RECORD_NAMES - {"best", "rows"}  # the earliest sidecars have none


@dataclass(frozen=True)
class Sidecar:
    """A sidecar as read: the user's keys, and the record (None in those that thexp wrote)."""

    info: dict[str, Any]
    record: Record | None

    def encode(self) -> bytes:
        """Spell it as JSON: the user's keys first, as thexp's readers expect them.

        Raises:
            UsageError: It is larger than what is read back.
        """
        content = dict(self.info)
        if self.record:
            record = asdict(self.record)
            content[RECORD_KEY] = {**record, CHECK_KEY: _check(self.info, record)}
        data = dumps(content, indent=2) + b"\n"
        if len(data) > LIMIT_BYTES:
            raise UsageError(
                f"the info makes a sidecar of {len(data)} bytes, and {LIMIT_BYTES} are read back:"
                " put what is large into the state"
            )
        return data


def plain_info(info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Convert a user's info to what JSON can hold; `thexp_pl.jsonable` says what becomes of what.

    Args:
        info: The user's keys and values, or None for nothing.

    Raises:
        UsageError: It is no dict, or takes the Saver's own key.

    >>> plain_info({"loss": float("nan"), "topk": (1, 5), 3: True})
    {'loss': 'NaN', 'topk': [1, 5], '3': True}
    """
    if info is None:
        return {}
    if not isinstance(info, Mapping):
        raise UsageError(f"info is a {type(info).__name__}, but must be a dict")
    plain: dict[str, Any] = to_jsonable(info)
    if RECORD_KEY in plain:
        raise UsageError(f"info[{RECORD_KEY!r}] is the Saver's own key: rename yours")
    return plain


def read_sidecar(path: Path) -> Sidecar:
    """Read the sidecar of a file.

    Args:
        path: The checkpoint, keypoint or model, not the JSON file.

    Raises:
        DamagedError: The sidecar is missing, cannot be read or is no sidecar.
    """
    beside = sidecar_path(path)
    try:
        data = read_bytes(beside, limit=LIMIT_BYTES)
    except FileNotFoundError:
        raise DamagedError(
            f"{path} has no sidecar {beside.name}: it was not saved to its end, or not by a Saver"
        ) from None
    except OSError as error:
        raise DamagedError(f"{beside} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DamagedError(f"{beside} is damaged: it is {error}") from error
    try:
        content = json.loads(data)  # not strict: thexp wrote a bare NaN
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{beside} is damaged: it is no JSON ({error})") from error
    if content is None:  # what thexp writes without an info
        content = {}
    if not isinstance(content, dict):
        raise DamagedError(f"{beside} is damaged: a sidecar is a JSON object")
    if RECORD_KEY in content:
        return _with_record(content, content.pop(RECORD_KEY), beside)
    if any(
        isinstance(value, dict) and value.keys() >= REQUIRED_NAMES for value in content.values()
    ):
        raise DamagedError(f"{beside} is damaged: its {RECORD_KEY} stands under another name")
    return Sidecar(content, None)


def _with_record(info: dict[str, Any], content: Any, beside: Path) -> Sidecar:
    """Check a record from disk; keys that a later version added are passed over."""
    if not isinstance(content, dict) or not content.keys() >= REQUIRED_NAMES:
        raise DamagedError(f"{beside} is damaged: its {RECORD_KEY} is incomplete")
    check = content.pop(CHECK_KEY, None)  # the earliest sidecars have none
    if check is not None and check != _check(info, content):
        raise DamagedError(f"{beside} is damaged: its {CHECK_KEY} is not that of its content")
    record = Record(**{name: content[name] for name in RECORD_NAMES & content.keys()})
    numbers = (record.epoch, record.order, record.bytes)
    if any(type(number) is not int for number in numbers) or not isinstance(record.sha256, str):
        raise DamagedError(f"{beside} is damaged: its {RECORD_KEY} holds values of a wrong type")
    return Sidecar(info, record)


def _check(info: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumps([info, record])).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that make a checkpoint what it is."""
    found = {"python": platform.python_version(), "thexp_pl": __version__}
    # never imported from here: a Saver works without Lightning, and a reader without torch
    for name in ("torch", "pytorch_lightning"):
        if name in sys.modules:
            found[name] = str(sys.modules[name].__version__)
    return found


def world_size() -> int:
    """Number of processes that train together."""
    distributed: Any = getattr(sys.modules.get("torch"), "distributed", None)
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_world_size())
    return 1


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
