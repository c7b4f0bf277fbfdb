"""Which runs make one curve of a figure, and what it is called."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from thexp_pl.compare.stats.doubts import named
from thexp_pl.compare.stats.repeats import find_repeats, find_seed
from thexp_pl.compare.stats.summarising import ALL_BUT_SEED
from thexp_pl.compare.values import as_names
from thexp_pl.errors import UsageError
from thexp_pl.record.names import escaped
from thexp_pl.report.figures.labels import group_labels, run_labels
from thexp_pl.runs.row import RunRow

__all__ = ["RunSet", "each_alone", "grouped_by"]


@dataclass(frozen=True)
class RunSet:
    """Runs that are drawn as one curve.

    Args:
        label: What it is called.
        runs: The runs.
        units: Of each what it is a repeat of: those of the same unit count as one.
    """

    label: str
    runs: tuple[RunRow, ...]
    units: tuple[Hashable, ...]


def each_alone(rows: Sequence[RunRow]) -> list[RunSet]:
    """Make a set of each run.

    Args:
        rows: The runs.

    Returns:
        The sets, in the order of the runs, named by what tells these apart.
    """
    labels = run_labels(rows)
    return [RunSet(label, (row,), (0,)) for label, row in zip(labels, rows, strict=True)]


def grouped_by(
    rows: Sequence[RunRow],
    by: str | Sequence[str],
    *,
    seed: str = "",
    mix: bool = False,
    lineage: Sequence[RunRow] = (),
) -> tuple[list[RunSet], list[str]]:
    """Put runs together that are repeats of one another, as `thexp_pl.compare.summarise` does.

    Args:
        rows: The runs.
        by: Names of parameters, metrics or facts, of which repeats have the same; or
            ``all-but-seed`` alone for all parameters but the seed, and the experiment.
        seed: The parameter that is the seed; by default ``seed``, or the one that ends with
            ``.seed``.
        mix: Leave runs together whose code, packages or Python differ.
        lineage: Other runs, by which a copy of a copy is known as one.

    Returns:
        The sets in the order of their values, and what is left out, in sentences without a full
        stop.

    Raises:
        UsageError: There is nothing of a name.
    """
    names = as_names(by)
    if ALL_BUT_SEED in names and len(names) > 1:
        raise UsageError(f"{ALL_BUT_SEED} stands for all that makes groups: give it alone")
    parents = {run.key: run.parent for run in (*lineage, *rows)}
    wanted = None if names == [ALL_BUT_SEED] else names
    found = find_repeats(rows, wanted, find_seed(seed, rows), mix=mix, parents=parents)
    sizes = [len({one.unit for one in repeats.repeats}) for repeats in found]
    labels = group_labels([repeats.values for repeats in found], sizes)
    sets = [
        RunSet(
            label,
            tuple(one.run for one in repeats.repeats),
            tuple(one.unit for one in repeats.repeats),
        )
        for label, repeats in zip(labels, found, strict=True)
    ]
    copies = [escaped(key) for repeats in found for key in repeats.copies]
    if not copies:
        return sets, []
    return sets, [
        f"left out: {named(copies)}, of which a newer run is drawn that is the same run gone on"
        " with or reproduced"
    ]
