"""The values themselves: attribute, item and dotted access, groups, bounds, copies, equality."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from typing import Any, TypeVar

from thexp_pl.errors import ParamNameError, ParamsError, near_miss
from thexp_pl.params.bounds import Arange, Bound, Choice
from thexp_pl.params.plain import canonical

__all__ = ["ParamsGroup", "ParamsMapping", "Unread"]

Self = TypeVar("Self", bound="ParamsMapping")


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


class ParamsMapping:
    """Named values, reached by attribute, item or dotted name; dicts among them become groups."""

    _values: dict[str, Any]
    _bounds: dict[str, Bound]
    _locked: bool

    def __new__(cls: type[Self], *_args: Any, **_kwargs: Any) -> Self:  # noqa: D102 - no public door
        # Here and not in __init__, so that pickle, copy and mixins that call several __init__s
        # all find one set of values.
        self = super().__new__(cls)
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_bounds", {})
        object.__setattr__(self, "_locked", False)
        return self

    # -- reading ---------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what pickle, copy and notebooks ask for
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        head, _, rest = name.partition(".")
        if head not in self._values:
            raise self._no_such(name)
        value = self._values[head]
        if isinstance(value, Unread):
            value = self._values[head] = value.find()
        if not rest:
            return value
        if not isinstance(value, ParamsMapping) or rest not in value:
            raise self._no_such(name)
        return value[rest]

    def __contains__(self, name: object) -> bool:
        head, _, rest = str(name).partition(".")
        if head not in self._values:
            return False
        value = self._values[head]
        return not rest or (isinstance(value, ParamsMapping) and rest in value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

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

    def get(self, name: str, default: Any = None) -> Any:
        """Give the value of a (dotted) name, or the default where there is none."""
        try:
            return self[name]
        except ParamNameError:
            return default

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
            if isinstance(value, ParamsMapping):
                found.update({f"{name}.{inner}": item for inner, item in value.flat().items()})
            else:
                found[name] = value
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give the values as a plain dict, groups as dicts; the values are the same objects."""
        return {
            name: value.to_dict() if isinstance(value, ParamsMapping) else value
            for name, value in self.items()
        }

    # -- writing ---------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        head, _, rest = name.partition(".")
        self._check_name(name, head)
        if not rest:
            self._assign(head, value)
            return
        group = self._values.get(head)
        if not isinstance(group, ParamsMapping):
            group = ParamsGroup()
        group[rest] = value
        self._values[head] = group  # only now: a refused value leaves no empty group behind

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise self._no_such(name)
        owner, _, leaf = name.rpartition(".")
        group = self[owner] if owner else self
        del group._values[leaf]
        group._bounds.pop(leaf, None)

    def update(
        self: Self, values: Mapping[str, Any] | ParamsMapping | None = None, **kwargs: Any
    ) -> Self:
        """Set several values at once: groups are merged, and either all is set or nothing.

        Args:
            values: Names (dotted ones too) and values.
            **kwargs: The same, as keywords.

        Returns:
            These Params.

        Raises:
            ParamsError: If a name or a value is refused.
        """
        trial = self.copy()
        trial._merge({**(dict(values.items()) if values is not None else {}), **kwargs})
        self._take(trial)
        return self

    def _merge(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            current = self.get(name)
            if isinstance(current, ParamsMapping) and isinstance(value, (Mapping, ParamsMapping)):
                current._merge(dict(value.items()))
            else:
                self[name] = value

    def _take(self, other: ParamsMapping) -> None:
        self._values.clear()
        self._values.update(other._values)

    def _assign(self, name: str, value: Any) -> None:
        """Store a value of this level, once its bound agrees; a dict of names becomes a group."""
        if name in self._bounds:
            self._bounds[name].check(name, value)
        old = self._values.get(name)
        if value is not old and _is_group(value):
            group = ParamsGroup()
            if isinstance(old, ParamsMapping):  # bounds belong to the names, not to the old values
                group._bounds.update(old._bounds)
            group._merge(dict(value.items()))
            value = group.lock() if self._locked else group
        self._values[name] = value

    def _check_name(self, full_name: str, head: str) -> None:
        if head in self._values:
            return
        if not head.isidentifier() or head.startswith("_"):
            raise ParamsError(
                f"{full_name!r} cannot name a parameter; use letters, digits and '_', "
                f"beginning with a letter{near_miss(full_name, self.flat())}"
            )
        if hasattr(type(self), head):
            raise ParamsError(
                f"{head!r} cannot name a parameter: {type(self).__name__} has a member of that name"
            )
        if self._locked:
            raise ParamNameError(
                f"no parameter {full_name!r}, and {type(self).__name__} is locked"
                f"{near_miss(full_name, self.flat())}"
            )

    def _no_such(self, name: str) -> ParamNameError:
        hint = near_miss(name, self.flat()) or near_miss(name, self)
        return ParamNameError(f"no parameter {name!r} in {type(self).__name__}{hint}")

    # -- bounds ----------------------------------------------------------------------------------

    def arange(
        self, name: str, default: Any, left: float = -math.inf, right: float = math.inf
    ) -> Any:
        """Set a number and the bounds that every later assignment must keep.

        Args:
            name: The parameter, dotted for one in a group.
            default: Its first value.
            left: The smallest value allowed.
            right: The largest value allowed.

        Returns:
            The default.

        Raises:
            BoundCheckError: If the default, or any value assigned later, lies outside.

        >>> from thexp_pl import BaseParams
        >>> params = BaseParams()
        >>> params.arange("optim.lr", 0.1, 0, 1)
        0.1
        >>> params.optim.lr = 2
        Traceback (most recent call last):
        thexp_pl.errors.BoundCheckError: lr: 2 is out of bounds; it must be a number from 0 to 1
        """
        return self._declare(name, default, Arange(left, right))

    def choice(self, name: str, *choices: Any) -> Any:
        """Set a parameter to the first choice; every later assignment must be one of them.

        Args:
            name: The parameter, dotted for one in a group.
            *choices: The values allowed.

        Returns:
            The first choice.

        Raises:
            BoundCheckError: If a value assigned later is none of them.
        """
        bound = Choice(choices)
        return self._declare(name, choices[0], bound)

    def bound(self, name: str) -> Bound | None:
        """Give the `Arange` or `Choice` declared for a (dotted) name, or None."""
        owner, _, leaf = name.rpartition(".")
        group = self.get(owner) if owner else self
        return group._bounds.get(leaf) if isinstance(group, ParamsMapping) else None

    def lock(self: Self) -> Self:
        """Refuse new names from now on; known ones may still change. Returns these Params."""
        object.__setattr__(self, "_locked", True)
        for value in self._values.values():
            if isinstance(value, ParamsMapping):
                value.lock()
        return self

    def _declare(self, name: str, default: Any, bound: Bound) -> Any:
        bound.check(name, default)
        self[name] = default
        owner, _, leaf = name.rpartition(".")
        group = self[owner] if owner else self
        group._bounds[leaf] = bound
        return default

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
        if not isinstance(other, ParamsMapping):
            return NotImplemented
        return bool(canonical(self._compared()) == canonical(other._compared()))

    __hash__ = None  # type: ignore[assignment]  # the values change

    def _compared(self) -> dict[str, Any]:
        """Give the values that count when two Params are compared."""
        return self.to_dict()

    def __repr__(self) -> str:
        return repr(self.to_dict())


class ParamsGroup(ParamsMapping):
    """A group of parameters inside others, such as the optimizer's options; shown as a dict."""


def _is_group(value: Any) -> bool:
    """Say whether a value is a dict of names, rather than data that happens to be a dict."""
    if isinstance(value, ParamsMapping):
        return True
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and key.isidentifier() and not key.startswith("_") for key in value
    )
