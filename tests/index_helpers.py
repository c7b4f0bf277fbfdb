"""Runs that cost little, and what the index reads of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.globvars import thexp_home
from thexp_pl.record import Experiment
from thexp_pl.runs.index import Index
from thexp_pl.runs.row import RunRow


def record(root: Path, name: str = "a", **params: Any) -> Experiment:
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        exp.log_metrics(0, 0, {"loss": 2.0})
        exp.log_metrics(1, 0, {"loss": 0.5})
    return exp


def change(path: Path, **facts: Any) -> None:
    """Change a JSON file in place, as an editor may."""
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def index_file() -> Path:
    return thexp_home() / "index.sqlite"


def rows(root: Path) -> dict[str, RunRow]:
    """Read the runs of a root as another process would."""
    index = Index([root])
    index.refresh()
    found = {row.key: row for row in index.select()}
    index.close()
    return found


def statuses(root: Path) -> dict[str, str]:
    return {key: row.status for key, row in rows(root).items()}


def read_by(index: Index) -> int:
    """Bring an index up to date; say how many runs it read for that."""
    told = [0]
    index.refresh(lambda done, total: told.append(total))
    return told[-1]


class Clock:
    """This machine's clock, which may be moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import time

        real, self.ahead = time.time, 0.0
        monkeypatch.setattr("thexp_pl.runs.index.looking.time.time", lambda: real() + self.ahead)


def settle(root: Path, clock: Clock) -> None:
    """Let so much time pass that an experiment's folder need not be listed again."""
    rows(root)
    clock.ahead += 60
    rows(root)
