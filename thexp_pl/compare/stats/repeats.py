"""Which runs are repeats of one another: the groups that statistics are made of."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.columns import Column, Table, find_column
from thexp_pl.compare.groups import grouped
from thexp_pl.compare.values import MISSING, differ, identity, rank
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.runs.row import RunRow

__all__ = ["SETUP", "Repeat", "Repeats", "find_repeats", "find_seed"]

SETUP = ("code", "packages", "python")  # what repeats have in common besides what they are given


@dataclass(frozen=True)
class Repeat:
    """One run among its repeats.

    Args:
        run: The run.
        seed: Its seed; `MISSING` where it has none.
        unit: The same for runs that are the same again (all parameters, the seed included, and the
            code, packages and Python are the same): their values count together as one.
    """

    run: RunRow
    seed: Any
    unit: Hashable


@dataclass(frozen=True)
class Repeats:
    """A group of repeated runs.

    Args:
        values: What tells it from the other groups, by the names of parameters and facts.
        setup: Its code, packages and Python, by name; `MISSING` where they are not one.
        repeats: Its runs.
        copies: Keys of runs that are left out: a newer one came from the same run with its seed.
    """

    values: dict[str, Any]
    setup: dict[str, Any]
    repeats: tuple[Repeat, ...]
    copies: tuple[str, ...]


def find_seed(name: str, rows: Sequence[RunRow]) -> str:
    """Find the parameter that is the seed.

    Args:
        name: Its dotted name; empty for ``seed``, or else the one parameter whose last part that
            is.
        rows: The runs.

    Returns:
        Its name; empty where none was given and there is none.

    Raises:
        UsageError: No run has it, or several could be meant.
    """
    known = Table(rows).param_names
    if name:
        plain = name if name in known else name.removeprefix("params.")
        if known and plain not in known:
            raise UsageError(f"these runs have no parameter {shown(name)}{near_miss(name, known)}")
        return plain
    if "seed" in known:
        return "seed"
    found = [one for one in known if one.endswith(".seed")]
    if len(found) > 1:
        raise UsageError(
            f"{shown(found[0])} and {shown(found[1])} could both be the seed: say which with --seed"
        )
    return found[0] if found else ""


def find_repeats(
    rows: Sequence[RunRow],
    by: Sequence[str] | None,
    seed: str,
    *,
    mix: bool,
    parents: Mapping[str, str],
) -> list[Repeats]:
    """Group the runs that are repeats of one another.

    Args:
        rows: The runs.
        by: Names of what makes the groups; None for all parameters but the seed, and the
            experiment.
        seed: The parameter that is the seed, or empty.
        mix: Leave runs together whose code, packages or Python differ.
        parents: By key from which run each came, also of runs that are not among `rows`: a copy of
            a copy is one too.

    Returns:
        The groups, in the order of their values; none of no runs. Each run is in one of them, be it
        as a copy.

    Raises:
        UsageError: There is nothing of a name.
    """
    if not rows:  # no name could be found in them
        return []
    table = Table(rows)
    columns = _columns(table, by, seed)
    cells = [_cells(table, column, seed if by is None else "") for column in columns]
    # of what was not asked for only that which differs
    told = [place for place, own in enumerate(cells) if by is not None or differ(own)]
    for column in () if mix else (Column("fact", name) for name in SETUP):
        if column not in columns and differ(table.values(column)):
            told.append(len(columns))
            columns.append(column)
            cells.append(table.values(column))
    titles = _titles([columns[place] for place in told])
    found = []
    for values, places in grouped(cells, len(rows)):
        own = [_repeat(rows[place], table.params[place], seed) for place in places]
        kept, copies = _without_copies(own, parents)
        named = {title: values[place] for title, place in zip(titles, told, strict=True)}
        found.append((values, Repeats(named, _setup(own), kept, copies)))
    found.sort(key=lambda pair: [rank(value) for value in pair[0]])
    return [repeats for _, repeats in found]


def _columns(table: Table, by: Sequence[str] | None, seed: str) -> list[Column]:
    if by is None:
        names = sorted(name for name in table.param_names if name != seed)
        return [Column("fact", "experiment"), *(Column("param", name) for name in names)]
    columns = list(dict.fromkeys(find_column(word, table) for word in by))
    if Column("param", seed) in columns:
        raise UsageError(f"runs of one seed {shown(seed)} are no repeats: group by something else")
    return columns


def _cells(table: Table, column: Column, seed: str) -> list[Any]:
    values = table.values(column)
    if column.full != "experiment" or not seed:
        return values
    # an experiment may be named after its parameters: the seed's value is no difference
    last = re.escape(seed.rpartition(".")[2])
    whole = r"(?<![A-Za-z0-9])({}=){}(?![A-Za-z0-9]|\.[0-9])"
    return [
        re.sub(whole.format(last, re.escape(str(own.get(seed)))), r"\1*", str(name))
        for name, own in zip(values, table.params, strict=True)
    ]


def _titles(columns: Sequence[Column]) -> list[str]:
    short = [column.title for column in columns]
    return [column.full if short.count(column.title) > 1 else column.title for column in columns]


def _setup(repeats: Sequence[Repeat]) -> dict[str, Any]:
    values = {name: [getattr(repeat.run, name) for repeat in repeats] for name in SETUP}
    return {name: MISSING if differ(own) else own[0] for name, own in values.items()}


def _repeat(run: RunRow, params: dict[str, Any], seed: str) -> Repeat:
    value = params.get(seed, MISSING) if seed else MISSING
    if value is MISSING:
        return Repeat(run, value, (str(run.root), run.key))
    setup = tuple(identity(getattr(run, name)) for name in SETUP)
    given = tuple(sorted((name, identity(own)) for name, own in params.items()))
    return Repeat(run, value, (setup, given))


def _without_copies(
    repeats: Sequence[Repeat], parents: Mapping[str, str]
) -> tuple[tuple[Repeat, ...], tuple[str, ...]]:
    """Keep of the runs that came from one another, with one seed, the newest."""
    newest: dict[Hashable, int] = {}
    age = [(repeat.run.started, repeat.run.key, str(repeat.run.root)) for repeat in repeats]
    for place in sorted(range(len(repeats)), key=age.__getitem__):
        repeat = repeats[place]
        newest[_origin(repeat.run, parents), identity(repeat.seed)] = place
    kept = set(newest.values())
    return (
        tuple(repeat for place, repeat in enumerate(repeats) if place in kept),
        tuple(repeat.run.key for place, repeat in enumerate(repeats) if place not in kept),
    )


def _origin(run: RunRow, parents: Mapping[str, str]) -> str:
    key, seen = run.key, {run.key}
    while (above := parents.get(key)) and above not in seen:
        key = above
        seen.add(key)
    return key
