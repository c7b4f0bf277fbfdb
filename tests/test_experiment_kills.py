"""SIGKILL at random points, and many processes at once: no started run is ever lost or wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record import Experiment, read_metrics
from thexp_pl.record.journal import read_journal
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.run import Run

KILLS = 100

LONG_RUN = """
import os, sys
from thexp_pl import Experiment

exp = Experiment(sys.argv[1], "a")
exp.params = {"lr": 0.1}
print("begin", flush=True)
exp.start_exp()
part = exp.hold_exp_part("modules", [".ckpt"])
for step in range(10**9):
    exp.log_metrics(step, step // 100, {"loss": 1 / (step + 1), "acc": 0.5})
    if step % 100 == 0:
        (part / f"{step}.ckpt").write_bytes(b"x" * 100)
        exp.params["step"] = step
        exp.tag(f"epoch{step // 100}")
    print(step, flush=True)
"""


def runs_of(root: Path) -> list[Run]:
    return ExperimentViewer(roots=[root]).runs()


def killed_after(root: Path, lines: int) -> list[str]:
    """Start a run, and kill it when it has printed so many lines; give the lines."""
    child = subprocess.Popen(
        [sys.executable, "-c", LONG_RUN, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    printed = []
    for line in child.stdout:
        printed.append(line.strip())
        if len(printed) >= lines:
            break
    child.kill()
    child.wait()
    printed += child.stdout.read().split()
    child.stdout.close()
    return printed


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
def test_a_run_killed_at_a_random_point_is_killed_and_whole(tmp_path: Path, seed: int) -> None:
    randomness = random.Random(seed)
    root = tmp_path / "exp"
    seen = 0
    for _ in range(KILLS // 4):
        # in the midst of the start, right after it, and while it writes
        lines = randomness.choice([1, 1, 2, 2, 3, 50, 1000, randomness.randrange(2000, 6000)])
        printed = killed_after(root, lines)
        found = runs_of(root) if root.exists() else []
        started = len(printed) > 1
        assert len(found) - seen in ((1,) if started else (0, 1))
        if len(found) > seen:
            check_killed_run(found[-1], rows_given=2 * (len(printed) - 1))
        seen = len(found)
    assert {run.status for run in runs_of(root)} == {"killed"}


def check_killed_run(run: Run, rows_given: int) -> None:
    """All that was to be on the disk is there and can be read."""
    assert run.status == "killed"
    assert run.params["lr"] == 0.1
    assert run.cause is not None
    assert run.cause["message"].startswith("its process is gone without a trace: SIGKILL")
    columns = read_metrics(run.paths.metrics)
    assert rows_given - 1000 <= len(columns) <= rows_given + 2
    assert list(columns.step) == [row // 2 for row in range(len(columns))]
    for event in read_journal(run.paths.journal):
        json.dumps(event)
    assert run.to_dict()["tags"] == [f"epoch{n}" for n in range(len(run.to_dict()["tags"]))]


def test_after_a_kill_the_next_run_starts_as_ever(tmp_path: Path) -> None:
    killed_after(tmp_path, 1)
    with Experiment(tmp_path, "a", strict=True):
        pass
    assert runs_of(tmp_path)[-1].status == "finished"


CROWD = """
import os, sys, signal
from thexp_pl import Experiment

number, runs, killed = map(int, sys.argv[2:])
sys.stdin.read(1)  # all begin together
for one in range(runs):
    if killed and one == runs - 1:
        with Experiment(sys.argv[1], f"crowd{number % 7}") as exp:
            print(exp.key, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    with Experiment(sys.argv[1], f"crowd{number % 7}") as exp:
        exp.params = {"number": number, "one": one}
        exp.log_metrics(one, 0, {"loss": 1.0})
    print(exp.key, flush=True)
"""


def crowd(root: Path, processes: int, runs: int, killed: int) -> list[tuple[str, str, int]]:
    """Start runs in many processes at the same moment; give what each printed, and how it ended."""
    children: list[subprocess.Popen[str]] = []
    gate, opener = os.pipe()
    for number in range(processes):
        words = [str(root), str(number), str(runs), str(int(number < killed))]
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", CROWD, *words],
                stdin=gate,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # a machine may refuse a thread: no run is lost
                text=True,
            )
        )
    os.write(opener, b"x" * processes)
    os.close(opener)
    os.close(gate)
    return [(*child.communicate(timeout=300), child.returncode) for child in children]


def check_crowd(root: Path, processes: int, runs: int, killed: int) -> None:
    told = crowd(root, processes, runs, killed)
    assert [code for *_, code in told] == [
        -signal.SIGKILL if number < killed else 0 for number in range(processes)
    ], [errors for _, errors, _ in told if errors]
    keys = [key for text, *_ in told for key in text.split()]
    assert len(set(keys)) == processes * runs
    found: list[dict[str, Any]] = [run.to_dict() for run in ExperimentViewer().runs()]
    assert sorted(run["key"] for run in found) == sorted(keys)
    assert sum(run["status"] == "killed" for run in found) == killed
    assert sum(run["status"] == "finished" for run in found) == processes * runs - killed


@pytest.mark.parametrize("processes", [16, pytest.param(64, marks=pytest.mark.slow)])
def test_many_processes_of_20_runs_on_nothing_lose_no_run(tmp_path: Path, processes: int) -> None:
    check_crowd(tmp_path / "exp", processes, runs=20, killed=processes // 6)
