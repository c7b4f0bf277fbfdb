"""The metrics of a run read back, as arrays and as plain lists, beside pandas."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import Scale, measure, peer
from benchmarks.report import Goal, Growth, Report
from benchmarks.sinks import NAMES
from thexp_pl.record import read_metrics
from thexp_pl.record.metrics import MetricsWriter

SIZES = (10_000, 100_000, 1_000_000)
OURS, PANDAS = "read_metrics", "pandas.read_csv"
OUR_LISTS, PANDAS_LISTS = "read_metrics, as five lists", "pandas.read_csv, as five lists"
WHY = (
    "The file lies in the page cache: the floor is the turning of decimal digits into numbers,"
    " which numpy does for many lines at once, and in a small file what each of its calls costs."
    " Lists take an object for each number, which is most of the time of those who ask for them:"
    " there we lose, since the lists of many blocks are joined, and steps and epochs are searched"
    " for rows that have none."
)


def file_of(path: Path, rows: int) -> Path:
    """Write a file as a long run leaves it."""
    writer = MetricsWriter(path)
    for step in range(rows // len(NAMES)):
        writer.write(step, step // 1_000, {name: random.random() * 3 for name in NAMES})
    writer.close()
    return path


def as_lists(path: Path) -> object:
    """Read, and make the lists of plain Python values that many callers ask for."""
    columns = read_metrics(path)
    return columns.step, columns.epoch, columns.time, columns.name, columns.value


def pandas_lists(pandas: Any, path: Path) -> object:
    """Read by pandas, and make the same lists."""
    return [column.tolist() for _, column in pandas.read_csv(path).items()]


def sized(way: str, rows: int) -> str:
    """Name a case."""
    return f"{way}, {rows:,} rows"


def reading(path: Path, rows: int, pandas: Any) -> dict[str, Callable[[], object]]:
    """Give the ways to read a file."""
    ways: dict[str, Callable[[], object]] = {
        OURS: partial(read_metrics, path),
        OUR_LISTS: partial(as_lists, path),
    }
    if pandas is not None:
        ways[PANDAS] = partial(pandas.read_csv, path)
        ways[PANDAS_LISTS] = partial(pandas_lists, pandas, path)
    return {sized(way, rows): read for way, read in ways.items()}


def report(scale: Scale) -> Report:
    """Measure files of several sizes."""
    absent: list[str] = []
    pandas = peer("pandas", absent)
    sizes = scale.pick(SIZES, (1_000, 10_000))
    cases: dict[str, Callable[[], object]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for rows in sizes:
            cases |= reading(file_of(Path(scratch, f"{rows}.csv"), rows), rows, pandas)
        seconds = measure(cases, scale, 2)
    goals = [Goal(sized(OURS, rows), sized(PANDAS, rows), 1) for rows in sizes]
    goals.append(Goal(sized(OUR_LISTS, sizes[-1]), sized(PANDAS_LISTS, sizes[-1]), 1))
    growths = [
        Growth(way, "rows", {rows: sized(way, rows) for rows in sizes})
        for way in (OURS, OUR_LISTS, PANDAS)
    ]
    return Report("Reading metrics", seconds, goals, absent, growths=growths, why=WHY)
