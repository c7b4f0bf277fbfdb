"""One Params class out of several, each of which is a part of it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from thexp_pl.errors import ParamsError
from thexp_pl.params.base import BaseParams
from thexp_pl.params.bounds import Bound
from thexp_pl.params.plain import shown
from thexp_pl.params.reading import Unread

__all__ = ["merged"]


def merged(parts: Iterable[type[BaseParams]]) -> type[BaseParams]:
    """Make the Params class that has the parameters of several classes.

    It inherits from all of them, so that a default of an earlier part holds before that of a later
    one, and what a part sets before what it has inherited. Unlike plain inheritance it joins groups
    of the same name, and refuses parts that disagree about a type.

    Args:
        parts: The classes, the first with the highest priority; one that another is derived from
            adds nothing.

    Returns:
        The class, the same one for the same parts; a single part itself.

    Raises:
        ParamsError: There is no order in which one class can inherit from all. When the class is
            called: a parameter has one type in one part and another in another.

    >>> class Data(BaseParams):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.loader = {"batch_size": 32}
    >>> class Model(BaseParams):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.width = 8
    ...         self.loader = {"workers": 2}
    >>> merged([Data, Model])()
    Data_Model[('width', 8), ('loader', {'batch_size': 32, 'workers': 2})]
    """
    given = tuple(dict.fromkeys(parts))
    needed = tuple(
        one
        for one in given
        if not any(other is not one and issubclass(other, one) for other in given)
    )
    return needed[0] if len(needed) == 1 else _class_of(needed)


@functools.cache
def _class_of(parts: tuple[type[BaseParams], ...]) -> type[BaseParams]:
    names = [one.__name__ for one in parts]

    def __init__(self: BaseParams) -> None:  # noqa: N807 - of the class made here
        super(made, self).__init__()  # each part calls the next one
        _add_missing(self, parts)

    def __reduce__(self: BaseParams) -> tuple[Any, ...]:  # noqa: N807 - as above
        return _empty, (parts,), dict(vars(self))

    members = {
        "__init__": __init__,
        "__reduce__": __reduce__,
        "__module__": parts[0].__module__,
        "__doc__": f"The parameters of {', '.join(names)}.",
    }
    made: Any
    try:
        made = type("_".join(names), parts, members)
    except TypeError:
        raise ParamsError(
            f"no class can inherit from {', '.join(names)} in this order, which is that of the "
            "classes that ask for them; change the order of those, or of the bases of these"
        ) from None
    kind: type[BaseParams] = made
    return kind


def _empty(parts: tuple[type[BaseParams], ...]) -> BaseParams:
    kind = _class_of(parts)
    return kind.__new__(kind)


def _add_missing(params: BaseParams, parts: tuple[type[BaseParams], ...]) -> None:
    """Add what inheritance leaves out: the values of a group that an earlier part has set anew."""
    seen: dict[str, tuple[str, Any]] = {}
    for part in parts:
        own = part()
        for name, value in own.flat().items():
            _refuse_disagreement(seen, part.__name__, name, value)
            seen.setdefault(name, (part.__name__, value))
            if name not in params:
                _declare(params, name, value, own.bound(name))
        if own.has_exp_name() and not params.has_exp_name():
            object.__setattr__(params, "_exp_name", own._exp_name)


def _declare(params: BaseParams, name: str, value: Any, bound: Bound | None) -> None:
    if bound is None:
        params[name] = value
    else:
        params._declare(name, value, bound)


def _refuse_disagreement(
    seen: dict[str, tuple[str, Any]], part: str, name: str, value: Any
) -> None:
    for other_name, (other, _) in seen.items():
        if other_name.startswith(f"{name}.") or name.startswith(f"{other_name}."):
            group = min(name, other_name, key=len)
            raise ParamsError(
                f"{group!r} is a group in {part if len(name) > len(group) else other} and a single "
                f"value in {other if len(name) > len(group) else part}; rename one of them"
            )
    if name in seen:
        other, there = seen[name]
        if not any(isinstance(one, Unread) or one is None for one in (value, there)) and (
            type(value) is not type(there)
        ):
            raise ParamsError(
                f"{name!r} is {shown(there)} ({type(there).__name__}) in {other} and "
                f"{shown(value)} ({type(value).__name__}) in {part}; give it one type in both, or "
                "rename one of them"
            )
