"""How values are written: groups, bounds, the lock, and changes that happen whole or not at all."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from thexp_pl.errors import ParamNameError, ParamsError
from thexp_pl.params.bounds import Arange, Bound, Choice
from thexp_pl.params.plain import canonical
from thexp_pl.params.reading import StoredParams, Unread

__all__ = ["ParamsGroup", "ParamsMapping", "Unread"]

Self = TypeVar("Self", bound="ParamsMapping")

_MAX_DEPTH = 100  # what prints, hashes and copies the values descends by recursion


class ParamsMapping(StoredParams):
    """Named values that can be changed; dicts among them become groups."""

    # -- one value -------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        head, dot, rest = str(name).partition(".")
        self._check_name(name, head)
        if not dot:
            self._assign(head, value)
            return
        group = self._values[head] if head in self._values else self._new_group(head)
        if not isinstance(group, ParamsMapping):
            raise ParamsError(
                f"{self._path}{name}: {self._path}{head} is a single value, not a group; "
                f"make it one with {head}={{...}}"
            )
        group[rest] = value
        self._values[head] = group  # only now: a refused value leaves no empty group behind

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __delitem__(self, name: str) -> None:
        self.stored(name)  # refuses one that does not exist
        owner, _, leaf = name.rpartition(".")
        group = self[owner] if owner else self
        del group._values[leaf]
        full = self._path + name
        for bound in [one for one in self._bounds if f"{one}.".startswith(f"{full}.")]:
            del self._bounds[bound]

    def _assign(self, name: str, value: Any) -> None:
        """Store a value of this level, once its bound agrees; a dict of names becomes a group."""
        bound = self.bound(name)
        if bound:
            bound.check(self._path + name, value)
        old = self._values.get(name)
        if value is not old and _is_group(value):
            if self._locked and isinstance(old, ParamsMapping):
                old._draft()._merge(value)  # refuses new names
            group = self._new_group(name)
            group._merge(value)
            value = group.lock() if self._locked else group
        self._values[name] = value

    def _new_group(self, name: str) -> ParamsGroup:
        group = ParamsGroup()
        object.__setattr__(group, "_path", f"{self._path}{name}.")
        object.__setattr__(group, "_bounds", self._bounds)
        return group

    def _check_name(self, name: object, head: str) -> None:
        if head in self._values and isinstance(name, str):
            return
        full = f"{self._path}{name}" if isinstance(name, str) else name
        if not isinstance(name, str) or not _is_name(head) or keyword.iskeyword(head):
            raise ParamsError(
                f"{full!r} cannot name a parameter; use letters, digits and '_', beginning with a "
                f"letter, and no word of Python's{self.hint(str(name), settable=True)}"
            )
        if hasattr(type(self), head):
            raise ParamsError(
                f"{full!r} cannot name a parameter: {type(self).__name__} has a member of that name"
            )
        if self._path.count(".") >= _MAX_DEPTH:
            raise ParamsError(f"{head!r} lies more than {_MAX_DEPTH} groups deep")
        if self._locked:
            raise ParamNameError(
                f"no parameter {full!r}, and the names are locked{self.hint(name, settable=True)}"
            )

    # -- several values, all or none -------------------------------------------------------------

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
        draft = self._draft()
        draft._merge(values or {})
        draft._merge(kwargs)
        self._take(draft)
        return self

    def _draft(self: Self) -> Self:
        """Give a copy that holds the very same values, to try changes on."""
        twin = type(self).__new__(type(self))
        for name, value in vars(self).items():
            object.__setattr__(twin, name, value)
        values = {
            name: value._draft() if isinstance(value, ParamsMapping) else value
            for name, value in self._values.items()
        }
        object.__setattr__(twin, "_values", values)
        return twin

    def _merge(self, values: Mapping[str, Any] | ParamsMapping) -> None:
        pairs = values._values if isinstance(values, ParamsMapping) else values
        for name, value in pairs.items():
            current = self.stored(name) if name in self else None
            is_group = isinstance(value, (Mapping, ParamsMapping))
            if isinstance(current, ParamsMapping) and is_group:
                current._merge(value)
            else:
                self[name] = value

    def _take(self, draft: ParamsMapping) -> None:
        """Take over the values of a draft; a group stays the same object."""
        for name, value in draft._values.items():
            own = self._values.get(name)
            if isinstance(own, ParamsMapping) and isinstance(value, ParamsMapping):
                own._take(value)
            else:
                self._values[name] = value

    # -- bounds and the lock ---------------------------------------------------------------------

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
        thexp_pl.errors.BoundCheckError: optim.lr: 2 is out of bounds; it must be a number from 0
            to 1
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
        return self._bounds.get(self._path + name)

    def lock(self: Self) -> Self:
        """Refuse new names from now on; known ones may still change. Returns these Params."""
        object.__setattr__(self, "_locked", True)
        for value in self._values.values():
            if isinstance(value, ParamsMapping):
                value.lock()
        return self

    def _declare(self, name: str, default: Any, bound: Bound) -> Any:
        full = self._path + name
        bound.check(full, default)
        former = self._bounds.pop(full, None)  # a subclass may declare a name anew
        try:
            self[name] = default
        except ParamsError:
            if former:
                self._bounds[full] = former
            raise
        self._bounds[full] = bound
        return default


class ParamsGroup(ParamsMapping):
    """A group of parameters inside others, such as the optimizer's options; shown as a dict."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return bool(canonical(self.to_dict()) == canonical(other))
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # the values change


def _is_name(text: str) -> bool:
    return text.isidentifier() and not text.startswith("_")


def _is_group(value: Any) -> bool:
    """Say whether a value is a dict of names, rather than data that happens to be a dict."""
    if isinstance(value, ParamsMapping):
        return True
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and _is_name(key) for key in value
    )
