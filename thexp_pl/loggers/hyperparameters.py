"""Hyperparameters as Lightning and its users give them, in the forms that a run keeps."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from thexp_pl.jsonable import MAX_DEPTH
from thexp_pl.params import BaseParams, Params
from thexp_pl.record.plain import plain_params

__all__ = ["plain_hyperparameters"]

_MAX_ITEMS = 1_000
_LIGHTNINGS_OWN = ("_class_path", "_instantiator")  # a LightningCLI leaves them in hparams


def plain_hyperparameters(params: Any) -> dict[str, Any]:
    """Make a dict of what a Lightning user calls hyperparameters.

    Args:
        params: A mapping such as an OmegaConf one, a Namespace, a dataclass or Params, nested as
            they may be; None for none.

    Returns:
        The parameters by name. Of Params the settings: its progress is no parameter.

    Raises:
        UsageError: It is none of these.

    >>> plain_hyperparameters(Namespace(optim=Namespace(lr=0.1), sizes=(1, 2)))
    {'optim': {'lr': 0.1}, 'sizes': [1, 2]}
    >>> plain_hyperparameters(None)
    {}
    """
    if params is None:
        return {}
    top = params.settings() if isinstance(params, Params) else plain_params(params)
    return {name: _plain(value) for name, value in top.items() if name not in _LIGHTNINGS_OWN}


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:  # inside itself: `to_jsonable` says so
        return value
    if isinstance(value, Params):
        value = value.settings()
    elif isinstance(value, BaseParams):
        value = value.to_dict()
    elif isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, Mapping):
        return {name: _plain(item, depth + 1) for name, item in value.items()}
    if _is_list(value):
        return [_plain(item, depth + 1) for item in value]
    return value


def _is_list(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return True
    is_sequence = isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))
    return is_sequence and len(value) <= _MAX_ITEMS  # a dataset may be a sequence too
