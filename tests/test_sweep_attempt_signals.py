"""`run_attempt`: a process that stands for a point in the queue of an engine."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from swept_helpers import SCRIPT, SECONDS, finished, point_of, state, submitted, wait_for, write

from thexp_pl.errors import RecordError
from thexp_pl.sweeps.attempt import begin_attempt, run_attempt
from thexp_pl.sweeps.sweep import Sweep

WAITING = SCRIPT.replace(
    "    for step",
    """    import signal, time
    came = []
    for number in (signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, lambda number, frame: came.append(number))
    open(os.path.join(os.environ["BESIDE"], "begun"), "w").close()
    deadline = time.monotonic() + 120
    while not os.path.exists(os.path.join(os.environ["BESIDE"], "end")):
        assert time.monotonic() < deadline
        if came:
            open(os.path.join(os.environ["BESIDE"], f"came{len(came)}"), "w").close()
        time.sleep(0.01)
    for step""",
)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BESIDE", str(tmp_path))
    return tmp_path


@pytest.fixture
def sweep() -> Sweep:
    write(Path.cwd(), {"train.py": WAITING, "pyproject.toml": ""})
    return submitted()


def started(sweep: Sweep) -> subprocess.Popen[bytes]:
    words = ("-m", "thexp_pl.sweeps.attempt", str(sweep.paths.root), sweep.key, "0")
    return subprocess.Popen([sys.executable, *words])


def test_it_ends_as_its_run_does(sweep: Sweep, beside: Path) -> None:
    (beside / "end").touch()
    assert started(sweep).wait(SECONDS) == 0
    assert state(sweep).status == "finished"
    assert run_attempt(sweep.paths.root, sweep.key, 0) == 0  # it is done already


def test_sigterm_ends_the_run_and_is_told_by_the_exit_code(sweep: Sweep, beside: Path) -> None:
    process = started(sweep)
    wait_for((beside / "begun").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 143
    assert (state(sweep).status, state(sweep).is_alive) == ("interrupted", False)
    assert state(sweep).reason == "SIGTERM"


def test_a_signal_goes_to_the_run_once_and_a_second_ctrl_c_kills(
    sweep: Sweep, beside: Path
) -> None:
    process = started(sweep)
    wait_for((beside / "begun").exists)
    for _ in range(2):
        process.send_signal(signal.SIGUSR1)
        wait_for((beside / "came1").exists)
    process.send_signal(signal.SIGINT)
    wait_for((beside / "came2").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 128 + signal.SIGKILL
    assert not (beside / "came3").exists()
    assert state(sweep).status == "killed"


def test_a_process_that_lives_is_waited_for(sweep: Sweep, beside: Path) -> None:
    other = begin_attempt(sweep, point_of(sweep))
    wait_for((beside / "begun").exists)
    waiting = started(sweep)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1)
    (beside / "end").touch()
    assert other.wait(SECONDS) == 0
    assert waiting.wait(SECONDS) == 0
    assert len(list((sweep.paths.root / "tiny").iterdir())) == 1


def test_what_a_killed_process_left_undone_is_begun_by_who_waited(
    sweep: Sweep, beside: Path
) -> None:
    other = begin_attempt(sweep, point_of(sweep))
    wait_for((beside / "begun").exists)
    (beside / "begun").unlink()
    waiting = started(sweep)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1)
    other.kill()  # as with the machine that it ran on
    other.wait(SECONDS)
    wait_for((beside / "begun").exists)
    (beside / "end").touch()
    assert waiting.wait(SECONDS) == 0
    assert state(sweep).status == "finished"
    assert len(list((sweep.paths.root / "tiny").iterdir())) == 2


def test_who_waits_for_another_process_ends_at_a_signal(sweep: Sweep, beside: Path) -> None:
    other = begin_attempt(sweep, point_of(sweep))
    wait_for((beside / "begun").exists)
    waiting = started(sweep)
    wait_for(lambda: _catches(waiting.pid, signal.SIGTERM))
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(SECONDS) == 143
    assert state(sweep).is_alive
    (beside / "end").touch()
    assert other.wait(SECONDS) == 0


def _catches(pid: int, number: int) -> bool:
    """Say whether a process has a handler for a signal."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def test_a_point_that_is_not_there_is_refused(sweep: Sweep) -> None:
    with pytest.raises(RecordError, match="has no point 2: its 2 points are counted from 0"):
        run_attempt(sweep.paths.root, sweep.key, 2)
    with pytest.raises(RecordError, match="cannot be read"):
        run_attempt(sweep.paths.root, "sweep-26", 0)


def test_it_works_where_the_root_has_another_name(
    sweep: Sweep, beside: Path, tmp_path: Path
) -> None:
    (beside / "end").touch()
    link = tmp_path / "mounted"
    link.symlink_to(sweep.paths.root)
    assert run_attempt(link, sweep.key, 0) == 0
    assert state(sweep).status == "finished"
    assert finished(sweep, 1).manifest["cwd"] == ".."
