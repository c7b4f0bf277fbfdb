"""Search: points that Optuna suggests, one after the other, by what became of those before."""

from __future__ import annotations

from thexp_pl.sweeps.search.settings import SearchSettings
from thexp_pl.sweeps.search.source import StudySource
from thexp_pl.sweeps.search.space import SearchSpace, read_space
from thexp_pl.sweeps.search.study import STORAGE_VARIABLE, check_storage

__all__ = [
    "STORAGE_VARIABLE",
    "SearchSettings",
    "SearchSpace",
    "StudySource",
    "check_storage",
    "read_space",
]
