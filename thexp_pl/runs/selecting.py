"""The runs that several words mean: keys, and queries."""

from __future__ import annotations

import json
from collections.abc import Iterable

from thexp_pl.errors import QueryError, RecordError
from thexp_pl.runs.keys import find_sweep
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.viewer import ExperimentViewer

__all__ = ["select_runs"]

_SIGNS = frozenset("<>=!( ")


def select_runs(
    viewer: ExperimentViewer, words: Iterable[str], *, taken_over: bool = True
) -> list[RunRow]:
    """Find the runs that some words mean.

    Args:
        viewer: The runs to choose from.
        words: Each a word that means one run (see `thexp_pl.runs.keys.find_row`), the key of a
            sweep or the beginning of one, or else a query; none mean all runs.
        taken_over: Whether the key of a sweep means those runs of others too by which its points
            are finished, see `thexp_pl.runs.sweeps.runs_of_sweep`.

    Returns:
        The runs in the order of the words, those of a query oldest first; each once.

    Raises:
        RecordError: A word without a query's signs means no run, or several.
        QueryError: A query cannot be carried out as written.
    """
    words = list(words)
    meant = (_meant(viewer, word, taken_over=taken_over) for word in words)
    found = [row for rows in meant for row in rows] if words else viewer.rows()
    return list({(row.root, row.experiment, row.key): row for row in found}.values())


def _meant(viewer: ExperimentViewer, word: str, *, taken_over: bool) -> list[RunRow]:
    try:
        # first: an experiment may be called `mytrainer_lr=0.01`
        return [viewer.row(word)]
    except RecordError:
        sweep = find_sweep(viewer.index(), word)
        if sweep is not None:
            return viewer.rows(sweep if taken_over else f"sweep == {json.dumps(sweep)}")
        if not _SIGNS & set(word):
            raise
        try:
            return viewer.rows(word)
        except QueryError as error:
            raise QueryError(f"{error}; and no run or experiment is called so") from None
