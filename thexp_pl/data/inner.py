"""The plain DataLoader that does the loading: workers, queues and pinned memory are torch's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader, get_worker_info

__all__ = ["InnerLoader", "WorkerStart", "as_it_is"]


class InnerLoader(DataLoader[Any]):
    """Loads requests in place of indices, one each time, and those of another run after that.

    Args:
        source: What loads a request.
        options: Those of DataLoader.
    """

    def __init__(self, source: Any, **options: Any) -> None:
        # held by both, and holding neither: a worker's iterator must end with its last reference
        self.current = _Current()
        super().__init__(
            source, batch_size=None, sampler=self.current, collate_fn=as_it_is, **options
        )

    def check_worker_number_rationality(self) -> None:
        """Leave that to the loader around this one, which has said it."""


class _Current:
    """The requests of the run in progress; the sampler of a DataLoader cannot be changed."""

    def __init__(self) -> None:
        self.requests: Iterable[Any] = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.requests)


class WorkerStart:
    """What a worker does first: show the user's dataset as its own, and run their function.

    Args:
        worker_init_fn: The user's, or None.
    """

    def __init__(self, worker_init_fn: Callable[[int], None] | None) -> None:
        self._worker_init_fn = worker_init_fn

    def __call__(self, worker_id: int) -> None:
        """Begin as worker number `worker_id`."""
        info: Any = get_worker_info()
        # it is frozen; a user's function and dataset are to find what they would in a plain loader
        object.__setattr__(info, "dataset", info.dataset.dataset)
        if self._worker_init_fn is not None:
            self._worker_init_fn(worker_id)


def as_it_is(data: Any) -> Any:
    """Collate nothing: the source has done it."""
    return data
