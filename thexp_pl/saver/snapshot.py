"""A copy of a state that no later training step changes, made for little.

The state is pickled at once, all but the bytes of its tensors: these are copied into memory that is
kept from one save to the next, because to touch new memory costs several times what the copy does.
Unpickled, in another thread, it is the state that `torch.save` would have written: shared storages
are shared, views are views, Parameters and other classes of tensor are what they were. Only the
device has become the CPU.
"""

from __future__ import annotations

import ctypes
import io
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch

__all__ = ["Snapshot", "Stage"]

Form: TypeAlias = tuple[int, bool]  # bytes of a buffer, and whether it is pinned
Buffers: TypeAlias = "list[tuple[Form, torch.UntypedStorage]]"


class Snapshot:
    """A state as it was when the snapshot was taken."""

    def __init__(self, pickled: io.BytesIO, buffers: Buffers) -> None:
        self._pickled = pickled
        self.buffers = buffers

    def state(self) -> Any:
        """Make the state anew; its tensors lie in the buffers."""
        self._pickled.seek(0)
        return _Unpickler(self._pickled, self.buffers).load()


class Stage:
    """Memory for snapshots, used again once a snapshot is given back.

    It holds as many copies of a state's tensors as there were snapshots at one time, until `clear`.
    Those of CUDA tensors are in pinned memory.
    """

    def __init__(self) -> None:
        self._spare: list[dict[Form, list[torch.UntypedStorage]]] = []

    def take(self, state: Any) -> Snapshot:
        """Copy a state; waits for the devices that its tensors are on.

        Args:
            state: Whatever `torch.save` takes.

        Raises:
            Exception: Whatever keeps the state from being pickled or copied.
        """
        pickled = io.BytesIO()
        pickler = _Pickler(pickled, self._spare.pop() if self._spare else {})
        pickler.dump(state)
        for device in pickler.devices:
            torch.cuda.current_stream(device).synchronize()
        return Snapshot(pickled, pickler.buffers)

    def give_back(self, snapshot: Snapshot) -> None:
        """Take the memory of a snapshot that is no longer needed."""
        free: dict[Form, list[torch.UntypedStorage]] = {}
        for form, buffer in snapshot.buffers:
            free.setdefault(form, []).append(buffer)
        self._spare.append(free)

    def clear(self) -> None:
        """Let go of the memory that is not in use."""
        self._spare.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"_spare": []}  # a copy of a Stage begins without memory


class _Pickler(pickle.Pickler):
    """Pickles a state, its storages as their numbers among the copies."""

    def __init__(self, file: io.BytesIO, free: dict[Form, list[torch.UntypedStorage]]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._free = free
        self._numbers: dict[int, int] = {}
        self._originals: list[torch.UntypedStorage] = []  # kept: a freed one's address comes again
        self.buffers: Buffers = []
        self.devices: set[torch.device] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value) if _is_plain(value) else NotImplemented
        if isinstance(value, torch.TypedStorage):
            storage = value._untyped_storage
            return _typed, (self._number(storage, storage.device.type), value.dtype)
        if isinstance(value, torch.UntypedStorage):
            return _untyped, (self._number(value, value.device.type),)
        return NotImplemented

    def _tensor(self, tensor: torch.Tensor) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Reduce a plain tensor, in half the time that its own way takes."""
        number = self._number(tensor.untyped_storage(), "cuda" if tensor.is_cuda else "cpu")
        place = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
        return _rebuilt, (number, tensor.dtype, *place, tensor.requires_grad)

    def _number(self, storage: torch.UntypedStorage, device: str) -> int:
        address = storage._cdata
        number = self._numbers.get(address)
        if number is None:
            number = self._numbers[address] = len(self.buffers)
            self._originals.append(storage)
            self.buffers.append(self._copy(storage, device))
        return number

    def _copy(
        self, storage: torch.UntypedStorage, device: str
    ) -> tuple[Form, torch.UntypedStorage]:
        size, pinned = form = storage.nbytes(), device == "cuda"
        free = self._free.get(form)
        if free:
            buffer = free.pop()
        else:
            buffer = torch.empty(size, dtype=torch.uint8, pin_memory=pinned).untyped_storage()
        if device == "cpu":
            # torch's own copy wakes its threads for each tensor, which on a busy machine takes
            # several times what the copy does
            ctypes.memmove(buffer.data_ptr(), storage.data_ptr(), size)
        else:
            buffer.copy_(storage, non_blocking=pinned)
        if pinned:
            self.devices.add(storage.device)
        return form, buffer


def _is_plain(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor is no more than a view of a storage."""
    return (
        type(tensor) is torch.Tensor
        and (tensor.is_cpu or tensor.is_cuda)
        and tensor.layout is torch.strided
        and not (tensor.is_nested or tensor.is_quantized or tensor.is_conj() or tensor.is_neg())
        and not (tensor.__dict__ or tensor._backward_hooks)
    )


class _Unpickler(pickle.Unpickler):
    """Unpickles what `_Pickler` wrote; never what comes from a file."""

    def __init__(self, file: io.BytesIO, buffers: Buffers) -> None:
        super().__init__(file)
        self._buffers = buffers

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        # what follows takes the numbers that `_Pickler` wrote, besides the buffers they stand for
        return partial(found, self._buffers) if module == __name__ else found


def _untyped(buffers: Buffers, number: int) -> torch.UntypedStorage:
    return buffers[number][1]


def _typed(buffers: Buffers, number: int, dtype: torch.dtype) -> torch.TypedStorage:
    storage = buffers[number][1]
    # as torch's own tensors do it: without `_internal` it warns that it will be removed
    return torch.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)  # type: ignore[no-untyped-call]


def _rebuilt(
    buffers: Buffers,
    number: int,
    dtype: torch.dtype,
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
) -> torch.Tensor:
    tensor = torch.empty(0, dtype=dtype).set_(buffers[number][1], offset, shape, stride)
    return tensor.requires_grad_(requires_grad)
