"""Parameters in whatever form they are held, as a dict."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

from thexp_pl.errors import UsageError

__all__ = ["plain_params"]


def plain_params(params: Any) -> dict[str, Any]:
    """Make a dict of whatever holds parameters.

    Args:
        params: A mapping, an object with ``to_dict``, a dataclass or an argparse Namespace.

    Returns:
        The parameters by name, nested ones not converted. Of Params the settings: their progress
        is no parameter.

    Raises:
        UsageError: It is none of these.
    """
    if isinstance(params, Mapping):
        return dict(params)
    if callable(getattr(params, "to_dict", None)):
        is_progress = getattr(params, "is_progress", lambda name: False)
        found = dict(params.to_dict())
        return {name: found[name] for name in found if not is_progress(name)}
    if dataclasses.is_dataclass(params) and not isinstance(params, type):
        return {field.name: getattr(params, field.name) for field in dataclasses.fields(params)}
    if isinstance(params, argparse.Namespace):
        return dict(vars(params))
    raise UsageError(
        f"params cannot be a {type(params).__name__}: give a dict, a Params, a dataclass or an"
        " argparse Namespace"
    )
