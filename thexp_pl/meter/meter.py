"""Meter: the values of one step, under names, unchanged; formatted only when printed."""

from __future__ import annotations

import builtins
import copy
import textwrap
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping
from functools import partial
from typing import Any, ClassVar

from thexp_pl.errors import MeterNameError, UsageError, near_miss
from thexp_pl.meter.formats import Formats, decimal, first_line, percentage, text_of
from thexp_pl.meter.values import detached, has_many, number_of, plain

__all__ = ["Meter"]


class Meter:
    """The values that one step measured.

    Any value can be stored under any name, as an attribute or as an item, and is given back as
    the very same object. ``meter.a_`` is the text ``"a"``, so that an editor completes the names
    given to formats; a name that was itself stored with a trailing underscore gives its value.
    The names of Meter's own methods are refused as attributes and work as items.

    Printed, a number has four decimal places, a Python int none, and what takes several lines
    its first line. From thexp's Meter.

    Raises:
        MeterNameError: A name that was never stored is read.
        UsageError: An attribute is assigned that is one of Meter's own methods.

    >>> meter = Meter()
    >>> meter.percent(meter.acc_)
    >>> meter.loss, meter.acc, meter.epoch = 0.70721, 0.236, 3
    >>> meter
    @loss=0.7072  @acc=23.60%  @epoch=3
    >>> meter.loss
    0.70721
    """

    __slots__ = ("_formats", "_values")

    _values: dict[str, Any]
    _formats: Formats
    _reserved: ClassVar[frozenset[str]]

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_formats", {})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._reserved = frozenset(dir(cls))

    # -- storing and reading

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._reserved:
            kind = type(self).__name__
            raise UsageError(
                f"{name!r} is a part of {kind} and cannot be assigned as an attribute: "
                f"store the value as an item, meter[{name!r}] = ..."
            )
        self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def __getattr__(self, name: str) -> Any:
        # Python, copy, pickle and notebooks probe for names with underscores in front: these are
        # never answered with a text. The slots come here too, but only before they are filled.
        if name not in self._reserved and name in self._values:
            return self[name]
        if name in self._reserved or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name.endswith("_") and not name.startswith("_"):
            return name[:-1]
        raise self._unknown(name)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except (KeyError, TypeError):  # TypeError: what cannot be a key at all
            raise self._unknown(name) from None

    def _unknown(self, name: str) -> MeterNameError:
        names = [str(held) for held in self._values]
        held = textwrap.shorten(", ".join(names), 200, placeholder=" ...") or "nothing yet"
        return MeterNameError(
            f"{name!r} was never stored in this {type(self).__name__}, which holds {held}"
            f"{near_miss(str(name), names)}"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> builtins.int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._values})

    def keys(self) -> KeysView[str]:
        """Give the names, in the order in which they were first stored."""
        return self._values.keys()

    def items(self) -> ItemsView[str, Any]:
        """Give the names with their values."""
        return self._values.items()

    def update(self, other: Meter | Mapping[str, Any]) -> None:
        """Store all values of another Meter, with its formats, or of a mapping.

        >>> meter = Meter()
        >>> meter.update({"loss": 0.5})
        >>> meter
        @loss=0.5000
        """
        for name, value in other.items():
            self[name] = value
        if isinstance(other, Meter):
            self._formats.update(other._formats)

    # -- what is in it, for those who record it

    def numeral_items(self) -> Iterator[tuple[str, builtins.int | builtins.float]]:
        """Give the names whose values are one number, with that number as Python's own.

        Truth values and complex numbers do not count; tensors are copied off their device.
        """
        for name, value in self.items():
            number = number_of(value)
            if number is not None:
                yield name, number

    def array_items(self) -> Iterator[tuple[str, Any]]:
        """Give the names whose values are tensors or arrays of other than one element."""
        return ((name, value) for name, value in self.items() if has_many(value))

    def serialize(self) -> dict[str, Any]:
        """Turn the values into a dict that JSON can hold.

        Returns:
            Numbers and tensors of one element as numbers (NaN and inf as floats), other tensors
            and arrays as nested lists, and what JSON does not know as text.

        >>> meter = Meter()
        >>> meter.loss, meter.where = 0.5, (1, {2: "x"})
        >>> meter.serialize()
        {'loss': 0.5, 'where': [1, {'2': 'x'}]}
        """
        return {name: plain(value) for name, value in self.items()}

    # -- printing

    def __repr__(self) -> str:
        return "  ".join(f"@{name}={self._text(name)}" for name in self)

    def _text(self, name: str) -> str:
        return text_of(name, self._values[name], self._formats)

    def percent(self, name: str, acc: builtins.int = 2) -> None:
        """Print a value as a percentage; declared before or after the value is stored.

        Args:
            name: The name of the value, ``meter.acc_`` or ``"acc"``.
            acc: The number of decimal places.

        Raises:
            UsageError: The value itself was given in place of its name.
        """
        self._declare(name, partial(percentage, acc=acc))

    def float(self, name: str, acc: builtins.int = 4) -> None:
        """Print a value with `acc` decimal places; otherwise as `percent`."""
        self._declare(name, partial(decimal, acc=acc))

    tensorfloat = float  # thexp's word for the same format of a tensor

    def int(self, name: str) -> None:
        """Print a value rounded to a whole number; otherwise as `percent`."""
        self._declare(name, partial(decimal, acc=0))

    def str_in_line(self, name: str) -> None:
        """Print a value as `str` does, its first line only; otherwise as `percent`."""
        self._declare(name, first_line)

    def add_format_type(self, type: type, func: Callable[[Any], str]) -> None:
        """Print all values of a type, and of types derived from it, by a function.

        A format declared for a name goes before that of its type.

        Args:
            type: The type; in an AvgMeter whatever is averaged is a `float`.
            func: Takes the value and returns one line of text; a Meter with a lambda or a local
                function here cannot be pickled.

        >>> meter = Meter()
        >>> meter.add_format_type(list, lambda values: f"{len(values)} values")
        >>> meter.seen = [3, 4]
        >>> meter
        @seen=2 values
        """
        self._formats[type] = func

    def _declare(self, name: str, format_: Callable[[Any], str]) -> None:
        if not isinstance(name, str):
            raise UsageError(
                f"a format is declared for a name, not for a {type(name).__name__}: "
                "write meter.percent(meter.acc_) or meter.percent('acc')"
            )
        self._formats[name] = format_

    # -- copies

    def __getstate__(self) -> tuple[dict[str, Any], Formats]:
        return dict(self._values), dict(self._formats)

    def __setstate__(self, state: tuple[dict[str, Any], Formats]) -> None:
        object.__setattr__(self, "_values", state[0])
        object.__setattr__(self, "_formats", state[1])

    def __deepcopy__(self, memo: dict[builtins.int, Any]) -> Meter:
        # torch refuses to deep-copy a tensor in the midst of a graph, as a loss is.
        values, formats = self.__getstate__()
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy((detached(values), formats), memo))
        return twin


Meter._reserved = frozenset(dir(Meter))
