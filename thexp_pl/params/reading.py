"""The values and how they are read: by attribute, item and dotted name; copies, equality."""

from __future__ import annotations

import copy
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from dataclasses import dataclass
from typing import Any, TypeVar

from thexp_pl.errors import ParamNameError, near_miss
from thexp_pl.params.bounds import Bound
from thexp_pl.params.plain import canonical

__all__ = ["StoredParams", "Unread"]

Self = TypeVar("Self", bound="StoredParams")


@dataclass(frozen=True)
class Unread:
    """Stands for a value that is found out when it is first read.

    Args:
        find: Gives the value.
        description: What people are shown until then.
    """

    find: Callable[[], Any]
    description: str

    def __repr__(self) -> str:
        return self.description


class StoredParams:
    """Named values, reached by attribute, item or dotted name; groups are values of this kind."""

    _values: dict[str, Any]
    _bounds: dict[str, Bound]  # by full dotted name; one dict for the Params and all its groups
    _path: str  # what stands before a name of this level: "" or, as in "optim.", the groups above
    _locked: bool

    def __new__(cls: type[Self], *_args: Any, **_kwargs: Any) -> Self:  # noqa: D102 - no public door
        # Here and not in __init__, so that pickle, copy and mixins that call several __init__s
        # all find one set of values.
        self = super().__new__(cls)
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_bounds", {})
        object.__setattr__(self, "_path", "")
        object.__setattr__(self, "_locked", False)
        return self

    # -- one value -------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what pickle, copy and notebooks ask for
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        value = self.stored(name)
        if isinstance(value, Unread):
            owner, _, leaf = name.rpartition(".")
            group = self.stored(owner) if owner else self
            value = group._values[leaf] = value.find()
        return value

    def stored(self, name: str) -> Any:
        """Give the value of a (dotted) name as it is stored: one not found out yet stays so.

        Raises:
            ParamNameError: If there is no such name.
        """
        head, dot, rest = str(name).partition(".")
        value = self._values.get(head)
        if dot and isinstance(value, StoredParams):
            return value.stored(rest)
        if dot or head not in self._values:
            where = self._path[:-1] or type(self).__name__
            raise ParamNameError(f"no parameter {name!r} in {where}{self.hint(name)}")
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Give the value of a (dotted) name, or the default where there is none."""
        if name not in self:
            return default
        return self[name]

    def __contains__(self, name: object) -> bool:
        head, dot, rest = str(name).partition(".")
        if not dot:
            return head in self._values
        group = self._values.get(head)
        return isinstance(group, StoredParams) and rest in group

    def hint(self, name: str, *, settable: bool = False) -> str:
        """Say which parameter was probably meant, as the end of an error message.

        Args:
            name: The (dotted) name that was not found.
            settable: Leave out the progress, which nobody sets.
        """
        head, dot, rest = str(name).partition(".")
        group = self._values.get(head)
        if dot and isinstance(group, StoredParams):  # the group is right: look inside it alone
            return group.hint(rest)
        names = dict.fromkeys([*self.flat(), *self._values])
        found = near_miss(
            str(name), [one for one in names if not (settable and self.is_progress(one))]
        )
        return found.replace("'", f"'{self._path}", 1)

    def is_progress(self, name: str) -> bool:
        """Say whether a name holds progress rather than a setting (never, unless overridden)."""
        return False

    # -- all values ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self._values})

    def keys(self) -> KeysView[str]:
        """Give the names, in the order in which they were set."""
        return self._values.keys()

    def values(self) -> ValuesView[Any]:
        """Give the values, groups as groups."""
        return self._read().values()

    def items(self) -> ItemsView[str, Any]:
        """Give the pairs of name and value, groups as groups."""
        return self._read().items()

    def _read(self) -> dict[str, Any]:
        for name in self._values:
            self[name]  # finds out what is unread
        return self._values

    def flat(self) -> dict[str, Any]:
        """Give the values by dotted name, groups opened, exactly as stored.

        >>> from thexp_pl import BaseParams
        >>> params = BaseParams()
        >>> params.optim = {"lr": 0.1}
        >>> params.flat()
        {'optim.lr': 0.1}
        """
        found: dict[str, Any] = {}
        for name, value in self._values.items():
            if isinstance(value, StoredParams):
                found.update({f"{name}.{inner}": item for inner, item in value.flat().items()})
            else:
                found[name] = value
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give the values as a plain dict, groups as dicts; the values are the same objects."""
        return {
            name: value.to_dict() if isinstance(value, StoredParams) else value
            for name, value in self.items()
        }

    # -- copies and equality ---------------------------------------------------------------------

    def copy(self: Self) -> Self:
        """Give an independent copy: values, bounds and lock."""
        return copy.deepcopy(self)

    __copy__ = copy

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        for name, value in vars(self).items():
            object.__setattr__(twin, name, copy.deepcopy(value, memo))
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoredParams):
            return NotImplemented
        return bool(canonical(self._compared()) == canonical(other._compared()))

    __hash__ = None  # type: ignore[assignment]  # the values change

    def _compared(self) -> dict[str, Any]:
        """Give the values that count when two Params are compared."""
        return self.to_dict()

    def __repr__(self) -> str:
        return repr(self.to_dict())
