"""A folder as a state: `state_dict` reads it as it is asked for, `load_state_dict` writes it.

::

    index.json                    the keys in their order, with file, size and SHA-256 of each
    encoder.weight.<sha256>.pt    one value, as `torch.save` writes it

The files of a new state are written beside those of the old one. Then the index is replaced in one
step, and at last the files go that it does not name: a kill at any moment leaves one state or the
other. A file's name tells its content, so a value that has not changed is not written again.

The values are files of `torch.save`, read with ``mmap=True``, and not safetensors: a value may be
whatever a state holds (an optimizer's groups, numbers, text), tensors that share memory within it
still do when they are read, and it takes no further package.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from thexp_pl.atomic import flush_folder, read_json
from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.jsonable import dumps
from thexp_pl.record.facts.hashing import ChangedError, hash_file
from thexp_pl.record.names import shown
from thexp_pl.saver.listing import as_path
from thexp_pl.saver.lock import locked

__all__ = ["StateFolder"]

INDEX = "index.json"
SCHEMA = 1
FILE_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*\.([0-9a-f]{64})\.pt")
SHOWN_OF_KEY = 40  # characters of a key that its file name shows
PART = ".tmp"


@dataclass(frozen=True)
class Entry:
    """A value as the index knows it."""

    key: str
    file: str
    bytes: int
    sha256: str


class StateFolder:
    """A folder of files with the interface of a state, one file for each key.

    Tensors that share memory across two keys are kept once for each. Several processes may write,
    in turns; while a value is written, it is held in memory a second time.

    Args:
        path: The folder; `load_state_dict` makes it if it is missing. Files that are not of a state
            may lie in it too.

    Raises:
        UsageError: `path` is no path.

    Source: an open wish of thexp's, "a folder as a unit, with the interface of state_dict".

    >>> import tempfile
    >>> folder = StateFolder(tempfile.mkdtemp())
    >>> folder.load_state_dict({"weight": torch.ones(2), "optim/lr": 0.1})
    >>> state = folder.state_dict()
    >>> state
    <a state of 2 keys: 'weight', 'optim/lr'>
    >>> state["weight"], dict(state)["optim/lr"]
    (tensor([1., 1.]), 0.1)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = as_path(path).absolute()  # a later chdir must not move it

    def state_dict(self, *, weights_only: bool = True) -> Mapping[str, Any]:
        """Give the state, each value read and validated when it is first asked for.

        Tensors are on the CPU and mapped from the file: what is not touched takes no memory, and
        what is changed changes in memory alone. Values that were read stay whole when another state
        is written; those that were not are then refused.

        Args:
            weights_only: Load tensors and plain values only; False lets the files run any code.

        Returns:
            The state, read-only; pickled or deep-copied it is a plain `OrderedDict`. Its values
            raise CheckpointError where a file is missing, damaged, or holds more than
            `weights_only` lets in.

        Raises:
            CheckpointError: The folder holds no state, or its index is damaged.
        """
        return _State(self.path, _read_index(self.path), weights_only)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Make a state the folder's content.

        Args:
            state_dict: The state; values are whatever `torch.save` takes, tensors on any device. It
                may be what `state_dict` gave, here or of another folder.

        Raises:
            UsageError: It is no mapping, or a key is no text that can be written down.
            CheckpointError: The disk refuses, or a value cannot be pickled or read; the state that
                was there before is still there.
        """
        if not isinstance(state_dict, Mapping):
            raise UsageError(f"a {type(state_dict).__name__} is no state: give a mapping")
        for key in state_dict:
            if not isinstance(key, str) or json.loads(dumps(key)) != key:
                raise UsageError(f"the key {key!r} cannot be written down: give text")
        doing = "write a state"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot {doing} in {self.path}: {error.strerror}") from error
        with locked(self.path, doing):
            try:
                entries = [self._keep(key, value) for key, value in state_dict.items()]
                flush_folder(self.path)
                values = [asdict(entry) for entry in entries]
                index = {"schema": SCHEMA, "values": values, "sha256": _check(values)}
                self._write(INDEX, dumps(index, indent=1) + b"\n")
                flush_folder(self.path)
            finally:
                self._sweep()

    def _keep(self, key: str, value: Any) -> Entry:
        buffer = io.BytesIO()
        try:
            torch.save(value, buffer)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise CheckpointError(f"cannot save the key {shown(key)}: {reason}") from error
        data = buffer.getvalue()
        sha256 = hashlib.sha256(data).hexdigest()
        entry = Entry(key, f"{_shown_in_name(key)}.{sha256}.pt", len(data), sha256)
        try:
            _verify(self.path, entry)
        except CheckpointError:
            self._write(entry.file, data)
        return entry

    def _write(self, name: str, data: bytes) -> None:
        part = self.path / f".{name}{PART}"
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / name)

    def _sweep(self) -> None:
        """Remove the files that no index names: those of the state before, or of one cut off."""
        with contextlib.suppress(OSError, CheckpointError):
            named = {entry.file for entry in _read_index(self.path).values()}
            for path in self.path.iterdir():
                written = path.name.removeprefix(".").removesuffix(PART)
                is_part = path.name == f".{written}{PART}"
                is_own = FILE_NAME.fullmatch(written) or (is_part and written == INDEX)
                if is_own and path.name not in named:
                    path.unlink()


class _State(Mapping[str, Any]):
    """What `StateFolder.state_dict` gives."""

    def __init__(self, folder: Path, entries: dict[str, Entry], weights_only: bool) -> None:
        self._folder = folder
        self._entries = entries
        self._weights_only = weights_only
        self._read: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        entry = self._entries[key]
        if key not in self._read:
            self._read[key] = _read_value(self._folder, entry, self._weights_only)
        return self._read[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries  # that of Mapping would read the value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<a state of {len(self)} keys: {', '.join(map(shown, self))}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # within a checkpoint it is plain, and `weights_only` loads it
        return OrderedDict, (), None, None, iter(self.items())


def _shown_in_name(key: str) -> str:
    # small letters: some file systems take `A` and `a` for one file
    return re.sub(r"[^a-z0-9._-]", "_", key.lower()[:SHOWN_OF_KEY]).lstrip(".-") or "_"


def _check(values: Any) -> str:
    return hashlib.sha256(dumps(values)).hexdigest()


def _read_index(folder: Path) -> dict[str, Entry]:
    path = folder / INDEX
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no state: it has no {INDEX}; load_state_dict writes one"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise CheckpointError(f"{path} is of schema {schema}, and this version reads {SCHEMA}")
    values = content.get("values") if schema == SCHEMA else None
    if not isinstance(values, list) or content.get("sha256") != _check(values):
        raise CheckpointError(f"{path} is damaged: it is not what was written there")
    try:
        entries = {entry.key: entry for entry in (Entry(**value) for value in values)}
    except TypeError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if len(entries) < len(values) or not all(map(_is_sound, entries.values())):
        raise CheckpointError(f"{path} is damaged: it names what no state has")
    return entries


def _is_sound(entry: Entry) -> bool:
    found = FILE_NAME.fullmatch(entry.file) if isinstance(entry.file, str) else None
    is_named = found is not None and found[1] == entry.sha256
    return is_named and isinstance(entry.key, str) and type(entry.bytes) is int


def _verify(folder: Path, entry: Entry) -> None:
    """Check that a value's file is what the index says."""
    what = f"the key {shown(entry.key)} of {folder}"
    try:
        digest = hash_file(folder / entry.file, lambda: False)
    except FileNotFoundError:
        raise CheckpointError(f"{what} is lost: there is no file {entry.file}") from None
    except (OSError, ChangedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{what}: its file {entry.file} cannot be read: {reason}") from error
    if (digest.bytes, digest.sha256) != (entry.bytes, entry.sha256):
        raise CheckpointError(f"{what} is damaged: its file {entry.file} is not what was written")


def _read_value(folder: Path, entry: Entry, weights_only: bool) -> Any:
    path = folder / entry.file
    try:
        _verify(folder, entry)
        return torch.load(path, map_location="cpu", weights_only=weights_only, mmap=True)
    except Exception as error:
        if _is_replaced(folder, entry):  # torch opens it several times, and may find it gone
            raise CheckpointError(
                f"the key {shown(entry.key)} is gone: another state was written to {folder}; take"
                " state_dict() anew"
            ) from None
        if isinstance(error, CheckpointError):
            raise
        reason = str(error).partition("\n")[0]
        if weights_only and isinstance(error, pickle.UnpicklingError):
            reason = (
                "it holds more than tensors and plain values; state_dict(weights_only=False) reads"
                " it, but lets the file run any code, so only do that with a file you trust"
            )
        raise CheckpointError(f"the key {shown(entry.key)} in {path}: {reason}") from error


def _is_replaced(folder: Path, entry: Entry) -> bool:
    try:
        return entry not in _read_index(folder).values()
    except CheckpointError:
        return False
