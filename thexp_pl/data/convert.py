"""Making exact loaders out of plain ones."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from torch.utils.data import DataLoader

from thexp_pl.data.bundler import DataBundler
from thexp_pl.data.loader import ExactDataLoader
from thexp_pl.data.rebuild import arguments
from thexp_pl.errors import UsageError

__all__ = ["exact"]


def exact(loader: Any) -> Any:
    """Give an exact loader for a plain one.

    Args:
        loader: A DataLoader, or a DataBundler, of which the members are converted.

    Returns:
        The loader itself where it is exact already, else an `ExactDataLoader` of its arguments,
        with the user's own sampler; of a DataBundler a new one.

    Raises:
        UsageError: It cannot be converted: it is no DataLoader, or one of a class with methods of
            its own.

    >>> from torch.utils.data import DataLoader
    >>> exact(DataLoader(range(4), batch_size=2)).state_dict()["epoch"]
    0
    """
    if isinstance(loader, ExactDataLoader):
        return loader
    if isinstance(loader, DataBundler):
        return loader.mapped(exact)
    kind = type(loader).__name__
    if not isinstance(loader, DataLoader):
        raise UsageError(f"{kind} is no DataLoader: an exact loader is made of a DataLoader only")
    if own := _own_methods(type(loader)):
        raise UsageError(
            f"{kind} is a DataLoader with a {own} of its own, which would be lost: derive it from "
            "thexp_pl.data.ExactDataLoader, or use a plain DataLoader"
        )
    return ExactDataLoader(**arguments(loader))


def _own_methods(kind: type) -> str | None:
    """Name a method that a class derived from DataLoader defines, but for its constructor."""
    between = kind.__mro__[: kind.__mro__.index(DataLoader)]
    found = (
        name
        for cls in between
        for name, value in vars(cls).items()
        # within its hooks Lightning keeps the constructor under a second name
        if isinstance(value, FunctionType | property) and name not in ("__init__", "__old__init__")
    )
    return next(found, None)
