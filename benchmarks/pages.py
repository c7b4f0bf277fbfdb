"""Runs with curves, and what draws them: our commands, and what a user writes without them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import by_hand
from benchmarks.programs import command, process
from benchmarks.report import Growth
from benchmarks.stores import make_store

__all__ = ["METRICS", "Pages", "home_of"]

METRICS = 10
_EVERY = "seconds >= 0"  # a query that means every run


def home_of(scratch: Path, name: str, runs: int, points: int = 0) -> Path:
    """Make a store, whose folder has the name, and its index; give the home that knows it."""
    home = scratch / f"home-{name}"
    os.environ["THEXP_HOME"] = str(home)
    make_store(scratch / name, runs, metrics=METRICS, points=points)
    command(home, "list", "--limit", "1")()
    return home


class Pages:
    """Stores of several sizes, and what draws them into files.

    Args:
        scratch: Where all is made.
        quick: Whether the sizes are small.
    """

    def __init__(self, scratch: Path, quick: bool) -> None:
        self.few, self.many = (2, 2) if quick else (4, 20)
        self.points = (100, 400) if quick else (1_000, 10_000, 100_000)
        self.big = self.many, self.points[1]
        self._scratch = scratch
        self._homes: dict[tuple[int, int], Path] = {}

    def name(self, runs: int, points: int) -> str:
        """Name the page of some runs with curves of so many points; 0 are no curves."""
        curves = f"{METRICS} metrics x {points:,} points" if points else "no curves"
        return f"report of {runs} runs, {curves}"

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Give the runs and the points of each page by its name."""
        every = [*((self.few, points) for points in self.points), self.big]
        return {self.name(*size): size for size in every}

    def growths(self) -> list[Growth]:
        """Say which pages are the same but for one size."""
        of_points = {points: self.name(self.few, points) for points in self.points}
        of_runs = {runs: self.name(runs, self.points[1]) for runs in (self.few, self.many)}
        return [
            Growth(f"report of {self.few} runs", "points of each curve", of_points),
            Growth(f"report of curves of {self.points[1]:,} points", "runs", of_runs),
        ]

    def page(self, runs: int, points: int) -> tuple[Path, Callable[[], object]]:
        """Give a page, and what writes it."""
        return self._ours(runs, points, "report", _EVERY, "-o", f"{runs}-{points}.html")

    def figure(self) -> tuple[Path, Callable[[], object]]:
        """Give the figure of one metric of the most runs, and what draws it."""
        return self._ours(*self.big, "plot", _EVERY, "--tags", "loss", "-o", "figure.pdf")

    def drawn_by(self, library: str, file: str) -> tuple[Path, Callable[[], object]]:
        """Give what a script draws of the most runs with pandas and a library, and the call."""
        self._home(*self.big)
        words = [sys.executable, by_hand.__file__, library, str(self._root(*self.big)), file]
        return self._scratch / file, process(words, self._scratch)

    def _ours(self, runs: int, points: int, *words: str) -> tuple[Path, Callable[[], object]]:
        file, call = self._scratch / words[-1], command(self._home(runs, points), *words)

        def draw() -> None:
            file.unlink(missing_ok=True)
            call()

        return file, draw

    def _home(self, runs: int, points: int) -> Path:
        if (runs, points) not in self._homes:
            name = self._root(runs, points).name
            self._homes[runs, points] = home_of(self._scratch, name, runs, points)
        return self._homes[runs, points]

    def _root(self, runs: int, points: int) -> Path:
        return self._scratch / f"{runs}-{points}"
