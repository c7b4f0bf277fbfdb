"""Runs as the index tells of them, made by hand."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from thexp_pl.compare.metric import AGGREGATES
from thexp_pl.runs import RunRow

_numbers = count()


def run(
    params: dict[str, Any] | None = None,
    metrics: dict[str, float] | None = None,
    *,
    key: str = "",
    **facts: Any,
) -> RunRow:
    """Make a finished run.

    Args:
        params: Its parameters.
        metrics: By name the one value that it recorded.
        key: Its key; by default one that no other has.
        **facts: Other fields of `RunRow`.
    """
    number = next(_numbers)
    return RunRow(
        **{
            "key": key or f"26-01-01-000000-{number:04}",
            "experiment": "digits",
            "root": Path("/exp"),
            "status": "finished",
            "started": float(number),
            "params": params or {},
            "metrics": {
                name: {**dict.fromkeys(AGGREGATES, value), "count": 1, "nonfinite": 0}
                for name, value in (metrics or {}).items()
            },
            **facts,
        }
    )


def repeats(values: list[float], metric: str = "acc", **params: Any) -> list[RunRow]:
    """Make repeated runs, with the seeds 0, 1, ...

    Args:
        values: The metric in each.
        metric: Its name.
        **params: What they have in common.
    """
    return [run({**params, "seed": seed}, {metric: v}) for seed, v in enumerate(values)]
