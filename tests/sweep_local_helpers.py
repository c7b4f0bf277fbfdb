"""Sweeps of light scripts, driven by processes of this machine."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from thexp_pl.record.folders import as_root
from thexp_pl.runs.run import Run, read_runs
from thexp_pl.sweeps.driver import drive
from thexp_pl.sweeps.engines.base import Engine
from thexp_pl.sweeps.engines.local import LocalEngine
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.source import ListSource
from thexp_pl.sweeps.standing import State
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.summary import Summary
from thexp_pl.sweeps.sweep import Sweep, read_points

SECONDS = 120.0  # a process that takes longer to start or to end hangs

# what every light script begins with: its flag, and how it waits, records and tells
HEAD = """
import os, signal, sys, time
from pathlib import Path
from thexp_pl import Experiment
lr = sys.argv[1].partition("=")[2]
here = Path(os.environ["TEST_ROOT"]).parent

def recorded():
    return Experiment(os.environ["TEST_ROOT"], "light", code=False, console=False)

def wait_for(name):
    deadline = time.monotonic() + 180
    while not (here / name).exists():
        if time.monotonic() > deadline:
            sys.exit(f"no {name}")
        time.sleep(0.02)

def tell(name, told):  # which is there as a whole, or not at all
    (here / f".{name}").write_text(str(told))
    (here / f".{name}").rename(here / name)

def first_time(name):
    try:
        (here / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
"""
PLAIN = """
with recorded() as exp:
    exp.params = {"lr": lr}
    exp.log_metrics(0, 0, {"loss": float(lr) / 2})
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment root that the light scripts record in."""
    monkeypatch.setenv("TEST_ROOT", str(tmp_path / "root"))
    return tmp_path / "root"


class Heard:
    """Keeps what a listener is told, and lets a test act on it."""

    def __init__(self) -> None:
        self.begun_points: list[int] = []
        self.endings: list[tuple[int, str, str, bool]] = []
        self.lines: list[str] = []
        self.most_at_once = 0
        self.hindrances: set[str] = set()
        self.on_begun: Callable[[int], object] = lambda number: None
        self.on_said: Callable[[str], object] = lambda line: None
        self.on_look: Callable[[Collection[int]], object] = lambda running: None

    def begun(self, point: Point) -> None:
        self.begun_points.append(point.number)
        self.on_begun(point.number)

    def ended(self, point: Point, state: State, reason: str, *, again: bool) -> None:
        self.endings.append((point.number, state.status, reason, again))

    def said(self, line: str) -> None:
        self.lines.append(line)
        self.on_said(line)

    def looked(self, summary: Summary, running: Collection[Point], hindrance: str) -> None:
        self.most_at_once = max(self.most_at_once, len(running))
        self.hindrances |= {hindrance} - {""}
        self.on_look([point.number for point in running])


def light_sweep(
    root: Path, body: str, values: Sequence[str], *, name: str = "script.py", head: str = HEAD
) -> Sweep:
    """Submit a script of this body, one point a value of its flag."""
    Path(name).write_text(head + textwrap.dedent(body))
    points = [Point(n, {"lr": value}, f"digest-{value}") for n, value in enumerate(values)]
    return submit(as_root(root), [name], ["lr"], points, command="thexp-pl sweep")


def run_all(sweep: Sweep, engine: Engine | None = None, **options: object) -> Summary:
    """Drive a sweep with all of its points."""
    source = ListSource(read_points(sweep))
    listener = options.pop("listener", None) or Heard()
    engine = engine or LocalEngine(2)
    return drive(sweep, source, engine, listener=listener, **options)  # type: ignore[arg-type]


def runs_of(root: Path) -> list[Run]:
    """Read all runs of a root."""
    return read_runs([root])


def is_alive(pid: int) -> bool:
    """Say whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
