"""The index follows the files: what was added, ended, changed and removed is seen at once."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from index_helpers import Clock, change, index_file, read_by, record, rows, settle, statuses

from thexp_pl.record import Experiment
from thexp_pl.record.notes import add_note, add_tags
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.index import Index


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store so large that it is never the turn of the runs of the test."""
    monkeypatch.setattr("thexp_pl.runs.index.turn._RUNS", 0)


def test_a_run_is_read_once_and_again_only_when_it_changes(tmp_path: Path) -> None:
    first, _ = record(tmp_path), record(tmp_path, "b")
    index = Index([tmp_path])
    assert read_by(index) == 2
    assert read_by(index) == 0
    record(tmp_path)
    assert read_by(index) == 1
    add_note(first.paths, "good")
    assert read_by(index) == 1
    assert read_by(index) == 0


def test_a_reading_that_finds_nothing_new_waits_for_no_lock(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thexp_pl.runs.index.store._LOCK_SECONDS", 0.1)
    record(tmp_path), record(tmp_path, "b")
    settle(tmp_path, clock)
    shutil.rmtree(tmp_path / "b")
    assert len(rows(tmp_path)) == 1
    index = Index([tmp_path])
    with filelock.FileLock(index_file().with_name("index.lock")):
        assert read_by(index) == 0
    assert not index.in_memory


@pytest.mark.usefixtures("no_turns")
def test_what_a_run_writes_is_seen_even_in_a_store_too_large_to_look_at(
    tmp_path: Path, clock: Clock
) -> None:
    kept = record(tmp_path)
    settle(tmp_path, clock)
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        assert statuses(tmp_path)[exp.key] == "running"
        settle(tmp_path, clock)
    assert statuses(tmp_path)[exp.key] == "finished"
    settle(tmp_path, clock)
    add_tags(kept.paths, "best")
    assert rows(tmp_path)[kept.key].tags == ("best",)
    settle(tmp_path, clock)
    shutil.rmtree(exp.path)
    assert list(rows(tmp_path)) == [kept.key]


@pytest.mark.usefixtures("no_turns")
def test_a_finished_run_that_is_opened_again_is_running(tmp_path: Path, clock: Clock) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        exp.pause()
        settle(tmp_path, clock)
        assert statuses(tmp_path) == {exp.key: "finished"}
        exp.log_metrics(0, 0, {"loss": 1.0})
        assert statuses(tmp_path) == {exp.key: "running"}


def test_an_edited_note_and_an_edited_manifest_are_seen(tmp_path: Path, clock: Clock) -> None:
    exp = record(tmp_path)
    add_note(exp.paths, "a")
    settle(tmp_path, clock)
    before = exp.paths.folder.parent.stat()
    change(exp.paths.notes, notes=[{"time": "", "text": "b"}])
    change(exp.paths.manifest, status="failed")
    assert exp.paths.folder.parent.stat().st_mtime_ns == before.st_mtime_ns
    row = rows(tmp_path)[exp.key]
    assert (row.notes, row.status) == (("b",), "failed")


def test_in_a_large_store_an_edit_is_seen_when_the_run_has_its_turn(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [record(tmp_path) for _ in range(7)]
    settle(tmp_path, clock)
    monkeypatch.setattr("thexp_pl.runs.index.turn._RUNS", 2)
    for exp in runs:
        change(exp.paths.manifest, status="failed")
    seen = [list(statuses(tmp_path).values()).count("failed") for _ in range(4)]
    assert seen == [2, 4, 6, 7]


def test_two_changes_at_one_tick_of_a_coarse_clock_are_both_seen(
    tmp_path: Path, clock: Clock
) -> None:
    record(tmp_path)
    folder = tmp_path / "a"
    os.utime(folder, (1e9, 1e9))
    for count in (1, 2):
        assert len(rows(tmp_path)) == count
        clock.ahead += 1
        assert len(rows(tmp_path)) == count
        record(tmp_path)
        os.utime(folder, (1e9, 1e9))
        clock.ahead += 0.1
    assert len(rows(tmp_path)) == 3


@pytest.mark.usefixtures("no_turns")
@pytest.mark.parametrize("when", [0, 1e9, 4e9])
def test_the_times_of_folders_may_be_of_any_clock(
    tmp_path: Path, clock: Clock, when: float
) -> None:
    record(tmp_path)
    os.utime(tmp_path / "a", (when, when))
    settle(tmp_path, clock)
    record(tmp_path)  # its time is now, which may be before
    assert len(rows(tmp_path)) == 2


@pytest.mark.usefixtures("no_turns")
def test_a_clock_that_is_set_back_hides_nothing(tmp_path: Path, clock: Clock) -> None:
    record(tmp_path)
    settle(tmp_path, clock)
    clock.ahead = -86_400
    record(tmp_path)
    assert len(rows(tmp_path)) == 2
    os.utime(tmp_path / "a", (1e9, 1e9))
    rows(tmp_path)
    record(tmp_path)
    os.utime(tmp_path / "a", (1e9, 1e9))
    assert len(rows(tmp_path)) == 3


@pytest.mark.usefixtures("no_turns")
@pytest.mark.parametrize("set_back", [0, 86_400])
def test_a_settled_experiment_is_not_listed_again(
    tmp_path: Path, clock: Clock, set_back: float
) -> None:
    exp = record(tmp_path)
    rows(tmp_path)
    clock.ahead -= set_back
    settle(tmp_path, clock)
    before = exp.path.parent.stat()
    shutil.copytree(exp.path, exp.path.with_name("copy"))
    os.utime(exp.path.parent, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(rows(tmp_path)) == [exp.key]  # nothing else says that the folder is unchanged


@pytest.mark.usefixtures("no_turns")
def test_a_run_that_is_being_copied_is_seen_when_its_manifest_comes(
    tmp_path: Path, clock: Clock
) -> None:
    exp = record(tmp_path)
    copy = exp.path.with_name("copy")
    copy.mkdir()
    settle(tmp_path, clock)
    settle(tmp_path, clock)
    shutil.copy(exp.paths.manifest, copy)
    assert set(rows(tmp_path)) == {exp.key, "copy"}


def test_a_root_that_was_moved_is_read_where_it_is(tmp_path: Path) -> None:
    exp = record(tmp_path / "before")
    assert ExperimentViewer().list() == [exp.key]
    shutil.move(tmp_path / "before", tmp_path / "after")
    assert ExperimentViewer().list() == []
    (row,) = ExperimentViewer(roots=[tmp_path / "after"]).rows()
    assert row.paths.folder == tmp_path / "after" / "a" / exp.key
    shutil.move(tmp_path / "after", tmp_path / "before")
    assert ExperimentViewer().list() == [exp.key]


def test_the_same_key_in_two_roots_is_two_runs(tmp_path: Path) -> None:
    exp = record(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    change(tmp_path / "two" / "a" / exp.key / "run.json", status="failed")
    viewer = ExperimentViewer(roots=[tmp_path / "one", tmp_path / "two"])
    assert [(row.root.name, row.status) for row in viewer.rows(sort="root")] == [
        ("one", "finished"),
        ("two", "failed"),
    ]
    assert statuses(tmp_path / "one") == {exp.key: "finished"}
    shutil.rmtree(tmp_path / "one" / "a")
    assert [row.root.name for row in viewer.rows()] == ["two"]


CHILD = """
import sys, os
from thexp_pl.record import Experiment
exp = Experiment(sys.argv[1], "a", code=False, console=False)
exp.start_exp()
exp.log_metrics(0, 0, {"loss": 4.0})
exp.log_metrics(1, 0, {"loss": 3.0})
exp.flush()
print(exp.key, flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("no_turns")
def test_a_run_is_running_then_killed_and_its_metrics_are_those_on_disk(
    tmp_path: Path, clock: Clock
) -> None:
    words = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert select.select([child.stdout], [], [], 60)[0]
        key = child.stdout.readline().strip()
        settle(tmp_path, clock)
        row = rows(tmp_path)[key]
        assert (row.status, row.metrics["loss"]["count"]) == ("running", 2)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=180)
        row = rows(tmp_path)[key]
        assert (row.status, row.metrics["loss"]["last"], row.seconds) == ("killed", 3.0, None)
    with (tmp_path / "a" / key / "metrics.csv").open("a") as file:
        file.write("2,0,1700000000.0,loss,1.0\n")
    assert rows(tmp_path)[key].metrics["loss"]["last"] == 1.0
    index = Index([tmp_path])
    assert read_by(index) == 0  # a killed run is not summed again each time


def test_a_link_to_itself_hides_no_run_beside_it(tmp_path: Path) -> None:
    exp = record(tmp_path)
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "loop").symlink_to("loop")
    assert list(rows(tmp_path)) == [exp.key]
    assert [run.key for run in ExperimentViewer([tmp_path]).runs()] == [exp.key]


def test_a_run_without_its_manifest_is_no_run(tmp_path: Path) -> None:
    exp = record(tmp_path)
    assert list(rows(tmp_path)) == [exp.key]
    text = exp.paths.manifest.read_text()
    exp.paths.manifest.unlink()
    assert rows(tmp_path) == {}
    exp.paths.manifest.write_text(json.dumps(json.loads(text)))
    os.utime(tmp_path / "a")
    assert list(rows(tmp_path)) == [exp.key]


def test_runs_are_counted_as_they_are_listed(tmp_path: Path) -> None:
    for name in ("a", "a", "b"):
        record(tmp_path, name)
    record(tmp_path / "other", "a")
    index = Index([tmp_path])
    assert index.count() == len(index.keys()) == 3
    assert index.count("experiment = ?", ["a"]) == 2
    assert index.count("experiment = ?", ["c"]) == 0
