"""RndManager: random states kept under names, so that a place in a program draws the same again."""

from __future__ import annotations

import hashlib
import os
import secrets
import unicodedata
from pathlib import Path
from typing import Any, Literal

import torch

from thexp_pl.atomic import read_json, write_bytes
from thexp_pl.errors import CheckpointError, UsageError, near_miss
from thexp_pl.jsonable import dumps
from thexp_pl.rnd.states import MAX_SEED, get_state, seed_all, set_state

__all__ = ["RndManager"]

FORMAT = "thexp_pl random state 1"
SUFFIX = ".rnd"
MAX_NAME_BYTES = 200  # file systems allow 255


class RndManager:
    """Named random states in a folder, one JSON file each, readable on any machine.

    Args:
        dir: The folder; made if it is missing.

    Raises:
        CheckpointError: The folder cannot be made.
        UsageError: It can be no path.

    >>> import random, tempfile
    >>> manager = RndManager(tempfile.mkdtemp())
    >>> manager.mark("split")
    'saved'
    >>> first = random.random()
    >>> manager.mark("split"), random.random() == first
    ('restored', True)
    """

    def __init__(self, dir: str | os.PathLike[str]) -> None:
        try:
            self.dir = Path(dir).absolute()  # a later chdir must not move it
            self.dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot make {os.fspath(dir)}: {error.strerror}") from error
        except ValueError as error:  # a NUL character
            raise UsageError(f"{dir!r} is no path: {error}") from error

    def mark(self, name: str) -> Literal["saved", "restored"]:
        """Make what follows draw the same numbers every time: save the state once, then restore it.

        Args:
            name: Which place in the program this is; see `save`.

        Returns:
            ``"saved"`` the first time, ``"restored"`` ever after.

        Raises:
            UsageError: As `save`.
            CheckpointError: As `save` and `load`.
        """
        if self._path(name).exists():
            self.load(name)
            return "restored"
        self.save(name)
        return "saved"

    def shuffle(self) -> int:
        """Seed every generator anew from the operating system, as after a `mark` that fixed them.

        Returns:
            The seed, for `fix_seed` to repeat it.
        """
        seed = secrets.randbelow(MAX_SEED + 1)
        seed_all(seed)
        return seed

    def save(self, name: str) -> Path:
        """Save the present state under a name, over an older one of that name.

        Args:
            name: 1 to 200 bytes of printable text in any script, without slashes and not beginning
                with a dot: it is the file's name.

        Returns:
            The path of the file.

        Raises:
            UsageError: The name cannot be a file's name.
            CheckpointError: The disk refuses; an older state of that name is still there.
        """
        path = self._path(name)
        state = _listed(get_state())
        content = {"format": FORMAT, "name": path.stem, "sha256": _digest(state), "state": state}
        try:
            write_bytes(path, dumps(content) + b"\n")
        except OSError as error:
            raise CheckpointError(f"cannot save {path}: {error.strerror}") from error
        return path

    def load(self, name: str) -> None:
        """Restore the state saved under a name.

        Args:
            name: As in `save`.

        Raises:
            UsageError: As `save`.
            CheckpointError: There is no state of that name, or its file is damaged.
        """
        path = self._path(name)
        try:
            content = read_json(path)
        except FileNotFoundError:
            known = [found.stem for found in self.dir.glob(f"*{SUFFIX}")]
            raise CheckpointError(
                f"no random state {name!r} in {self.dir}{near_miss(name, known)}"
            ) from None
        except OSError as error:
            raise CheckpointError(f"cannot load {path}: {error.strerror}") from error
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged or no random state: {error}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CheckpointError(f"{path} is no random state of this version of thexp_pl")
        if content.get("name") != path.stem:  # "A" and "a" are one file to some file systems
            raise CheckpointError(f"{path} holds the random state {content.get('name')!r}")
        if content.get("sha256") != _digest(content.get("state")):
            raise CheckpointError(f"{path} is damaged: its sha256 does not fit its state")
        set_state(content["state"])

    def _path(self, name: str) -> Path:
        if (
            not isinstance(name, str)
            or not name
            or not name.isprintable()
            or name.startswith(".")
            or set(name) & set("/\\")
            or len(name.encode()) > MAX_NAME_BYTES
        ):
            shown = repr(name) if len(repr(name)) < 100 else f"{name[:60]!r}..."
            raise UsageError(
                f"{shown} cannot name a random state: it takes 1 to {MAX_NAME_BYTES} bytes of "
                "printable text, without slashes and not beginning with a dot"
            )
        return self.dir / (unicodedata.normalize("NFC", name) + SUFFIX)


def _listed(value: Any) -> Any:
    """The same state with lists in place of tensors."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_listed(item) for item in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


def _digest(state: Any) -> str:
    return hashlib.sha256(dumps(state)).hexdigest()
