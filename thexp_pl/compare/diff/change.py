"""One thing that differs between two runs, and two mappings compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.values import MISSING, identity

__all__ = ["Change", "changes"]


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Args:
        name: What it is called.
        a: What it is in the first run; `thexp_pl.compare.values.MISSING` where that has none.
        b: The same of the second run.
    """

    name: str
    a: Any
    b: Any

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns:
            ``name``, ``a`` and ``b``; what a run does not have is no entry.
        """
        sides = {"a": self.a, "b": self.b}
        return {"name": self.name, **{k: v for k, v in sides.items() if v is not MISSING}}


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    """Go through what differs between two mappings.

    Args:
        a: JSON values by name.
        b: Others.

    Yields:
        The changes, in the order of the names: those of `a`, then what only `b` has.

    >>> [change.to_dict() for change in changes({"lr": 0.1, "seed": 1}, {"lr": 0.2, "seed": 1})]
    [{'name': 'lr', 'a': 0.1, 'b': 0.2}]
    """
    for name in {**a, **b}:
        one, other = a.get(name, MISSING), b.get(name, MISSING)
        if identity(one) != identity(other):
            yield Change(name, one, other)
