"""RndManager: random states kept under names, so that a place in a program draws the same again."""

from __future__ import annotations

import os
import secrets
import unicodedata
from pathlib import Path
from typing import Any, Literal

import torch

from thexp_pl.errors import CheckpointError, UsageError, near_miss
from thexp_pl.record.facts.random_states import SUFFIX, read_states, write_states
from thexp_pl.rnd.states import MAX_SEED, get_state, seed_all, set_state

__all__ = ["RndManager"]

MAX_NAME_BYTES = 200  # file systems allow 255


class RndManager:
    """Named random states in a folder, one JSON file each, readable on any machine.

    A run's own folder ``rnd`` holds the states that it began with as ``start``.

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
        try:
            write_states(path, _listed(get_state()))
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
            states = read_states(path)
        except FileNotFoundError:
            known = [found.stem for found in self.dir.glob(f"*{SUFFIX}")]
            raise CheckpointError(
                f"no random state {name!r} in {self.dir}{near_miss(name, known)}"
            ) from None
        except OSError as error:
            raise CheckpointError(f"cannot load {path}: {error.strerror}") from error
        except ValueError as error:
            raise CheckpointError(f"{path} {error}") from error
        set_state(states)

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
