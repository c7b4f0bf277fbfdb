"""The plain forms of a parameter's value: for equality, for the stable hash and for YAML.

torch and numpy are known by their methods alone (``item``, ``tolist``), never imported.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from thexp_pl.errors import ParamsError

__all__ = ["canonical", "from_yaml_text", "stable_hash", "to_plain", "to_yaml_text"]


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
    if value is None or isinstance(value, (bool, int, float, str)):
        # a numpy float64 is a float too: give the plain one
        item = getattr(value, "item", None)
        return item() if item else value
    if isinstance(value, Mapping):
        return {key: to_plain(item, f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item, f"{name}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return sorted((to_plain(item, name) for item in value), key=repr)
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if callable(getattr(value, "tolist", None)):
        return value.tolist()
    if isinstance(value, PurePath) or type(value).__module__ == "torch":
        return str(value)
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
        return {"dict": {str(key): canonical(item) for key, item in value.items()}}
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
    form = canonical({name: to_plain(value, name) for name, value in values.items()})
    text = json.dumps(form, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_yaml_text(values: Mapping[str, Any]) -> str:
    """Write values as YAML, in their order, with Unicode left readable."""
    import yaml

    plain = {name: to_plain(value, name) for name, value in values.items()}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def from_yaml_text(text: str, source: str) -> dict[str, Any]:
    """Read YAML into names and values.

    Args:
        text: The YAML; ``1e-3`` counts as a number, which YAML 1.1 would take for text.
        source: What the error calls it: the file's name.

    Raises:
        ParamsError: If the text is no YAML or no mapping of names.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    number = r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+"
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^{number}$"), list("-+0123456789.")
    )
    try:
        values = yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ParamsError(f"{source} is no readable YAML: {reason}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParamsError(f"{source} must map names to values, as in 'lr: 0.1'")
    return values
