"""A DataLoader's arguments, read off it again."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader, IterableDataset, RandomSampler, SequentialSampler

from thexp_pl.data.order import ExactSampler

__all__ = ["arguments", "rebuilt"]

_KEPT = (
    "num_workers",
    "collate_fn",
    "pin_memory",
    "timeout",
    "worker_init_fn",
    "multiprocessing_context",
    "generator",
    "prefetch_factor",
    "persistent_workers",
    "pin_memory_device",
    "in_order",
)


def arguments(loader: DataLoader[Any]) -> dict[str, Any]:
    """Read the arguments that make a loader like this one.

    Args:
        loader: A DataLoader of any class; what a class adds is not among them.

    Returns:
        The arguments of DataLoader by name, `dataset` among them. A sampler is there only where it
        is the user's own, and `shuffle` in place of torch's for it.
    """
    given = {name: getattr(loader, name) for name in _KEPT} | {"dataset": loader.dataset}
    if isinstance(loader.dataset, IterableDataset):
        return given | {"batch_size": loader.batch_size, "drop_last": loader.drop_last}
    if loader.batch_sampler is not None and loader.batch_size is None:
        return given | {"batch_sampler": loader.batch_sampler}
    given |= {"batch_size": loader.batch_size, "drop_last": loader.drop_last}
    return given | _order(loader)


def rebuilt(loader: DataLoader[Any], **changes: Any) -> DataLoader[Any]:
    """Make the loader anew, of its own class, with other arguments.

    Args:
        loader: A DataLoader whose class adds no required argument to DataLoader's.
        changes: Arguments that shall be others.

    Returns:
        The new loader, which begins at the start.
    """
    given = arguments(loader)
    given |= {
        name: getattr(loader, name) for name in ("seed", "seed_per_item") if hasattr(loader, name)
    }
    return type(loader)(**(given | changes))


def _order(loader: DataLoader[Any]) -> dict[str, Any]:
    sampler = loader.sampler
    if isinstance(sampler, ExactSampler):
        return {"sampler": sampler.source} if sampler.source else {"shuffle": sampler.shuffle}
    plain = getattr(sampler, "data_source", None) is loader.dataset
    if plain and type(sampler) is SequentialSampler:
        return {"shuffle": False}
    if plain and type(sampler) is RandomSampler and not sampler.replacement:
        size = len(loader.dataset)  # type: ignore[arg-type]  # the sampler has asked for it too
        return {"shuffle": True} if sampler.num_samples == size else {"sampler": sampler}
    return {"sampler": sampler}
