"""Trainers put together from mixins: the order of their classes, and the Params of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

from thexp_pl.errors import TrainerError, UsageError
from thexp_pl.params import BaseParams, Params
from thexp_pl.params.merged import merged

__all__ = ["check_order", "params_class_of"]

_METHOD = "initial_trainer"


def check_order(trainer: type, facade: type) -> None:
    """Raise where a mixin comes after the facade, which then is asked in its place.

    Args:
        trainer: The class of a user.
        facade: The facade's own class.

    Raises:
        TrainerError: For the first method that would never be called.
    """
    order = trainer.__mro__
    for late in order[order.index(facade) + 1 :]:
        for name in vars(late):
            if not issubclass(facade, late) and not name.startswith("_") and hasattr(facade, name):
                raise TrainerError(
                    f"{late.__name__}.{name} is never called: among the bases of "
                    f"{trainer.__name__} put {late.__name__} before {facade.__name__}"
                )


def params_class_of(trainer: type, facade: type) -> type[BaseParams]:
    """Give the Params class that the `initial_trainer` methods of a trainer name together.

    Each mixin annotates its own, ``initial_trainer(self, params: ItsParams)``, and passes the
    parameters on with ``super().initial_trainer(params)``. The first class in the order of
    inheritance has the highest priority. A method that passes nothing on takes the place of those
    of its own base classes, and what these name does not count.

    Args:
        trainer: The class of a user.
        facade: The facade's own class.

    Returns:
        The class; `Params` where nothing is named.

    Raises:
        UsageError: An annotation cannot be read.
        ParamsError: The parts cannot be merged.
    """
    parts = [part for method in _methods(trainer, facade) if (part := _named(trainer, method))]
    return merged(parts) if parts else Params


def _methods(trainer: type, facade: type) -> Iterator[Any]:
    replaced: set[type] = set()
    for owner in trainer.__mro__:
        method = vars(owner).get(_METHOD)
        if method is None or owner is facade or owner in replaced:
            continue
        yield method
        code = getattr(inspect.unwrap(method), "__code__", None)
        if code is not None and _METHOD not in code.co_names:  # it cannot pass anything on
            replaced.update(owner.__mro__)


def _named(trainer: type, method: Any) -> type[BaseParams] | None:
    try:
        hints = get_type_hints(method)
    except NameError as error:
        raise UsageError(f"{method.__qualname__}: {error}; import it") from None
    except TypeError as error:
        raise UsageError(f"{trainer.__name__}.{_METHOD}: {error}; write a method") from None
    _, *names = inspect.signature(method).parameters
    hint = hints.get(names[0]) if names else None
    return hint if isinstance(hint, type) and issubclass(hint, BaseParams) else None
