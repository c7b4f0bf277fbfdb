"""How the points of a sweep stand: told by runs and locks, whoever made them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swept_helpers import SCRIPT, forked, point_of, points_of, submitted, wait_for, write
from upkeep_helpers import change, record

from thexp_pl.record import Experiment, heartbeat
from thexp_pl.record.locks import is_held, take
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.attempt import AlreadyRunning, begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import standing, state_of
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import Sweep, add_points, read_points


@pytest.fixture(autouse=True)
def project() -> Path:
    folder = Path.cwd()
    write(folder, {"train.py": SCRIPT, "pyproject.toml": ""})
    return folder


def run_of_point(sweep: Sweep, number: int, **facts: Any) -> RunPaths:
    """Record a run that says that it is a point."""
    paths = record(sweep.paths.root)
    digest = point_of(sweep, number).digest
    entry = {"key": sweep.key, "point": number, "digest": digest}
    change(paths, **{"sweep": entry, "code": {"tree": sweep.tree}, **facts})
    return paths


def status(sweep: Sweep, number: int = 0) -> str:
    return state_of(sweep, point_of(sweep, number)).status


@pytest.mark.parametrize("written", ["finished", "failed", "interrupted"])
def test_a_point_stands_as_its_run_does(written: str) -> None:
    sweep = submitted()
    run = run_of_point(sweep, 1, status=written)
    states = standing(sweep, read_points(sweep))
    assert [states[0].status, states[1].status] == ["waiting", written]
    assert states[1].run is not None
    assert states[1].run.paths == run
    assert states[1].is_done == (written == "finished")


def test_the_newest_run_of_a_point_counts_unless_one_is_finished() -> None:
    sweep = submitted()
    run_of_point(sweep, 0, status="failed", start="2026-01-01T00:00:00+00:00")
    run_of_point(sweep, 0, status="interrupted", start="2026-01-02T00:00:00+00:00")
    assert status(sweep) == "interrupted"
    run_of_point(sweep, 0, status="finished", start="2025-12-31T00:00:00+00:00")
    assert status(sweep) == "finished"


def test_a_point_is_finished_by_a_run_of_another_sweep_of_the_same_code() -> None:
    first, other = (
        submitted("0.1", "0.2"),
        submit("experiment", ["train.py"], ["lr", "seed"], points_of("0.2", "0.3"), command=""),
    )
    run = run_of_point(first, 1)
    states = standing(other, read_points(other))
    assert [states[0].status, states[1].status] == ["finished", "waiting"]
    assert states[0].paths == run
    write(Path.cwd(), {"train.py": SCRIPT + "\n"})
    assert status(submitted("0.2")) == "waiting"


def test_a_run_of_another_sweep_that_failed_or_has_no_digest_finishes_nothing() -> None:
    unknown = Point(0, {"lr": "9"})
    sweeps = [
        submit("experiment", ["train.py"], names, [*points_of("0.1"), unknown], command="")
        for names in (["lr"], ["x"])
    ]
    run_of_point(sweeps[0], 0, status="failed")
    run_of_point(sweeps[0], 1, status="finished")
    assert [status(sweeps[1], number) for number in (0, 1)] == ["waiting", "waiting"]


def test_a_run_that_lives_on_another_host_is_alive_though_no_lock_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 3600.0)  # none that comes in between
    sweep = submitted()
    elsewhere = {"pid": 1, "start": 1, "host": "elsewhere", "boot": "x", "pid_namespace": "x"}
    with Experiment(sweep.paths.root, "digits", code=False, console=False) as exp:
        entry = {"key": sweep.key, "point": 0, "digest": ""}
        change(exp.paths, sweep=entry, process=elsewhere)
        state = state_of(sweep, point_of(sweep))
        assert (state.status, state.is_alive) == ("running", True)
        with pytest.raises(AlreadyRunning, match=f"running as {exp.key}"):
            begin_attempt(sweep, point_of(sweep))
        os.utime(exp.paths.heartbeat, (0, 0))
        assert status(sweep) == "lost"


def test_a_pruned_run_counts_as_done() -> None:
    sweep = submit(
        "experiment", ["train.py"], ["lr"], points_of("1", "2"), command="", study={"metric": "acc"}
    )
    for number in (0, 1):
        with Experiment("experiment", "x", code=False, console=False) as exp:
            if number:
                exp.log_event("pruned", step=3)
        change(exp.paths, sweep={"key": sweep.key, "point": number, "digest": ""})
    states = standing(sweep, read_points(sweep))
    assert [states[number].status for number in (0, 1)] == ["finished", "pruned"]
    assert states[1].is_done


def test_a_damaged_run_and_a_hostile_one_hide_no_other(project: Path) -> None:
    sweep = submitted()
    torn = run_of_point(sweep, 0)
    torn.manifest.write_bytes(torn.manifest.read_bytes()[:100])
    for entry in ([], {"key": sweep.key, "point": "0"}, {"key": sweep.key, "point": 10**30}):
        change(record(sweep.paths.root), sweep=entry)
    run_of_point(sweep, 1)
    states = standing(sweep, read_points(sweep))
    assert [states[0].status, states[1].status] == ["waiting", "finished"]
    (sweep.paths.told(0).parent).mkdir()
    (sweep.paths.told(0).parent / "x.lock").touch()
    (sweep.paths.told(0).parent / "²³.lock").touch()
    assert status(sweep) == "waiting"


def test_a_lock_is_held_until_the_last_process_that_has_it_has_ended(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "lock"
    assert not is_held(lock)
    descriptor = take(lock, 0)
    assert descriptor is not None
    assert (is_held(lock), take(lock, 0)) == (True, None)
    with forked(signal.pause):
        os.close(descriptor)
        assert is_held(lock)
    wait_for(lambda: not is_held(lock))
    again = take(lock, 0)
    assert again is not None
    os.close(again)


def test_many_that_look_at_a_lock_keep_nobody_from_taking_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()

    def look() -> None:
        while True:
            is_held(lock)

    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(forked(look))
        for _ in range(50):
            descriptor = take(lock, 5)
            assert descriptor is not None
            os.close(descriptor)


names = st.text(string.ascii_letters + "._\x1b'\"\n\0\ud800 é", min_size=1, max_size=8)


@settings(max_examples=30)
@given(
    values=st.lists(st.dictionaries(names, names, max_size=3), max_size=6),
    seed=st.integers(0, 1 << 30),
)
def test_points_come_back_as_they_were_submitted(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, str]], seed: int
) -> None:
    paths = SweepFolder(tmp_path_factory.mktemp("root"), "sweep-1")
    paths.folder.mkdir(parents=True)
    sweep = Sweep(paths, "", "", "", (), ())
    points = [Point(number, each, "d", number) for number, each in enumerate(values)]
    cut = random.Random(seed).randint(0, len(points))
    add_points(sweep, points[:cut])
    with paths.points.open("ab") as file:
        file.write(b'{"number": 1, "val')  # by a process that was killed
    assert read_points(sweep) == points[:cut]
    add_points(sweep, points[cut:])
    assert read_points(sweep) == points
