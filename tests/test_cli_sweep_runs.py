"""`thexp-pl sweep` from the command to the runs, with a light script in the place of a training."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sweep_command_helpers import SECONDS, begun, key_of, manifests, sweep, until

SCRIPT = """
import os, time
from pathlib import Path
from thexp_pl import Experiment, Params

params = Params()
params.device = "cpu"
params.lr = 0.1
params.seed = 0
params.from_args()
with Experiment("./experiment", "light", console=False) as exp:
    exp.params = params.settings()
    exp.log_metrics(0, 0, {"acc": 2 * params.lr + params.seed})
    if params.lr == 0.13:
        raise ValueError("thirteen")
    gate = os.environ.get("GATE")
    while gate and not Path(gate).exists():
        time.sleep(0.02)
"""
# each fails at first, and each attempt waits until the other's has come as far
MEETING = """
import time
from pathlib import Path
from thexp_pl import Experiment, Params

params = Params()
params.lr, params.out = 1, ""
params.from_args()
out = Path(params.out)
attempt = 1 + len([*out.glob(f"{params.lr}-*")])
with Experiment("./experiment", "light", console=False) as exp:
    exp.params = {"lr": params.lr}
    (out / f"{params.lr}-{attempt}").touch()
    deadline = time.monotonic() + 180
    while not (out / f"{3 - params.lr}-{attempt}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the other one does not run")
        time.sleep(0.02)
    if attempt == 1:
        raise ValueError("the first attempt")
"""
GRID = ("train.py", "--lr=0.1,0.2", "--seed=0..1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the script, in which this process works."""
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sweep_is_ordinary_runs_that_are_listed_by_its_key(here: Path) -> None:
    lines = sweep(*GRID, "-j", "2")
    key = key_of(lines)
    assert lines[0] == f"sweep: {key}, 4 points, engine local, -j 2"
    assert "sweep: 4 of 4 done" in lines
    assert lines[-2:] == [f"look:  thexp-pl list {key}", f"       thexp-pl stats {key}"]
    runs = manifests(here)
    assert sorted((run["params"]["lr"], run["params"]["seed"]) for run in runs) == [
        (0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1),
    ]  # fmt: skip
    assert {run["status"] for run in runs} == {"finished"}
    assert {run["sweep"]["key"] for run in runs} == {key}
    assert sorted(run["sweep"]["point"] for run in runs) == [0, 1, 2, 3]
    assert len({run["code"]["tree"] for run in runs}) == 1
    listed = subprocess.run(
        [sys.executable, "-m", "thexp_pl", "list", key, "--json"], capture_output=True, text=True,
        timeout=SECONDS, check=True,
    )  # fmt: skip
    assert len(json.loads(listed.stdout)) == 4


def test_the_same_command_again_does_nothing_and_a_longer_list_only_what_is_new(
    here: Path,
) -> None:
    key = key_of(sweep(*GRID, "-j", "2"))
    before = manifests(here)
    lines = sweep(*GRID)
    assert lines[0] == f"sweep: {key}, 4 points (4 done before), engine local, -j 1"
    assert lines[1] == "all 4 points are done"
    assert manifests(here) == before
    lines = sweep("train.py", "--lr=0.10,2e-1,0.3", "--seed=0..1", "-j", "2")
    assert lines[0] == f"sweep: {key}, 6 points (4 done before), engine local, -j 2"
    assert len(manifests(here)) == 6
    assert sweep("train.py", "--lr=0.3,0.1", "--seed=1,0")[1] == "all 4 points are done"


def test_what_other_sweeps_have_done_is_in_what_the_commands_that_look_show(here: Path) -> None:
    first = key_of(sweep("train.py", "--lr=0.1", "--seed=0..1", "-j", "2"))
    lines = sweep("train.py", "--lr=0.1,0.2", "--seed=0..1", "-j", "2")
    assert key_of(lines) != first
    assert lines[0].endswith("4 points (2 done before), engine local, -j 2")
    told = json.loads(looked(lines[-1]))
    assert [group["seeds"] for group in told["groups"]] == [[0, 1], [0, 1]]
    lines = sweep("train.py", "--lr=0.2", "--seed=0..1")  # a sweep that has no run of its own
    assert "all 2 points are done" in lines
    own = [run["key"] for run in manifests(here) if run["params"]["lr"] == 0.2]
    assert sorted(run["key"] for run in json.loads(looked(lines[-2]))) == sorted(own)


def looked(line: str) -> str:
    """Give what a command prints that a sweep has named."""
    words = line.removeprefix("look:").split()[1:]
    return subprocess.run(
        [sys.executable, "-m", "thexp_pl", *words, "--json"],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    ).stdout  # fmt: skip


def test_edited_code_makes_a_sweep_of_its_own(here: Path) -> None:
    first = key_of(sweep(*GRID, "-j", "2"))
    (here / "train.py").write_text(SCRIPT.replace("2 * params.lr", "3 * params.lr"))
    lines = sweep(*GRID, "-j", "2")
    assert key_of(lines) != first
    assert lines[0].endswith("4 points, engine local, -j 2")
    assert len({run["code"]["tree"] for run in manifests(here)}) == 2


def test_an_edit_while_points_wait_changes_nothing_that_was_submitted(here: Path) -> None:
    gate = here / "gate"
    process = begun({"GATE": str(gate)}, *GRID)
    try:
        until(lambda: manifests(here))  # the first point runs, three wait
        (here / "train.py").write_text("raise SystemExit('edited')\n")
        gate.touch()
        out, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, out
    assert "sweep: 4 of 4 done" in out
    assert sorted(run["metrics"]["acc"]["last"] for run in manifests(here)) == [0.2, 0.4, 1.2, 1.4]


def test_a_point_that_fails_is_named_with_its_reason_and_the_others_go_on(here: Path) -> None:
    lines = sweep("train.py", "--lr=0.1,0.13,0.2", code=1)
    assert any("point 1 failed" in line and "thirteen" in line for line in lines), lines
    assert "sweep: 2 of 3 done, 1 failed" in lines
    assert [run["status"] for run in manifests(here)].count("finished") == 2
    lines = sweep("train.py", "--lr=0.1,0.13,0.2", code=1)  # tried again, the others are not
    assert "3 points (2 done before)" in lines[0]
    assert len(manifests(here)) == 4


def test_two_at_a_time_each_tried_again_come_to_two_finished_runs(here: Path) -> None:
    (here / "train.py").write_text(MEETING)
    out = here.parent / f"{here.name}-out"
    out.mkdir()
    lines = sweep("train.py", f"--out={out}", "--lr=1,2", "-j", "2", "--retries", "1")
    assert "sweep: 2 of 2 done" in lines
    statuses = sorted((run["params"]["lr"], run["status"]) for run in manifests(here))
    assert statuses == [(1, "failed"), (1, "finished"), (2, "failed"), (2, "finished")]


def test_ctrl_c_says_how_far_it_came_and_the_same_command_goes_on(here: Path) -> None:
    gate = here / "gate"
    process = begun({"GATE": str(gate)}, *GRID)
    try:
        until(lambda: manifests(here))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130, out
    assert "interrupted: 0 of 4 done; the same command goes on" in out
    lines = sweep(*GRID, "-j", "2")
    assert "sweep: 4 of 4 done" in lines
    finished = [run for run in manifests(here) if run["status"] == "finished"]
    assert sorted(run["sweep"]["point"] for run in finished) == [0, 1, 2, 3]


def test_another_process_that_works_on_the_sweep_is_named(here: Path) -> None:
    gate = here / "gate"
    process = begun({"GATE": str(gate)}, *GRID)
    try:
        until(lambda: manifests(here))
        (line,) = sweep(*GRID, code=2)
        assert f"process {process.pid} " in line
        assert "works on the sweep" in line
        gate.touch()
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, out
    finally:
        process.kill()


def test_a_search_is_gone_on_with_and_its_last_line_shows_the_best_first(here: Path) -> None:
    pytest.importorskip("optuna")
    words = ("train.py", "--lr=0.2..0.4", "--seed=1", "--metric=acc")
    key = key_of(sweep(*words, "--trials=2"))
    lines = sweep(*words, "--trials=3")
    assert lines[0].startswith(f"sweep: {key}, 3 points (2 done before)")
    assert "sweep: 3 of 3 done" in lines
    shown = subprocess.run(
        [sys.executable, "-m", *shlex.split(lines[-1].replace("thexp-pl", "thexp_pl")), "--json"],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    best = max(manifests(here), key=lambda run: run["metrics"]["acc"]["last"])
    assert json.loads(shown.stdout)[0]["key"] == best["key"]


def test_the_root_may_lie_anywhere_and_points_come_from_a_file(here: Path, tmp_path: Path) -> None:
    Path("points.csv").write_text("lr,seed\n0.1,1\n0.2,2\n")
    lines = sweep("train.py", "--points=points.csv", "--exps_dir=../elsewhere", "-j", "2")
    assert "sweep: 2 of 2 done" in lines
    runs = [json.loads(path.read_text()) for path in here.parent.glob("elsewhere/*/*/run.json")]
    assert sorted((run["params"]["lr"], run["params"]["seed"]) for run in runs) == [
        (0.1, 1), (0.2, 2),
    ]  # fmt: skip
    assert not (here / "experiment").exists()
