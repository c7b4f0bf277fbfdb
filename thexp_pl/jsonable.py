"""Values of any kind as strict JSON, and strict JSON back.

What `to_jsonable` makes of a value, in this order:

- None, bool, int, float, str and what derives from them: themselves; NaN and the infinities
  become the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which ``float()`` reads back;
- a path or bytes: text; a date or time: ISO 8601; a timedelta: seconds;
- a dataclass or a mapping: an object, its keys as text; a list or tuple: an array;
  a set: an array in a fixed order;
- a 0-d tensor, array or numpy scalar: its number; one of at most 1,000 elements: nested arrays;
- all else, and what is nested deeper than `MAX_DEPTH` or inside itself: its repr without memory
  addresses, so that two equal runs read the same.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

__all__ = ["MAX_DEPTH", "dumps", "loads", "to_jsonable"]

MAX_DEPTH = 100
_MAX_REPR = 10_000
_MAX_ELEMENTS = 1_000
_MAX_INT_BITS = 10_000  # Python refuses to print much longer integers in decimal
_HOLDERS = (dict, list)


def to_jsonable(value: Any) -> Any:
    """Convert a value to what JSON can hold; see the module for the rules.

    Args:
        value: Anything; tensors may be on any device.

    Returns:
        None, bool, int, float, str, or lists and dicts of them.

    >>> to_jsonable({"lr": float("nan"), "sizes": (1, 2), 3: {"b", "a"}})
    {'lr': 'NaN', 'sizes': [1, 2], '3': ['a', 'b']}
    """
    return _convert(value, ())


def dumps(value: Any, *, indent: int | None = None) -> bytes:
    """Write a value as strict JSON in UTF-8, without a final newline.

    Args:
        value: Anything that `to_jsonable` takes.
        indent: Spaces a level; None puts all on one line.

    Returns:
        The bytes of the JSON text.

    >>> dumps({"名": 1.5})
    b'{"\\xe5\\x90\\x8d": 1.5}'
    """
    text = json.dumps(to_jsonable(value), ensure_ascii=False, allow_nan=False, indent=indent)
    # A lone surrogate (from an undecodable file name) becomes its JSON escape, and reads back.
    return text.encode("utf-8", "backslashreplace")


def loads(data: bytes | str) -> Any:
    """Read strict JSON, whoever wrote it.

    Args:
        data: JSON text; bytes are UTF-8.

    Returns:
        The value.

    Raises:
        ValueError: It is not JSON, holds NaN or infinity, is nested deeper than `MAX_DEPTH`, or is
            not UTF-8.
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    # a document with few brackets, as nearly all are, cannot be deep
    may_be_deep = text.count("{") + text.count("[") > MAX_DEPTH and type(value) in _HOLDERS
    if may_be_deep and _deeper_than(value, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        children = (parent.values() if type(parent) is dict else parent for parent in level)
        # Only what holds more: nearly all of a document are numbers and texts.
        level = [one for held in children for one in held if type(one) in _HOLDERS]
        if not level:
            return False
    return any(level)  # what is empty is as deep as a number


def _convert(value: Any, above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return _scalar(value)
    if isinstance(value, os.PathLike):
        return _convert(os.fspath(value), above)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if len(above) >= MAX_DEPTH or id(value) in above:
        return _described(value)
    return _container(value, (*above, id(value)))


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_INT_BITS else hex(value)
    if isinstance(value, str):
        return str.__str__(value)
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _container(value: Any, above: tuple[int, ...]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)
        }
        return _mapping(fields, above)
    if isinstance(value, Mapping):
        return _mapping(value, above)
    if isinstance(value, list | tuple):
        return [_convert(item, above) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_convert(item, above) for item in value), key=json.dumps)
    return _array(value, above)


def _mapping(value: Mapping[Any, Any], above: tuple[int, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        name = key if isinstance(key, str) else str(_convert(key, above))
        if name in result:  # 1 and "1" are two keys: neither is lost
            name = f"{name} ({type(key).__name__})"
        result[str.__str__(name)] = _convert(item, above)
    return result


def _array(value: Any, above: tuple[int, ...]) -> Any:
    shape = getattr(value, "shape", None)
    try:
        # Tensors and arrays are known by what they can do: their libraries are not imported here.
        if isinstance(shape, tuple) and math.prod(shape) <= _MAX_ELEMENTS:
            return _convert(value.tolist(), above)
    except Exception:  # noqa: BLE001 - a foreign object may do anything; its repr remains
        pass
    return _described(value)


def _described(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr of someone else's class
        text = f"<{type(value).__name__}>"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    return text if len(text) <= _MAX_REPR else text[:_MAX_REPR] + "…"
