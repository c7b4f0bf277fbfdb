"""Data in an order that can be taken up at any batch: exact loaders, and bundles of several.

`ExactDataLoader` takes the place of torch's DataLoader. The order of the samples depends on its
seed and the epoch alone, and so does, batch by batch, whatever is drawn at random while they are
loaded; its place is a small state that goes into a checkpoint. `exact` makes one out of a plain
DataLoader, and `DataBundler` has several loaders run side by side or one after the other.
"""

from __future__ import annotations

from thexp_pl.data.bundler import DataBundler
from thexp_pl.data.convert import exact
from thexp_pl.data.loader import ExactDataLoader

__all__ = ["DataBundler", "ExactDataLoader", "exact"]
