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
HELD = 256

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
    with the rounding error carried along, after Knuth's TwoSum (TAOCP vol. 2, 4.2.2).
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
        row = sys.modules["torch"].stack(tensors).detach().flatten()
        key = (device, row.dtype, *names)
        rows, weights = self._held.setdefault(key, ([], []))
        rows.append(row)
        weights.append(self._weight(device, weight))
        self._count += 1
        if self._count >= HELD:
            self._fold()
        return row

    def drain(self) -> Iterator[tuple[str, list[float]]]:
        """Copy the sums to the host and start again at nothing.

        Yields:
            A name, once for every device it was on, with the total and the weight of its finite
            numbers, and how many were NaN, inf and -inf.
        """
        if self._held:
            self._fold()
        drained, self._sums = self._sums, {}
        for device in {device for device, _ in drained}:
            here = {name: sums for (where, name), sums in drained.items() if where == device}
            parts = [part for sums in here.values() for part in sums]
            table = sys.modules["torch"].stack(parts).tolist()
            for name, high, low in zip(here, table[::2], table[1::2], strict=True):
                yield name, [_joined(*pair) for pair in zip(high, low, strict=True)]

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
            weight = torch.stack(weights).unsqueeze(1)
            finite = table.isfinite()
            sums = torch.stack(
                [
                    (torch.where(finite, table, 0.0) * weight).sum(0),
                    (finite * weight).sum(0),
                    table.isnan().sum(0).to(table.dtype),
                    table.isposinf().sum(0).to(table.dtype),
                    table.isneginf().sum(0).to(table.dtype),
                ],
                dim=1,
            )
            for name, added in zip(names, sums.unbind(), strict=True):
                before = self._sums.get((device, name))
                self._sums[device, name] = two_sum(before, added)
        self._held.clear()
        self._count = 0


def two_sum(sums: Sums | None, added: Tensor) -> Sums:
    """Add to a sum that is kept as a high part and the rounding error of all additions to it."""
    if sums is None:
        return added, added.new_zeros(added.shape)
    high, low = sums
    total = high + added
    shadow = total - high
    return total, low + ((high - (total - shadow)) + (added - shadow))


def _joined(high: float, low: float) -> float:
    # After an overflow the carried error is meaningless.
    return high + low if abs(high) != float("inf") else high


def _wide(device: Device) -> Any:
    torch = sys.modules["torch"]
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32
