"""The state of a loader as plain values, and reading it back as if it were hostile."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from thexp_pl.data.course import Place
from thexp_pl.data.seeding import MAX_SEED
from thexp_pl.data.stream import Copies, Copy
from thexp_pl.errors import CheckpointError

__all__ = ["count", "read_state", "write_state"]

MAX_COUNT = 2**62
MAX_WORKERS = 2**16


def write_state(seed: int | None, place: Place, size: int | None) -> dict[str, Any]:
    """Spell a place out; see `ExactDataLoader.state_dict`."""
    return {
        "seed": seed,
        "epoch": place.epoch,
        "batches": place.batches,
        "samples": place.samples,
        "world": place.world,
        "named": place.named,
        "size": size,
        "copies": None if place.parts is None else _spelled(place.parts),
    }


def read_state(state: Mapping[str, Any], size: int | None) -> tuple[int | None, Place]:
    """Read a state of `write_state`.

    Args:
        state: The state, from whatever file.
        size: The length of the dataset now, or None where it does not count.

    Returns:
        The seed, or None where it was not settled, and the place.

    Raises:
        CheckpointError: It is no such state, or that of a dataset of another length.
    """
    try:
        seed = None if state["seed"] is None else count(state, "seed", MAX_SEED)
        place = Place(
            epoch=count(state, "epoch"),
            batches=count(state, "batches"),
            samples=count(state, "samples"),
            world=count(state, "world", least=1),
            named=None if state["named"] is None else count(state, "named"),
            parts=None if state["copies"] is None else _copies(state["copies"]),
        )
        then = None if state["size"] is None else count(state, "size")
    except (LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise CheckpointError(f"this is no state of an ExactDataLoader: {reason}") from error
    if place.batches and size is not None and then is not None and then != size:
        raise CheckpointError(
            f"the loader's state was saved with a dataset of {then} samples, and this one has "
            f"{size}: the rest of epoch {place.epoch} would be another; resume with that dataset, "
            "or at the start of an epoch"
        )
    if size is not None:
        _check_cut(place, size)
    return seed, place


def _check_cut(place: Place, size: int) -> None:
    """Refuse a place that even batches of so many samples never reach."""
    batches, samples = place.batches, place.samples
    cut = samples % (batches * place.world) == 0 if batches else not samples
    if not cut or bool(samples) != bool(batches) or samples >= max(size, 1):
        raise CheckpointError(
            f"the loader's state stands after {batches} batches and {samples} samples of an epoch "
            f"of {size}, where none of its {place.world} processes ever stood; resume from another "
            "checkpoint"
        )


def count(state: Mapping[str, Any], name: str, most: int = MAX_COUNT, least: int = 0) -> int:
    """Read a whole number of a state.

    Raises:
        LookupError: There is none of that name.
        ValueError: It is none, or out of range.
    """
    value = state[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name}={value!r}")
    return value


def _spelled(copies: Copies) -> dict[str, Any]:
    each = [
        {
            "items": copy.items,
            "ended": copy.ended,
            # pickled by the worker at that moment: the dataset's own state, for the checkpoint
            "state": None if copy.state is None else pickle.loads(copy.state),
        }
        for copy in copies.each
    ]
    return {"workers": copies.workers, "turn": copies.turn, "each": each}


def _copies(state: Mapping[str, Any]) -> Copies:
    workers, each = count(state, "workers", MAX_WORKERS), state["each"]
    if not isinstance(each, Sequence) or len(each) != max(1, workers):
        raise ValueError(f"{workers} workers, and not as many states")
    return Copies(workers, count(state, "turn"), tuple(_copy(one) for one in each))


def _copy(state: Mapping[str, Any]) -> Copy:
    if type(state["ended"]) is not bool:
        raise ValueError(f"ended={state['ended']!r}")
    own = state["state"]
    return Copy(count(state, "items"), state["ended"], None if own is None else pickle.dumps(own))
