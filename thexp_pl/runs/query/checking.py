"""Names that no run has: misspelt ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from thexp_pl.errors import QueryError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.runs.query.names import AGGREGATES

__all__ = ["check_names"]

_MAX_LETTERS = 200  # difflib takes the square of them
_PLURALS = {"param": "params", "metric": "metrics"}


def check_names(names: Iterable[tuple[str, str]], known: Mapping[str, Collection[str]]) -> None:
    """Refuse a name of a query that not one run has; where no run is known, all names pass.

    Args:
        names: The parameters and metrics of a query, see `Condition`.
        known: Those of all runs, by ``param`` and ``metric``.

    Raises:
        QueryError: No run has one of them.

    >>> check_names([("param", "lr")], {"param": {"lr"}})
    """
    if not any(known.values()):
        return
    for kind, name in names:
        among = known.get(kind, ())
        if name in among:
            continue
        head, _, tail = name.rpartition(".")
        inner = sorted(one for one in among if one.startswith(f"{name}."))
        if inner:
            hint = f"; it holds {', '.join(shown(one)[1:-1] for one in inner[:3])}"
        elif kind == "metric" and head in among:
            hint = f"; of {shown(head)} there are {', '.join(AGGREGATES)}"
            hint += near_miss(tail[:_MAX_LETTERS], AGGREGATES)
        else:
            hint = near_miss(name[:_MAX_LETTERS], among)
        raise QueryError(f"no run has {_PLURALS[kind]}.{shown(name)[1:-1]}{hint}")
