"""AvgMeter: Meters averaged over many steps."""

from __future__ import annotations

import copy
import sys
from collections.abc import ItemsView, Mapping
from dataclasses import fields
from math import inf
from numbers import Real
from typing import Any

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.meter.device_sums import DeviceSums, Likeness, alike, is_real
from thexp_pl.meter.formats import Formats, text_of
from thexp_pl.meter.meter import Meter
from thexp_pl.meter.running import Running
from thexp_pl.meter.values import detached, is_array, is_metric, is_tensor, number_of, storable

__all__ = ["AvgMeter"]

# how a value is taken up, by its type or, for a tensor, by its likeness
NUMBER, TENSOR, OTHER = "number", "tensor", "other"
# where in its row a number lies is settled before a state is written
STATE_FIELDS = tuple(field.name for field in fields(Running) if field.name != "column")


class AvgMeter(Meter):
    """The values of many steps: numbers averaged, everything else as it was last.

    A number is a Python float or int, a numpy scalar, or a tensor or array with one element, of any
    real dtype; a quantized, sparse, nested or meta tensor is none. It prints as its last value with
    the mean beside it, ``0.0165(0.4997)``; a name under which only Python ints arrived prints its
    last value alone. NaN and inf are counted, ``nan(0.4997, 2 nan)``: the mean shown is that of the
    finite values, while `means` and reading give NaN or inf, so that whoever watches a metric sees
    it. Truth values are no numbers.

    Updating never waits for a device, keeps no autograd graph and holds on to no number that the
    caller may later change in place. Reading (printing, `means`, attributes, `state_dict`,
    `merge`, copying) waits for the devices. Reading a name gives its mean, of what is no number
    the last value. Assigning to a name counts one more value for it.

    A `torchmetrics.Metric` stored in a Meter is kept by reference, computed by `means` and reset
    by `reset`.

    >>> average = AvgMeter()
    >>> for loss, size in ((0.5, 32), (0.125, 16)):
    ...     meter = Meter()
    ...     meter.loss, meter.epoch = loss, 3
    ...     average.update(meter, weight=size)
    >>> average
    @loss=0.1250(0.3750)  @epoch=3
    >>> average.means()
    {'loss': 0.375, 'epoch': 3.0}
    """

    __slots__ = ("_kinds", "_sums")

    _values: dict[str, Running]
    _kinds: dict[Any, str]
    _sums: DeviceSums

    def __init__(self) -> None:
        super().__init__()
        self._start()

    def _start(self) -> None:
        object.__setattr__(self, "_kinds", {float: NUMBER, bool: OTHER})
        object.__setattr__(self, "_sums", DeviceSums())

    # -- taking values up

    def update(self, other: Meter | Mapping[str, Any], weight: float = 1) -> None:
        """Count the values of one step, and take over the formats of its Meter.

        Args:
            other: The values; tensors stay on their devices.
            weight: What the step counts in the means, such as its batch size: a number known on
                the host, finite and not negative.

        Raises:
            UsageError: The weight is something else.

        >>> average = AvgMeter()
        >>> average.update({"acc": 1.0}, weight=3)
        >>> average.update({"acc": 0.0})
        >>> average
        @acc=0.0000(0.7500)
        """
        share = _checked(weight)
        values, kinds = self._values, self._kinds
        names, tensors = [], []
        for name, value in other.items():
            running = values.get(name)
            if running is None:
                running = values[name] = Running()
            kind = kinds.get(type(value)) or self._learn(type(value))
            if kind is TENSOR:
                names.append(name)
                tensors.append(value)
            elif kind is NUMBER:
                running.add(value, share)
            else:
                number = number_of(value) if is_array(value) else None
                running.keep(detached(value)) if number is None else running.add(number, share)
        if tensors:
            self._add_tensors(names, tensors, share)
        if isinstance(other, Meter):
            self._formats.update(other._formats)

    def _add_tensors(self, names: list[str], tensors: list[Any], weight: float) -> None:
        values = self._values
        for likeness, (named, group) in alike(names, tensors).items():
            if (self._kinds.get(likeness) or self._judge(likeness)) is NUMBER:
                row = self._sums.add(likeness[0], named, group, weight)
                for column, name in enumerate(named):
                    values[name].place(row, column)
            else:
                for name, tensor in zip(named, group, strict=True):
                    values[name].keep(detached(tensor))

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def _learn(self, cls: type) -> str:
        torch = sys.modules.get("torch")
        if torch is not None and issubclass(cls, torch.Tensor):
            kind = TENSOR
        else:
            kind = NUMBER if issubclass(cls, Real) else OTHER
        self._kinds[cls] = kind
        return kind

    def _judge(self, likeness: Likeness) -> str:
        device, dtype, layout, shape = likeness
        strided = layout is sys.modules["torch"].strided
        if not strided or device.type == "meta" or shape.numel() != 1:
            return OTHER  # not learnt: there is no end to shapes
        kind = self._kinds[likeness] = NUMBER if is_real(dtype) else OTHER
        return kind

    def merge(self, other: AvgMeter) -> None:
        """Add what another AvgMeter has counted, as if its steps had followed this one's.

        Means are weighted by what was counted, so that the order of merging several does not
        matter. A Metric stays this one's own: it synchronises across ranks by itself.

        Args:
            other: It stays as it is.

        >>> one, two = AvgMeter(), AvgMeter()
        >>> one.update({"loss": 1.0}, weight=3)
        >>> two.update({"loss": 0.0})
        >>> one.merge(two)
        >>> one.loss
        0.75
        """
        self._settle()
        other._settle()
        for name, theirs in other._values.items():
            self._values.setdefault(name, Running()).merge(theirs)
        for key, format_ in other._formats.items():
            self._formats.setdefault(key, format_)

    def reset(self) -> None:
        """Start again at nothing, as at the start of an epoch; formats stay, Metrics are reset."""
        for running in self._values.values():
            if is_metric(running.last):
                running.last.reset()
        self._values.clear()
        self._start()

    # -- reading: from here on devices are waited for

    def _settle(self) -> None:
        """Bring to the host what still lies on devices."""
        for name, sums in self._sums.drain():
            self._values[name].add_sums(sums)
        rows: dict[Any, list[float]] = {}  # many names share a row: copy it once
        for running in self._values.values():
            if running.column is not None:
                if running.last not in rows:
                    rows[running.last] = running.last.tolist()
                running.last = float(rows[running.last][running.column])
                running.column = None

    def means(self) -> dict[str, float]:
        """Give the weighted mean of every number, NaN and inf carried over.

        Metrics are computed here, those never updated and those whose result is not one number
        left out. With several ranks a Metric synchronises, so call this on every rank.

        Returns:
            The mean by name.
        """
        self._settle()
        means: dict[str, float] = {}
        for name, running in self._values.items():
            if is_metric(running.last):
                computed = running.last.compute() if running.last.update_called else None
                number = number_of(computed)
                if number is not None:
                    means[name] = float(number)
            elif running.count:
                means[name] = running.mean
        return means

    def __getitem__(self, name: str) -> Any:
        running = super().__getitem__(name)
        self._settle()
        return _reading(running)

    def items(self) -> ItemsView[str, Any]:
        """Give the names with their means; with the last value of what is no number."""
        self._settle()
        return {name: _reading(running) for name, running in self._values.items()}.items()

    def __repr__(self) -> str:
        self._settle()
        return super().__repr__()

    def _text(self, name: str) -> str:
        running = self._values[name]
        last = text_of(name, running.last, self._formats)
        if running.integral:
            return last
        infinite = running.positive + running.negative
        odd = [f"{n} {word}" for n, word in ((running.nan, "nan"), (infinite, "inf")) if n]
        if running.weight or running.far_weight[0] or not odd:
            odd.insert(0, text_of(name, running.finite_mean, self._formats))
        return f"{last}({', '.join(odd)})"

    # -- keeping and copying

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Give all that was counted, as a checkpoint keeps it.

        Returns:
            By name, a dict of Python numbers and the last value: safe for `torch.load` with
            ``weights_only=True``. A name that holds something else than numbers, text, tensors,
            or lists, tuples and dicts of these is left out; so are formats and Metrics.
        """
        self._settle()
        state = {}
        for name, running in self._values.items():
            kept = {field: getattr(running, field) for field in STATE_FIELDS}
            if not storable(running.last):
                if not running.count:
                    continue
                kept["last"] = running.mean
            state[name] = kept
        return state

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Take up a `state_dict` in place of all that was counted here; formats stay.

        Raises:
            CheckpointError: It is no state of an AvgMeter; nothing is changed then.
        """
        for name, kept in state.items():
            if not isinstance(kept, Mapping) or set(kept) != set(STATE_FIELDS):
                raise CheckpointError(
                    f"{name!r} of this state is not what an AvgMeter saves "
                    f"({', '.join(STATE_FIELDS)}): give the state_dict() of an AvgMeter"
                )
        self._values.clear()
        self._start()
        self._values.update({name: Running(**kept) for name, kept in state.items()})

    def __getstate__(self) -> tuple[dict[str, Any], Formats]:
        self._settle()
        return {name: copy.copy(it) for name, it in self._values.items()}, dict(self._formats)

    def __setstate__(self, state: tuple[dict[str, Any], Formats]) -> None:
        super().__setstate__(state)
        self._start()


def _checked(weight: Any) -> float:
    # Comparing a tensor would wait for its device, so its type is looked at first.
    is_real = type(weight) is int or isinstance(weight, Real)  # which takes four times as long
    if is_real and 0 <= (share := float(weight)) < inf:
        return share
    held = f"a {type(weight).__name__}" if is_tensor(weight) else repr(weight)
    raise UsageError(
        f"a weight is a number known on the host, finite and not negative, not {held}: "
        "give the batch size, such as len(batch)"
    )


def _reading(running: Running) -> Any:
    return running.mean if running.count and not is_metric(running.last) else running.last
