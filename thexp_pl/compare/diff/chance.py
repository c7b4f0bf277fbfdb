"""From which chance two runs began: seeds and random states."""

from __future__ import annotations

from typing import Any

from thexp_pl.compare.diff.change import Change, changes
from thexp_pl.compare.values import MISSING
from thexp_pl.record.facts.random_states import read_states
from thexp_pl.runs.run import Run

__all__ = ["diff_random"]

# These two take their first state from the system, unless a script seeds them; torch does not.
_SELF_SEEDED = ("python", "numpy")


def diff_random(a: Run, b: Run) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Compare seeds, and the states of the random generators at the start.

    A state that nothing is known to have seeded is another one in every run: that is told, and
    is no difference.

    Args:
        a: A run.
        b: Another.

    Returns:
        ``seeds.*`` and ``states.*``, the latter as the SHA-256 of each generator's state; and what
        else there is to say.
    """
    one, other = a.manifest["seeds"], b.manifest["seeds"]
    found = [
        Change(f"seeds.{change.name}", change.a, change.b)
        for change in changes(one, other)
        # Where torch was loaded later, it had drawn nothing at the start.
        if change.name != "torch" or MISSING not in (change.a, change.b)
    ]
    facts = [run.manifest["random_states"] or {} for run in (a, b)]
    if None in (hashes := [fact.get("sha256") for fact in facts]) or hashes[0] == hashes[1]:
        return tuple(found), ()
    try:
        states = [_digests(run) for run in (a, b)]
    except (OSError, ValueError) as error:
        return tuple(found), (f"the random states at the start cannot be compared: {error}",)
    is_seeded = "PL_GLOBAL_SEED" in one or "PL_GLOBAL_SEED" in other
    unseeded = []
    for change in changes(*states):
        if MISSING in (change.a, change.b):  # of one that is not loaded nothing was drawn
            continue
        if change.name in _SELF_SEEDED and not is_seeded:
            unseeded.append(change.name)
        else:
            found.append(Change(f"states.{change.name}", change.a, change.b))
    names = " and ".join(unseeded)
    told = (f"the random states of {names} differ, as they do where nothing seeds them",)
    return tuple(found), told if unseeded else ()


def _digests(run: Run) -> dict[str, Any]:
    import hashlib

    states = read_states(run.paths.start_state)
    return {
        name: hashlib.sha256(repr(state).encode()).hexdigest()
        for name, state in states.items()
        if state
    }
