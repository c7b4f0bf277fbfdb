"""The numbers that a run is given: steps, epochs and the values of metrics.

A value that lies on a device is not read when it is given: that would wait for all that the device
has yet to do. It is copied there, as it stands, and read together with many others; see `settle`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown

__all__ = ["Given", "Held", "as_count", "as_number", "as_numbers", "settle"]

_BITS = 63  # what other readers of the file take for an integer
_HELD_DTYPES = ("float16", "bfloat16", "float32", "float64")


class Held(NamedTuple):
    """Values of one call that lie on a device.

    Args:
        names: The metrics.
        tensor: Their values as they were when they were given, one element a name.
    """

    names: list[str]
    tensor: Any


class Given(NamedTuple):
    """The metrics of one call.

    Args:
        values: By name, in the order of the call; NaN for those that are held.
        held: What is still on a device.
    """

    values: dict[str, float]
    held: list[Held]


def as_numbers(values: Mapping[str, Any]) -> Given:
    """Make floats of the metrics of one call.

    Args:
        values: By name numbers, or tensors of one element on any device.

    Returns:
        The floats; NaN and the infinities are kept.

    Raises:
        UsageError: A value is no number that a float can hold.
    """
    numbers: dict[str, float] = {}
    on_device: dict[tuple[Any, Any], tuple[list[str], list[Any]]] = {}
    for key, value in values.items():
        name = str(key)
        if type(value) is float:
            numbers[name] = value
        elif _is_on_device(value):
            names, tensors = on_device.setdefault((value.device, value.dtype), ([], []))
            names.append(name)
            tensors.append(value.detach().reshape(()))
            numbers[name] = float("nan")
        else:
            numbers[name] = as_number(name, value)
    if not on_device:
        return Given(numbers, [])
    stack = sys.modules["torch"].stack  # copies, so that later changes in place do not count
    return Given(numbers, [Held(names, stack(tensors)) for names, tensors in on_device.values()])


def settle(calls: Iterable[Given]) -> None:
    """Read what the calls hold on devices, with one copy for each device and dtype.

    Args:
        calls: Their `values` are completed in place. Where a device fails, the metrics that it
            holds are taken out: they cannot be known any more.

    Raises:
        RuntimeError: A device failed.
    """
    groups: dict[tuple[Any, Any], list[tuple[dict[str, float], Held]]] = {}
    for call in calls:
        for held in call.held:
            place = (held.tensor.device, held.tensor.dtype)
            groups.setdefault(place, []).append((call.values, held))
        call.held.clear()
    fault: Exception | None = None
    for group in groups.values():
        try:
            numbers = iter(_read([held.tensor for _, held in group]))
        except Exception as error:  # noqa: BLE001 - the other devices' values are not lost with it
            fault = error
            for values, held in group:
                for name in held.names:
                    values.pop(name, None)
            continue
        for values, held in group:
            values.update(zip(held.names, numbers, strict=False))
    if fault is not None:
        raise fault


def as_number(name: object, value: Any) -> float:
    """Make a float of the value of a metric.

    Args:
        name: The metric.
        value: A number, or a tensor of one element on any device.

    Returns:
        The value, NaN and the infinities included.

    Raises:
        UsageError: It is no number that a float can hold.
    """
    try:
        return float(value)
    except Exception:  # noqa: BLE001 - a tensor raises what it likes
        raise UsageError(
            f"the metric {shown(str(name))} is {_described(value)}, a {type(value).__name__}:"
            " give a number that a float can hold, or a tensor of one real element"
        ) from None


def as_count(name: str, value: Any) -> int | None:
    """Make an int of a step or an epoch.

    Args:
        name: ``"step"`` or ``"epoch"``.
        value: A whole number, or None.

    Returns:
        The number.

    Raises:
        UsageError: It is no number, or one of more than 63 bits.
    """
    if value is None:
        return None
    try:
        count: int | None = int(value)
        if isinstance(value, bool) or count != value:
            count = None
    except Exception:  # noqa: BLE001 - a tensor raises what it likes
        count = None
    if count is None or count.bit_length() > _BITS:
        raise UsageError(
            f"the {name} is {_described(value)}, a {type(value).__name__}: give a whole number of"
            f" at most {_BITS} bits, or None"
        )
    return count


def _is_on_device(value: Any) -> bool:
    torch = sys.modules.get("torch")
    # Anything unusual is read at once: it may not stack, or its reading is what finds the fault.
    return (
        torch is not None
        and isinstance(value, torch.Tensor)
        and type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.device.type not in ("cpu", "meta")
        and value.layout is torch.strided
        and value.numel() == 1
        and str(value.dtype)[6:] in _HELD_DTYPES
    )


def _read(tensors: list[Any]) -> list[float]:
    torch = sys.modules["torch"]
    device = tensors[0].device
    if device.type == "cuda":
        # The values may come from another stream than the one that copies them here.
        torch.cuda.synchronize(device)
    numbers: list[float] = torch.cat(tensors).tolist()
    return numbers


def _described(value: Any) -> str:
    try:
        return shown(str(value))
    except Exception:  # noqa: BLE001 - an int that Python refuses to print, or anyone's class
        return "not printable"
