"""The runs that several words mean: keys, and queries."""

from __future__ import annotations

from collections.abc import Iterable

from thexp_pl.errors import QueryError, RecordError
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.viewer import ExperimentViewer

__all__ = ["select_runs"]

_SIGNS = frozenset("<>=!( ")


def select_runs(viewer: ExperimentViewer, words: Iterable[str]) -> list[RunRow]:
    """Find the runs that some words mean.

    Args:
        viewer: The runs to choose from.
        words: Each a word that means one run (see `thexp_pl.runs.keys.find_row`), or else a query;
            none mean all runs.

    Returns:
        The runs in the order of the words, those of a query oldest first; each once.

    Raises:
        RecordError: A word without a query's signs means no run, or several.
        QueryError: A query cannot be carried out as written.
    """
    words = list(words)
    found = viewer.rows() if not words else [row for word in words for row in _meant(viewer, word)]
    return list({(row.root, row.experiment, row.key): row for row in found}.values())


def _meant(viewer: ExperimentViewer, word: str) -> list[RunRow]:
    try:
        # first: an experiment may be called `mytrainer_lr=0.01`
        return [viewer.row(word)]
    except RecordError:
        if not _SIGNS & set(word):
            raise
        try:
            return viewer.rows(word)
        except QueryError as error:
            raise QueryError(f"{error}; and no run or experiment is called so") from None
