"""Datasets and samplers with a state of their own: how one was made, and back to any place."""

from __future__ import annotations

import pickle
from typing import Any

from thexp_pl.errors import CheckpointError

__all__ = ["Standing", "keeps_state"]


def keeps_state(owner: object) -> bool:
    """Tell whether a dataset or a sampler keeps its own state, by torchdata's protocol."""
    methods = (getattr(owner, name, None) for name in ("state_dict", "load_state_dict"))
    return all(map(callable, methods))


class Standing:
    """How an owner of a state was made, so that it can be put back there."""

    def __init__(self) -> None:
        self._first: bytes | None = None  # before its first item; empty where it could not say
        self.noted: object = None  # what an iteration noted last of where all copies stand

    @property
    def as_made(self) -> bool:
        """Whether the owner was never told to begin."""
        return self._first is None

    def put(self, owner: Any, state: bytes | None) -> bool:
        """Put the owner where it is to begin.

        Args:
            owner: The dataset or sampler, always the same one.
            state: Its state there, pickled, or None for how it was made.

        Returns:
            Whether a state was loaded.

        Raises:
            CheckpointError: It is to begin as it was made, and its state then is not known.
        """
        as_made = self.as_made
        if self._first is None:
            self._first = _state_before(owner)
        if as_made and state is None:
            return False
        wanted = self._first if state is None else state
        if not wanted:
            raise CheckpointError(
                f"{type(owner).__name__} has moved on, and cannot begin again: its state_dict() "
                "failed before its first item; have it work there, or make it anew"
            )
        owner.load_state_dict(pickle.loads(wanted))
        return True


def _state_before(owner: Any) -> bytes:
    try:
        return pickle.dumps(owner.state_dict())
    except Exception:  # noqa: BLE001 - not every one has a state before its iterator
        return b""
