"""Metrics: a step's ten values recorded, beside TensorBoard; a million rows read, beside pandas."""

from __future__ import annotations

import os
import random
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from benchmarks.harness import Goal, Report, measure, peer
from thexp_pl.loggers.board import Board
from thexp_pl.record import Experiment, read_metrics
from thexp_pl.record.metrics import MetricsWriter

NAMES = ["loss", "acc", "val/loss", "val/acc", "lr", "grad_norm", "seconds", "memory", "top5", "f1"]
CALLS = 100_000
STEPS = 50  # between two flushes of a board
OURS, TENSORBOARD = "log_metrics, ten values", "ten SummaryWriter.add_scalar"
BOARD, FLUSHED = "a Board, fifty times ten values, flush", "a SummaryWriter, the same"
READ, PANDAS = "read_metrics, a million rows", "pandas.read_csv"
LISTS, PANDAS_LISTS = "the same, as five lists", "pandas.read_csv, as five lists"


def some_values() -> dict[str, float]:
    """Ten values with all the digits that a float has."""
    return {name: random.random() * 3 for name in NAMES}


def ten_scalars(writer: SummaryWriter, values: dict[str, float]) -> Callable[[], object]:
    """What TensorBoard takes for the values of one step."""

    def step() -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, 7)

    return step


def fifty_steps(step: Callable[[], object], flush: Callable[[], object]) -> Callable[[], object]:
    """What is put off to a thread is measured with the flush that waits for it."""

    def steps() -> None:
        for _ in range(STEPS):
            step()
        flush()

    return steps


def million_rows(path: Path) -> Path:
    """Write a file as a long run leaves it."""
    writer = MetricsWriter(path)
    for step in range(CALLS):
        writer.write(step, step // 1_000, some_values())
    writer.close()
    return path


def as_lists(path: Path) -> object:
    """Read, and make the lists of plain Python values that most callers ask for."""
    columns = read_metrics(path)
    return columns.step, columns.epoch, columns.time, columns.name, columns.value


def reading(path: Path, pandas: Any) -> dict[str, Callable[[], object]]:
    """The ways to read the file."""
    cases: dict[str, Callable[[], object]] = {
        READ: lambda: read_metrics(path),
        LISTS: lambda: as_lists(path),
    }
    if pandas is not None:
        cases[PANDAS] = lambda: pandas.read_csv(path)
        cases[PANDAS_LISTS] = lambda: [
            column.tolist() for _, column in pandas.read_csv(path).items()
        ]
    return cases


def report(repeats: int) -> Report:
    """Measure writing with all that it puts off, such as flushing, and reading."""
    warnings.filterwarnings("ignore")
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["THEXP_HOME"] = f"{scratch}/home"
        values = some_values()
        experiment = Experiment(f"{scratch}/exp", "a", code=False, console=False)
        experiment.start_exp()
        board = Board(Path(scratch, "board"), print)
        tensorboard = SummaryWriter(f"{scratch}/tensorboard")
        cases = {
            OURS: lambda: experiment.log_metrics(7, 0, values),
            TENSORBOARD: ten_scalars(tensorboard, values),
            BOARD: fifty_steps(lambda: board.add_scalars(7, values), board.flush),
            FLUSHED: fifty_steps(ten_scalars(tensorboard, values), tensorboard.flush),
        }
        seconds = measure(cases, repeats)
        experiment.end_exp()
        board.close()
        tensorboard.close()
        path = million_rows(Path(scratch, "metrics.csv"))
        seconds |= measure(reading(path, peer("pandas", absent)), repeats)
    goals = [
        Goal(OURS, TENSORBOARD, 1 / 10),
        Goal(BOARD, FLUSHED, 1 / 2),
        Goal(READ, PANDAS, 1),
    ]
    return Report("Metrics", seconds, goals, absent)
