"""Two files of weights or states, compared value by value: the one module here with torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from filecmp import cmp
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from thexp_pl.errors import CheckpointError
from thexp_pl.record.names import escaped, shown
from thexp_pl.rerun.weights import Kept
from thexp_pl.saver.names import sidecar_path
from thexp_pl.saver.reading import read_state
from thexp_pl.saver.sidecar import DamagedError

__all__ = ["Compared", "compared"]

_STEPS = 10_000_000
_BITS = 1000
_DEPTH = 60  # more than any state has, and fewer than Python's stack
# Of a checkpoint of Lightning its version and the Timer's clock; and the random states, of which
# those that nothing was drawn from need not be as they were, and the others show in the weights.
_NO_RESULT = {"pytorch-lightning_version", "time_elapsed", "RndCallback"}

_Name = tuple[str, ...]


class Compared(NamedTuple):
    """How two files compare.

    Args:
        tensors: How many tensors and arrays of numbers were compared.
        others: How many numbers and texts; a file that cannot be loaded counts as one.
        fault: How they differ; an empty text where they do not.
    """

    tensors: int
    others: int
    fault: str


def compared(
    one: Kept, other: Kept, keys: tuple[str, str], ignored: tuple[str, ...] = ()
) -> Compared:
    """Compare all that two files hold, bit for bit.

    Left out are absolute paths, random states, Lightning's version, and the time that its Timer has
    counted. In other texts the key of the run may be another.

    Args:
        one: A file.
        other: Another.
        keys: The keys of the runs that they are of.
        ignored: Patterns of what is left out: numbers by their name alone, such as ``time/*``, and
            anything by the name that a difference is told by.

    Returns:
        What was found.

    Raises:
        CheckpointError: One of them is damaged, or holds more than tensors and plain values and has
            not the bytes of the other.
    """
    try:
        states = (_loaded(one.path), _loaded(other.path))
    except DamagedError:
        raise
    except CheckpointError:  # whatever it holds, the same bytes are the same
        if cmp(one.path, other.path, shallow=False):
            return Compared(0, 1, "")
        raise
    then, now = (
        {
            name: value
            for name, value in _values(state, (), key, count())
            if not _is_left_out(name, value, one.name, ignored)
        }
        for state, key in zip(states, keys, strict=True)
    )
    tensors = sum(_is_array(value) for value in then.values())
    others = len(then) - tensors
    for name in then | now:
        if name not in then or name not in now:
            fault = f"{_told(one.name, name)} is in one alone"
            return Compared(tensors, others, fault)
    differing = [name for name in then if not _is_same(then[name], now[name])]
    fault = _fault(one.name, differing, then, now) if differing else ""
    return Compared(tensors, others, fault)


def _fault(file: str, differing: list[_Name], then: dict[_Name, Any], now: dict[_Name, Any]) -> str:
    found = []
    for what, is_array in (("tensors", True), ("other values", False)):
        some = sum(_is_array(then[name]) == is_array for name in differing)
        among = sum(_is_array(value) == is_array for value in then.values())
        found += [f"{some:,} of {among:,} {what}"] if some else []
    first = min(differing, key=lambda name: not _is_array(then[name]))
    where = f"{_told(file, first)} ({_distance(then[first], now[first])})"
    return f"the weights differ in {' and '.join(found)}, first in {where}"


def _told(file: str, name: _Name) -> str:
    return escaped(f"{'.'.join(name) or 'its one value'} of {file}")


def _loaded(path: Path) -> Any:
    with torch.serialization.safe_globals(_of_numpy()):
        if os.path.lexists(sidecar_path(path)):
            state, _ = read_state(path, weights_only=True, map_location="cpu")
            return state
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise CheckpointError(f"{path} cannot be loaded: {reason}") from error


def _of_numpy() -> list[Any]:
    """What arrays and numbers of numpy are made of in a pickle; none of it runs code of a file."""
    makers = [np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]]
    types = {type(np.dtype(code)) for code in np.typecodes["All"]}
    return [np.ndarray, np.dtype, *makers, *types]


def _values(state: Any, name: _Name, key: str, steps: Iterator[int]) -> Iterator[tuple[_Name, Any]]:
    """Go through the values of a state, the run's own key in texts being replaced."""
    if len(name) > _DEPTH or next(steps) > _STEPS:  # as one that holds itself
        raise CheckpointError(
            f"{'.'.join(name[:3])}... holds more than {_DEPTH} levels or {_STEPS:,} values"
        )
    if isinstance(state, Mapping):
        for part, value in state.items():
            if part not in _NO_RESULT:
                yield from _values(value, (*name, _part(part, key)), key, steps)
    elif isinstance(state, list | tuple | set | frozenset):
        items = sorted(state, key=repr) if isinstance(state, set | frozenset) else state
        for place, value in enumerate(items):
            yield from _values(value, (*name, str(place)), key, steps)
    elif isinstance(state, np.ndarray) and state.dtype.hasobject:
        yield from _values(state.tolist(), name, key, steps)
    elif isinstance(state, str):
        if not os.path.isabs(state):  # noqa: PTH117 - a text
            yield name, state.replace(key, "KEY")
    else:
        yield name, state


def _part(part: Any, key: str) -> str:
    """Spell a key of a dict; of a path, which lies elsewhere now, only its end counts."""
    if not isinstance(part, str):
        return repr(part)
    return (os.path.basename(part) if os.path.isabs(part) else part).replace(key, "KEY")  # noqa: PTH117, PTH119


def _is_left_out(name: _Name, value: Any, file: str, ignored: tuple[str, ...]) -> bool:
    names = [_told(file, name)]
    if not _is_array(value) or value.ndim == 0:
        names += name[-1:]
    return any(fnmatchcase(each, pattern) for each in names for pattern in ignored)


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)


def _is_same(then: Any, now: Any) -> bool:
    if isinstance(then, torch.Tensor) and isinstance(now, torch.Tensor):
        return _is_same_tensor(then, now)
    if type(then) is not type(now):
        return False
    if isinstance(then, np.ndarray | np.generic):
        same: bool = then.dtype == now.dtype and then.shape == now.shape
        return same and then.tobytes() == now.tobytes()
    if isinstance(then, int | bytes | str):
        return bool(then == now)
    # of a float the text is exact: NaN is equal to NaN, and -0.0 is not 0.0
    return repr(then) == repr(now)


def _is_same_tensor(then: torch.Tensor, now: torch.Tensor) -> bool:
    if then.dtype != now.dtype or then.shape != now.shape:
        return False
    if then.layout != now.layout:
        return False
    if then.layout != torch.strided:
        return _is_same_tensor(then.to_dense(), now.to_dense())
    if then.is_quantized:
        return torch.equal(then, now)
    # as bytes: NaN is equal to the same NaN, and -0.0 is not 0.0
    both = (
        tensor.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
        for tensor in (then.detach(), now.detach())
    )
    return torch.equal(*both)


def _distance(then: Any, now: Any) -> str:
    if not (_is_array(then) and _is_array(now)):
        return f"{_brief(then)} then, {_brief(now)} now"
    if then.dtype != now.dtype or then.shape != now.shape:
        return f"{then.dtype} {list(then.shape)} then, {now.dtype} {list(now.shape)} now"
    if isinstance(then, np.ndarray):
        return "not the same bytes"
    one, other = (_dense(tensor).to(torch.complex128) for tensor in (then, now))
    largest = (one - other).abs().max().item()
    return f"the largest difference is {largest:g}"


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _brief(value: Any) -> str:
    if _is_array(value):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, int) and value.bit_length() > _BITS:  # too long for Python to write out
        return f"an integer of {value.bit_length():,} bits"
    return shown(value) if isinstance(value, str) else escaped(repr(value)[:80])
