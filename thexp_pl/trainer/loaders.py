"""Train loaders whose place in the data is found again when a training goes on."""

from __future__ import annotations

from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from pytorch_lightning.utilities.combined_loader import CombinedLoader
from torch.utils.data import DataLoader

from thexp_pl.data import DataBundler, ExactDataLoader, exact
from thexp_pl.data.rebuild import rebuilt
from thexp_pl.errors import UsageError

__all__ = ["apart", "exactly"]


def exactly(loaders: Any) -> Any:
    """Make an `ExactDataLoader` of every plain DataLoader that can be one.

    Args:
        loaders: What a training takes: a loader, several in lists and dicts, or a CombinedLoader.

    Returns:
        The same, with exact loaders; what cannot be one stays, and a SaverCallback says so.
    """
    if isinstance(loaders, CombinedLoader):
        loaders.flattened = [exactly(one) for one in loaders.flattened]
        return loaders
    return apply_to_collection(loaders, (DataLoader, DataBundler), _exact_or_as_it_is)


def apart(loader: Any, train_loader: Any) -> Any:
    """Give a loader to evaluate on, which leaves the training's place in the data alone.

    Args:
        loader: The loader, which may be that of the training.
        train_loader: That of the training, or None.

    Returns:
        The loader, or one like it.
    """
    is_shared = loader is train_loader and isinstance(loader, ExactDataLoader)
    return rebuilt(loader) if is_shared else loader


def _exact_or_as_it_is(loader: Any) -> Any:
    try:
        return exact(loader)
    except UsageError:
        return loader
