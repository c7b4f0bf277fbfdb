"""The plain forms of a parameter's value: for equality, for the stable hash and for YAML.

torch and numpy are known by their methods alone (``tolist``), never imported.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from thexp_pl.errors import ParamsError

__all__ = ["canonical", "shown", "stable_hash", "to_plain"]

_MAX_SHOWN = 100
_MAX_INT_BITS = 10_000  # Python refuses to print much longer integers in decimal


def to_plain(value: Any, name: str = "") -> Any:
    """Turn a value into dicts, lists, numbers, text, booleans and None.

    Args:
        value: Any parameter value. Tuples, sets, arrays and tensors become lists (a set sorted, a
            tensor copied to the host), numpy scalars numbers, paths, devices and dtypes text.
        name: What the error calls it.

    Raises:
        ParamsError: For an object that has no such form.

    >>> to_plain({"size": (28, 28), "lr": 0.1})
    {'size': [28, 28], 'lr': 0.1}
    """
    try:
        return _plain(value, name)
    except RecursionError:
        raise ParamsError(f"{name}: nested too deep, or inside itself") from None


def _plain(value: Any, name: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return _scalar(value, name)
    if isinstance(value, Mapping):
        return {_key(key, name): _plain(item, _inner(name, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{name}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item, name) for item in value), key=_text)
    if isinstance(value, PurePath):
        return str(value)
    return _plain_object(value, name)


def _scalar(value: Any, name: str) -> Any:
    """Strip subclasses, such as numpy's float64 or an IntEnum, which YAML does not know."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > _MAX_INT_BITS:
            raise ParamsError(f"{name}: an int of {value.bit_length()} bits is too long to write")
        return int(value)
    return value


def _key(key: Any, name: str) -> Any:
    if key is not None and not isinstance(key, (bool, int, float, str)):
        raise ParamsError(f"{name}: the key {shown(key)} has no plain form; use numbers or text")
    return _scalar(key, name)


def _inner(name: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{name}.{key}" if name else key
    return f"{name}[{key!r}]"


def _plain_object(value: Any, name: str) -> Any:
    for method in ("to_dict", "tolist"):  # groups; tensors, arrays and numpy's scalars
        give = getattr(value, method, None)
        if callable(give):
            try:
                given = give()
            except (TypeError, ValueError, RuntimeError):  # a class, a sparse tensor, ...
                continue
            return _plain(given, name)
    if type(value).__module__ == "torch" and not hasattr(value, "tolist"):
        return str(value)  # a device, a dtype, a layout
    raise ParamsError(
        f"{name}: a {type(value).__name__} has no plain form; use numbers, text, lists or dicts"
    )


def canonical(value: Any) -> Any:
    """Give the form in which two values are compared: plain, with 1 and 1.0 alike, True apart.

    What has no plain form stays itself, so that equality falls back to its own ``==``.

    >>> canonical((1.0, 2)) == canonical([1, 2])
    True
    >>> canonical(True) == canonical(1)
    False
    """
    if isinstance(value, Mapping):
        # a key's JSON keeps 1 and "1" apart
        return {"dict": {_text(key): canonical(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    try:
        plain = to_plain(value)
    except ParamsError:
        return value
    if isinstance(plain, (dict, list)):
        return canonical(plain)
    if isinstance(plain, bool):
        return {"bool": plain}
    if isinstance(plain, float):
        return _canonical_float(plain)
    return plain


def _canonical_float(value: float) -> Any:
    if math.isfinite(value):
        return int(value) if value.is_integer() else value
    return {"float": repr(value)}  # NaN is equal to itself here: the same setting


def _text(value: Any) -> str:
    """Write the canonical form as JSON; of what has no plain form, its repr."""
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), default=repr)


def stable_hash(values: Mapping[str, Any]) -> str:
    """Hash values so that the number is the same in every process and on every machine.

    Args:
        values: Names and values; their order does not matter.

    Returns:
        16 hexadecimal digits (the head of a SHA-256).

    Raises:
        ParamsError: If a value has no plain form.

    >>> stable_hash({"a": 1, "b": (2, 3)}) == stable_hash({"b": [2, 3], "a": 1.0})
    True
    """
    plain = {name: to_plain(value, name) for name, value in values.items()}
    return hashlib.sha256(_text(plain).encode()).hexdigest()[:16]


def shown(value: Any) -> str:
    """Give the repr for an error message, its end left out where it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
