"""An attempt at a point: what it begins or goes on with, and who sees that it lives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from swept_helpers import (
    SCRIPT,
    SECONDS,
    attempted,
    finished,
    forked,
    point_of,
    run_of,
    state,
    submitted,
    wait_for,
    write,
)
from upkeep_helpers import add_checkpoint

from thexp_pl.errors import RecordError
from thexp_pl.record.locks import is_held
from thexp_pl.sweeps.attempt import AlreadyDone, AlreadyRunning, begin_attempt

# Begins, says so, and ends when it is told to.
WAITING = SCRIPT.replace(
    "    for step",
    """    import time
    open(os.path.join(os.environ["BESIDE"], f"begun{os.getpid()}"), "w").close()
    deadline = time.monotonic() + 120
    while not os.path.exists(os.path.join(os.environ["BESIDE"], "end")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for step""",
)


@pytest.fixture(autouse=True)
def project() -> Path:
    folder = Path.cwd()
    write(folder, {"train.py": SCRIPT, "pyproject.toml": ""})
    return folder


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BESIDE", str(tmp_path))
    return tmp_path


def begun(beside: Path) -> list[Path]:
    return list(beside.glob("begun*"))


def test_a_point_that_is_finished_is_not_begun_again() -> None:
    sweep = submitted()
    finished(sweep)
    with pytest.raises(AlreadyDone, match=r"point 0 .* is finished"):
        begin_attempt(sweep, point_of(sweep))
    assert state(sweep, 1).status == "waiting"


def test_a_point_whose_process_lives_is_not_begun_twice(project: Path, beside: Path) -> None:
    write(project, {"train.py": WAITING})
    sweep = submitted()
    process = begin_attempt(sweep, point_of(sweep))
    assert (state(sweep).status, state(sweep).is_alive) == ("running", True)
    with pytest.raises(AlreadyRunning):
        begin_attempt(sweep, point_of(sweep))
    wait_for(lambda: begun(beside))
    (beside / "end").touch()
    assert process.wait(SECONDS) == 0
    assert (state(sweep).status, state(sweep).is_alive) == ("finished", False)


def test_the_point_of_a_sweep_that_was_killed_is_seen_to_live(project: Path, beside: Path) -> None:
    write(project, {"train.py": WAITING})
    sweep = submitted()

    def drive() -> None:
        begin_attempt(sweep, point_of(sweep)).wait()

    with forked(drive) as driver:
        wait_for(lambda: begun(beside))
        os.kill(driver, signal.SIGKILL)
        os.waitpid(driver, 0)
        assert is_held(sweep.paths.point_lock(0))
        assert state(sweep).is_alive
        with pytest.raises(AlreadyRunning):
            begin_attempt(sweep, point_of(sweep))
        (beside / "end").touch()
        wait_for(lambda: not state(sweep).is_alive)
    assert state(sweep).status == "finished"


def test_a_process_that_a_run_leaves_behind_does_not_keep_its_point_alive(
    project: Path, beside: Path
) -> None:
    words = "import subprocess; subprocess.Popen(['sleep', '5'])"
    write(project, {"train.py": SCRIPT + words})
    sweep = submitted()
    finished(sweep)
    assert not state(sweep).is_alive


def test_a_run_without_a_checkpoint_is_begun_anew_and_the_old_one_stays(
    project: Path, beside: Path
) -> None:
    write(project, {"train.py": WAITING})
    sweep = submitted()
    process = begin_attempt(sweep, point_of(sweep))
    wait_for(lambda: begun(beside))
    process.kill()
    process.wait(SECONDS)
    old = run_of(sweep)
    assert (state(sweep).status, old.status) == ("killed", "killed")
    (beside / "end").touch()
    again = finished(sweep)
    assert again.key != old.key
    assert old.paths.manifest.exists()


def test_a_run_with_a_checkpoint_is_gone_on_with_in_its_folder(project: Path, beside: Path) -> None:
    told = "\nfrom thexp_pl.record.again import take_checkpoint\nprint('from', take_checkpoint())"
    write(project, {"train.py": WAITING + told})
    sweep = submitted()
    process = begin_attempt(sweep, point_of(sweep))
    wait_for(lambda: begun(beside))
    process.terminate()
    assert process.wait(SECONDS) == -signal.SIGTERM
    old = run_of(sweep)
    assert old.status == "interrupted"
    checkpoint = add_checkpoint(old.paths)
    write(project, {"train.py": "raise SystemExit('edited')"})
    (beside / "end").touch()
    again = finished(sweep)
    assert again.key == old.key
    assert f"from {checkpoint}" in sweep.paths.log(0).read_text()
    for name in ("sweep", "code", "git", "parent", "start"):
        assert again.manifest[name] == old.manifest[name]
    assert not list((sweep.paths.root / ".thexp").glob("resumed/*"))


def test_a_damaged_checkpoint_is_not_gone_on_from(project: Path, beside: Path) -> None:
    write(project, {"train.py": WAITING})
    sweep = submitted()
    process = begin_attempt(sweep, point_of(sweep))
    wait_for(lambda: begun(beside))
    process.kill()
    process.wait(SECONDS)
    old = run_of(sweep)
    add_checkpoint(old.paths).write_bytes(b"torn")
    (beside / "end").touch()
    assert finished(sweep).key != old.key


def test_what_died_before_it_recorded_anything_says_why(project: Path) -> None:
    write(project, {"train.py": "raise SystemExit('no \\x1b[31mdata\\n\\n')"})
    sweep = submitted()
    assert attempted(sweep) == 1
    assert (state(sweep).status, state(sweep).run) == ("failed", None)
    assert state(sweep).reason == "no \\x1b[31mdata"
    assert attempted(sweep) == 1
    assert sweep.paths.log(0).read_text().count("data") == 2


def test_a_run_that_failed_says_why_by_its_exception(project: Path) -> None:
    write(project, {"train.py": SCRIPT + "    raise ValueError('much \\x07 too large')"})
    sweep = submitted()
    assert attempted(sweep) == 1
    assert state(sweep).status == "failed"
    assert state(sweep).reason == "ValueError: much \\x07 too large"


def test_the_engine_has_the_last_word_on_variables_after_the_submission(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "print([os.environ.get(n) for n in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'MINE')])"
    write(project, {"train.py": SCRIPT + shown})
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    monkeypatch.setenv("MINE", "1")
    sweep = submitted()
    monkeypatch.setenv("MKL_NUM_THREADS", "6")
    assert attempted(sweep, environment={"OMP_NUM_THREADS": "2", "MINE": None}) == 0
    assert sweep.paths.log(0).read_text() == "['2', '5', None]\n"


def test_a_sweep_whose_code_is_gone_names_the_way_out() -> None:
    sweep = submitted()
    shutil.rmtree(sweep.paths.code)
    with pytest.raises(RecordError, match="the command that submitted it writes it out again"):
        begin_attempt(sweep, point_of(sweep))
    assert submitted() == sweep
    finished(sweep)


def test_a_torn_file_of_what_a_process_is_told_is_one_line(project: Path) -> None:
    sweep = submitted()
    told = sweep.paths.told(0)
    finished(sweep)
    assert told.exists()
    told.write_text(told.read_text()[:50])
    environment = {**os.environ, "THEXP_PL_RERUN": str(told), "THEXP_PL_RERUN_TAKER": ""}
    done = subprocess.run(
        [sys.executable, "train.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 1
    assert "RecordError: THEXP_PL_RERUN=" in done.stderr.splitlines()[-1]
