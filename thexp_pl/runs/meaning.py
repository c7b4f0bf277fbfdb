"""The condition that a text means: a query, or a sweep's key."""

from __future__ import annotations

from thexp_pl.runs.index import Index
from thexp_pl.runs.keys import find_sweep
from thexp_pl.runs.query import Condition, compile_query
from thexp_pl.runs.query.condition import joined

__all__ = ["meant"]


def meant(index: Index, text: str, since: float | None = None) -> Condition:
    """Make the condition that a text means.

    Args:
        index: The index of the runs to look among, up to date.
        text: A query; the key of a sweep, or the beginning of just one, for its runs; or nothing,
            for all.
        since: Runs that started earlier are left out, seconds since 1970.

    Returns:
        The condition.

    Raises:
        QueryError: The query cannot be carried out as written.
        RecordError: The beginning of a key means several sweeps, or the sweep is damaged.
    """
    parts = [] if text == "" else [_condition(index, text)]
    if since is not None:
        parts.append(Condition("started >= ?", (since,)))
    return joined("AND", parts) if parts else Condition("")


def _condition(index: Index, text: str) -> Condition:
    sweep = find_sweep(index, text) if isinstance(text, str) else None
    if sweep is None:
        return compile_query(text)
    from thexp_pl.runs.sweeps import runs_of_sweep  # `list` without a sweep is as quick

    return runs_of_sweep(index, sweep)
