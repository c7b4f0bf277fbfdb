"""What is said beside statistics: which runs are not in them, and what makes them doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from thexp_pl.compare.stats.repeats import SETUP, Repeats
from thexp_pl.compare.stats.summary import Group
from thexp_pl.compare.values import MISSING, identity
from thexp_pl.record.names import shown
from thexp_pl.runs.row import RunRow

__all__ = ["doubts_of", "named", "notes_of"]

_MOST_NAMED = 5


def named(names: Sequence[str]) -> str:
    """Write some names, of many the first.

    >>> named(["a", "b"]), named(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def notes_of(
    given: Sequence[RunRow], counted: Sequence[RunRow], found: Sequence[Repeats], seed: str
) -> list[str]:
    """Say which runs are not counted, and what a repeat is.

    Args:
        given: All runs.
        counted: Those that have finished, or count although they have not.
        found: The groups.
        seed: The parameter that is the seed, or empty.

    Returns:
        Sentences without a full stop.
    """
    notes = []
    states = Counter(run.status for run in given) - Counter(run.status for run in counted)
    if states:
        which = ", ".join(f"{count} {status}" for status, count in sorted(states.items()))
        notes.append(f"left out: {which}; --all takes in those that are not damaged")
    copies = [key for repeats in found for key in repeats.copies]
    if copies:
        notes.append(
            f"left out: {named(copies)}, of which a newer run is counted that is the same run gone"
            " on with or reproduced"
        )
    if not seed and found:
        notes.append(
            "no parameter is called seed, so every run counts as a repeat of its own, and none are"
            " paired; --seed NAME names another (the seed that `seed_everything` set is in the"
            " run's manifest only)"
        )
    if any(len(repeats.repeats) == 1 for repeats in found):
        notes.append("a group of one run has neither a deviation nor an interval")
    return notes


def doubts_of(found: Sequence[Repeats], groups: Sequence[Group], *, mix: bool) -> Iterator[str]:
    """Say what makes statistics doubtful.

    Args:
        found: The groups' runs.
        groups: What became of them, in the same order.
        mix: Runs of different code, packages or Python were left together.

    Yields:
        Sentences without a full stop.
    """
    yield from _setups(found, groups, mix)
    for repeats, group in zip(found, groups, strict=True):
        label = f"group {group.number}"
        yield from _seeds(repeats, label)
        for title, measured in group.metrics.items():
            runs = f"of {len(group.keys)} runs"
            if gone := measured.diverged:
                yield (
                    f"{label}: {shown(title)} is not finite in {len(gone)} {runs}, which its mean"
                    f" leaves out: {named(gone)}"
                )
            if gone := measured.missing:
                yield f"{label}: {len(gone)} {runs} have no {shown(title)}: {named(gone)}"
        spread = [own.sample for own in group.metrics.values() if own.sample.n > 1]
        if spread and len(group.seeds) > 1 and all(sample.min == sample.max for sample in spread):
            yield (
                f"{label}: all {len(group.seeds)} seeds gave the same values: the seed may have no"
                " effect"
            )


def _setups(found: Sequence[Repeats], groups: Sequence[Group], mix: bool) -> Iterator[str]:
    if mix:
        for repeats, group in zip(found, groups, strict=True):
            names = [name for name in SETUP if repeats.setup[name] is MISSING]
            if names:
                yield (
                    f"group {group.number} joins runs that differ in {_and(names)}: each counts,"
                    " and in pairs those of one seed with their mean"
                )
        return
    alike: dict[object, list[Group]] = {}
    for group in groups:
        rest = tuple((n, identity(v)) for n, v in group.values.items() if n not in SETUP)
        alike.setdefault(rest, []).append(group)
    split = [own for own in alike.values() if len(own) > 1]
    for own in split:
        numbers = [str(group.number) for group in own]
        names = [
            name for name in SETUP if len({identity(group.values.get(name)) for group in own}) > 1
        ]
        yield (
            f"the groups {named(numbers)} differ in {_and(names)} only; --mix joins them, and"
            " `thexp-pl diff A B` shows the difference"
        )
    told = {name for group in groups for name in group.values if name in SETUP}
    if told and not split:
        yield (
            f"the groups differ in {_and(sorted(told))} as well: what the tests find may come from"
            " that"
        )


def _seeds(repeats: Repeats, label: str) -> Iterator[str]:
    counts = Counter(one.unit for one in repeats.repeats)
    again = sorted({str(one.seed) for one in repeats.repeats if counts[one.unit] > 1})
    if again:
        yield (
            f"{label}: several runs are the same with seed {named(again)}; they count once, with"
            " their mean"
        )
    bare = [one.run.key for one in repeats.repeats if one.seed is MISSING]
    if bare and len(bare) < len(repeats.repeats):
        yield f"{label}: {len(bare)} runs have no seed: {named(bare)}"


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
