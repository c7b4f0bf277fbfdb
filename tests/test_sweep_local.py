"""The engine of this machine: how many run, what they are given, where what they print goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from sweep_local_helpers import (
    PLAIN,
    SECONDS,
    Heard,
    is_alive,
    light_sweep,
    root,
    run_all,
    runs_of,
    until,
)

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.devices import usable_cores
from thexp_pl.sweeps.engines import engine_of
from thexp_pl.sweeps.engines.local import LocalEngine
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.sweep import Sweep, read_points

__all__ = ["root"]


@pytest.fixture
def sweep(root: Path) -> Sweep:
    return light_sweep(root, PLAIN, ["1", "2", "3", "4"])


def test_as_many_run_at_a_time_as_are_asked_for(root: Path) -> None:
    body = """
    with recorded() as exp:
        (here / f"began-{lr}").touch()
        wait_for("began-2" if lr in "12" else "began-4")
        wait_for("began-1" if lr in "12" else "began-3")
    """
    heard = Heard()
    sweep = light_sweep(root, body, ["1", "2", "3", "4"])
    assert run_all(sweep, LocalEngine(2), listener=heard).done == 4
    assert heard.most_at_once == 2


def test_the_processors_are_divided_among_the_runs(
    sweep: Sweep, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run_all(sweep, LocalEngine(2))
    threads = {run.manifest["environment"]["OMP_NUM_THREADS"] for run in runs_of(root)}
    assert threads == {str(max(usable_cores() // 2, 1))}


def test_the_threads_that_a_user_has_set_stay(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    sweep = light_sweep(root, PLAIN, ["1"])
    monkeypatch.delenv("OMP_NUM_THREADS")
    run_all(sweep, LocalEngine(2))
    assert runs_of(root)[0].manifest["environment"]["OMP_NUM_THREADS"] == "3"


def test_what_runs_print_goes_to_their_logs(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = "print('out', lr)\nprint('err', lr, file=sys.stderr)\nsys.exit(not first_time('one'))"
    sweep = light_sweep(root, body, ["1"])
    run_all(sweep, retries=1)
    assert sweep.paths.log(0).read_text().splitlines().count("err 1") == 2
    assert capfd.readouterr() == ("", "")


def test_the_orphans_of_a_killed_process_end_before_it_is_tried_again(root: Path) -> None:
    body = """
    if first_time("one"):
        if os.fork() == 0:  # as the worker of a loader, which has not seen yet that it is alone
            tell("orphan", os.getpid())
            time.sleep(1.5)
            os._exit(0)
        wait_for("orphan")
        os.kill(os.getpid(), signal.SIGKILL)
    with recorded() as exp:
        pass
    """
    sweep = light_sweep(root, body, ["1"])
    heard = Heard()
    summary = run_all(sweep, listener=heard, retries=1)
    assert (summary.finished, summary.failed) == (1, 0)
    assert [again for *_, again in heard.endings] == [True, False]
    orphan = int((root.parent / "orphan").read_text())
    until(lambda: not is_alive(orphan))  # its lock is free a moment before it is gone


def test_what_another_process_has_started_is_waited_for(root: Path) -> None:
    sweep = light_sweep(root, "with recorded() as exp:\n    wait_for('go')", ["1"])
    process = begin_attempt(sweep, read_points(sweep)[0])
    heard = Heard()
    heard.on_begun = lambda number: (root.parent / "go").touch()
    assert run_all(sweep, listener=heard).done == 1
    assert process.wait(SECONDS) == 0
    assert len(runs_of(root)) == 1


def test_what_another_process_has_started_is_waited_for_before_more_begins(root: Path) -> None:
    sweep = light_sweep(root, "with recorded() as exp:\n    wait_for('go')", ["1", "2"])
    process = begin_attempt(sweep, read_points(sweep)[1])
    heard = Heard()
    heard.on_begun = lambda number: (root.parent / "go").touch()
    assert run_all(sweep, LocalEngine(1), listener=heard).done == 2
    assert (heard.begun_points, heard.most_at_once) == ([1, 0], 1)
    assert process.wait(SECONDS) == 0


def test_what_another_process_has_started_is_asked_to_end_too(root: Path) -> None:
    # its number is known a moment before it handles the signal, which then waits for that
    body = """
    wait_for("record")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    with recorded() as exp:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        wait_for("go")
    """
    sweep = light_sweep(root, body, ["1"])
    point = read_points(sweep)[0]
    process = begin_attempt(sweep, point)
    heard = Heard()
    heard.on_begun = lambda number: signal.raise_signal(signal.SIGINT)
    heard.on_said = lambda line: (root.parent / "record").touch()  # its number is known later
    assert run_all(sweep, listener=heard).exit_code == 130
    assert process.wait(SECONDS) == -signal.SIGTERM
    assert state_of(sweep, point).status == "interrupted"


def test_closing_kills_what_is_left_with_all_it_has_started(root: Path) -> None:
    body = """
    child = os.fork() or os.getpid()
    tell(f"pid-{child == os.getpid()}", os.getpid())
    time.sleep(600)
    """
    sweep = light_sweep(root, body, ["1"])
    engine = LocalEngine(1)
    engine.open(sweep)
    engine.start(0)
    files = [root.parent / f"pid-{name}" for name in (True, False)]
    until(lambda: all(file.exists() for file in files))
    engine.close()
    pids = [int(file.read_text()) for file in files]
    until(lambda: not any(map(is_alive, pids)))


def test_a_point_that_is_done_meanwhile_is_not_run_again(sweep: Sweep, root: Path) -> None:
    run_all(sweep)
    engine = LocalEngine()
    engine.open(sweep)
    engine.start(2)
    assert [(ended.point, ended.code) for ended in engine.wait(120)] == [(2, 0)]
    assert len(runs_of(root)) == 4


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("locla", {}, r"--engine='locla': it is one of local, ray, slurm; did you mean 'local'\?"),
        ("local", {"jobs": 0}, "--jobs=0: at least 1 run at a time"),
        ("local", {"gpus_per_run": "-1"}, "--gpus_per_run=-1: 0 or more"),
        ("local", {"gpus_per_run": "half"}, "--gpus_per_run='half': it is a whole number"),
        ("local", {"min_free_memory": "lots"}, "'lots' is no amount of memory"),
        ("local", {"address": "auto"}, "--address is an option of --engine ray, not of local"),
        ("local", {"cpus_per_run": "2"}, "of --engine ray and slurm, not of local"),
        ("slurm", {"min_free_memory": "8GB"}, "an option of --engine local, not of slurm"),
    ],
)
def test_options_that_an_engine_cannot_take_are_refused(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        engine_of(name, options)
    assert "\n" not in str(caught.value)


def test_no_gpus_per_run_hides_them(sweep: Sweep, root: Path) -> None:
    engine = engine_of("local", {"jobs": None, "gpus_per_run": "0", "slurm": []})
    engine.check(root)
    run_all(sweep, engine)
    assert {run.manifest["environment"]["CUDA_VISIBLE_DEVICES"] for run in runs_of(root)} == {""}
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
