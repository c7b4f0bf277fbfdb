"""Weighted sums of one-element tensors, made on the tensors' device without waiting for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, TypeAlias

__all__ = ["DeviceSums", "Likeness", "alike", "is_real"]

Tensor: TypeAlias = Any  # torch.Tensor; this floor does not import torch
Device: TypeAlias = Any  # torch.device
Sums: TypeAlias = tuple[Tensor, Tensor]
Likeness: TypeAlias = tuple[Device, Any, Any, Any]  # device, dtype, layout, shape
Groups: TypeAlias = dict[Likeness, tuple[list[str], list[Tensor]]]

# Updates that are held before they are summed: one tensor of a few numbers each, so a few hundred
# kilobytes at most, while the work of summing is shared by that many updates.
HELD = 512

# tensors that agree in these are stacked without any conversion
LIKENESS = attrgetter("device", "dtype", "layout", "shape")


def alike(names: list[str], tensors: list[Tensor]) -> Groups:
    """Sort tensors into groups of one device, dtype, layout and shape, with their names."""
    try:
        return _grouped(names, tensors, LIKENESS)
    except (RuntimeError, TypeError):  # a nested tensor has no shape that compares
        return _grouped(names, tensors, _likeness_but_nested)


def _likeness_but_nested(tensor: Tensor) -> Likeness:
    if tensor.is_nested:
        return tensor.device, tensor.dtype, None, None
    device, dtype, layout, shape = LIKENESS(tensor)
    return device, dtype, layout, shape


def _grouped(
    names: list[str], tensors: list[Tensor], likeness: Callable[[Tensor], Likeness]
) -> Groups:
    found = {*map(likeness, tensors)}
    if len(found) == 1:  # as in most steps; then there is nothing to sort
        return {found.pop(): (names, tensors)}
    groups: Groups = {}
    for name, tensor in zip(names, tensors, strict=True):
        named, group = groups.setdefault(likeness(tensor), ([], []))
        named.append(name)
        group.append(tensor)
    return groups


def is_real(dtype: Any) -> bool:
    """Say whether tensors of a dtype hold numbers that can be summed."""
    torch = sys.modules["torch"]
    if dtype.is_complex or dtype == torch.bool:
        return False
    try:  # no property tells bits, quantized and packed numbers from others
        torch.empty((), dtype=dtype, device="cpu").to(torch.float64)
    except (RuntimeError, TypeError):
        return False
    return True


class DeviceSums:
    """Sums of numbers that lie on devices, by device and name.

    An update copies its tensors into one row by a single `torch.stack`, which cuts them off the
    autograd graph and from later changes in place. Rows are summed `HELD` at a time. Nothing here
    needs a value on the host before `drain`.

    Sums are kept in float64 on CPU and CUDA, elsewhere (MPS has no float64) in float32; in both
    with the rounding error carried along, after Knuth's TwoSum (TAOCP vol. 2, 4.2.2). In float64
    that makes the sums of training exact, so that they do not depend on when they are read: of
    float32 values as long as the largest is below 1e20 times the smallest, of float64 values 1e12.
    """

    def __init__(self) -> None:
        self._held: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
        self._count = 0
        self._sums: dict[tuple[Device, str], Sums] = {}
        self._weights: dict[Device, tuple[float, Tensor]] = {}

    def add(self, device: Device, names: list[str], tensors: list[Tensor], weight: float) -> Tensor:
        """Add the numbers of one update.

        Args:
            device: The device of all the tensors.
            names: Their names.
            tensors: Tensors of one element, of one shape and one real dtype.
            weight: What they count in the mean.

        Returns:
            The row: a 1-d tensor with a copy of the numbers, in order.
        """
        row = sys.modules["torch"].stack(tensors)
        if row.requires_grad:
            row = row.detach()
        if row.ndim > 1:
            row = row.flatten()
        key = (device, row.dtype, *names)
        rows, weights = self._held.setdefault(key, ([], []))
        rows.append(row)
        weights.append(self._weight(device, weight))
        self._count += 1
        if self._count >= HELD:
            self._fold()
        return row

    def drain(self) -> Iterator[tuple[str, list[tuple[float, float]]]]:
        """Copy the sums to the host and start again at nothing.

        Yields:
            A name, once for every device it was on, with the total and the weight of its finite
            numbers, and how many were NaN, inf and -inf; each with its rounding error.
        """
        if self._held:
            self._fold()
        drained, self._sums = self._sums, {}
        for device in {device for device, _ in drained}:
            here = {name: sums for (where, name), sums in drained.items() if where == device}
            parts = [part for sums in here.values() for part in sums]
            table = sys.modules["torch"].stack(parts).tolist()
            for name, high, low in zip(here, table[::2], table[1::2], strict=True):
                yield name, list(zip(high, low, strict=True))

    def _weight(self, device: Device, weight: float) -> Tensor:
        # A fill kernel; copying a number to the device would wait for it.
        cached = self._weights.get(device)
        if cached is None or cached[0] != weight:
            torch = sys.modules["torch"]
            tensor = torch.full((), weight, dtype=_wide(device), device=device)
            cached = self._weights[device] = (weight, tensor)
        return cached[1]

    def _fold(self) -> None:
        torch = sys.modules["torch"]
        for (device, _, *names), (rows, weights) in self._held.items():
            table = torch.stack(rows).to(_wide(device))
            same = len({*map(id, weights)}) == 1  # as where no step is weighted by its own size
            weight = weights[0] if same else torch.stack(weights).unsqueeze(1)
            finite = table.isfinite()
            parts = [
                torch.where(finite, table, 0.0) * weight,
                finite * weight,
                table.isnan().to(table.dtype),
                table.isposinf().to(table.dtype),
                table.isneginf().to(table.dtype),
            ]
            self._count_in(device, names, _total(torch.stack(parts, dim=2)))
        self._held.clear()
        self._count = 0

    def _count_in(self, device: Device, names: list[str], sums: Sums) -> None:
        before = [self._sums.get((device, name)) for name in names]
        known = [each for each in before if each is not None]
        if len(known) == len(names):  # as ever but for the first time: all names at once
            highs, lows = (sys.modules["torch"].stack(parts) for parts in zip(*known, strict=True))
            for name, high, low in zip(names, *two_sum((highs, lows), *sums), strict=True):
                self._sums[device, name] = high, low
        else:
            for name, standing, high, low in zip(names, before, *sums, strict=True):
                self._sums[device, name] = two_sum(standing, high, low)


def _total(table: Tensor) -> Sums:
    """Sum over the first dimension, halving it each time."""
    high, low = table, table.new_zeros(table.shape)
    while len(high) > 1:
        half = len(high) // 2
        pairs = two_sum((high[:half], low[:half]), high[half : 2 * half], low[half : 2 * half])
        if 2 * half < len(high):
            odd = high[2 * half :], low[2 * half :]
            pairs = tuple(map(sys.modules["torch"].cat, zip(pairs, odd, strict=True)))
        high, low = pairs
    return high[0], low[0]


def two_sum(sums: Sums | None, added: Tensor, error: Tensor | float = 0.0) -> Sums:
    """Add to a sum that is kept as a high part and the rounding error of all additions to it.

    Args:
        sums: The two parts, or None for nothing yet.
        added: What to add.
        error: The rounding error that it carries.

    Returns:
        The two parts, of which the high one is the sum to the last bit.
    """
    if sums is None:
        return added, added.new_zeros(added.shape) + error
    high, low = sums
    total = high + added
    shadow = total - high
    rest = low + error + ((high - (total - shadow)) + (added - shadow))
    rest = rest.where(total.isfinite(), 0.0)  # after an overflow there is none
    high = total + rest
    return high, (rest - (high - total)).where(high.isfinite(), 0.0)


def _wide(device: Device) -> Any:
    torch = sys.modules["torch"]
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32
