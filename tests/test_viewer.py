"""`ExperimentViewer`: which runs there were, and what is left of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record import Experiment, read_metrics
from thexp_pl.runs import ExperimentViewer


def record(root: Path, name: str = "a", **manifest: Any) -> Experiment:
    """Record a run that left one file, and let its manifest say something else."""
    with Experiment(root, name) as exp:
        (exp.hold_exp_part("save", [".ckpt"]) / "0.ckpt").write_bytes(b"weights")
    kept = json.loads(exp.paths.manifest.read_text()) | manifest
    exp.paths.manifest.write_text(json.dumps(kept))
    return exp


def ago(**span: float) -> str:
    """A start so long ago, as another time zone writes it."""
    east = timezone(timedelta(hours=9))
    return (datetime.now(east) - timedelta(**span)).isoformat(timespec="milliseconds")


def test_all_roots_that_the_home_knows_are_listed_oldest_first(tmp_path: Path) -> None:
    middle = record(tmp_path / "one", start=ago(hours=2)).key
    newest = record(tmp_path / "two", start=ago(minutes=5)).key
    oldest = record(tmp_path / "two", "b", start=ago(days=3)).key
    viewer = ExperimentViewer()
    assert viewer.list() == [oldest, middle, newest]
    assert viewer.recent(timedeltaobj=timedelta(hours=1)) == [newest]
    assert viewer.recent(day=1) == [middle, newest]
    assert viewer.recent(day=30) == [oldest, middle, newest]
    assert ExperimentViewer(roots=[tmp_path / "one"]).list() == [middle]
    assert viewer.exp_info("@last")["key"] == newest


@pytest.mark.parametrize("spans", [{}, {"day": 1, "timedeltaobj": timedelta(1)}])
def test_recent_wants_one_span(spans: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="wants one of"):
        ExperimentViewer().recent(**spans)


def test_on_an_empty_machine_every_list_is_empty() -> None:
    viewer = ExperimentViewer()
    assert (viewer.list(), viewer.recent(day=1), viewer.backtracking("ckpt")) == ([], [], {})
    with pytest.raises(RecordError, match="no run is recorded yet"):
        viewer.exp_info("@last")


def test_backtracking_says_whether_a_file_still_exists(tmp_path: Path) -> None:
    kept, gone = record(tmp_path), record(tmp_path)
    (gone.path / "save" / "0.ckpt").unlink()
    found = ExperimentViewer().backtracking("ckpt")
    assert found[kept.key]["save/0.ckpt"]["exists"] is True
    assert found[gone.key]["save/0.ckpt"]["exists"] is False
    assert found[gone.key]["save/0.ckpt"]["size"] == 7
    assert ExperimentViewer().backtracking("0.pth") == {}


def test_a_checkpoint_noted_by_its_path_is_found_as_seen_from_the_run(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        (exp.path / "x.ckpt").touch()
        exp.log_event("checkpoint", path=str(exp.path / "x.ckpt"), step=3)
        exp.log_event("resumed", path="/elsewhere/y.ckpt")
    found = ExperimentViewer().backtracking("ckpt")[exp.key]
    assert (found["x.ckpt"]["step"], found["x.ckpt"]["exists"]) == (3, True)
    assert found["/elsewhere/y.ckpt"]["exists"] is False


def test_a_unique_prefix_of_a_key_is_enough(tmp_path: Path) -> None:
    one, two = record(tmp_path), record(tmp_path)
    common = 0
    while one.key[common] == two.key[common]:
        common += 1
    viewer = ExperimentViewer()
    assert viewer.exp_info(one.key[: common + 1])["key"] == one.key
    with pytest.raises(RecordError, match=r"means 2 runs .*: give more of the key"):
        viewer.exp_info(one.key[:common])


def test_an_unknown_key_is_one_line_with_the_near_miss(tmp_path: Path) -> None:
    key = record(tmp_path).key
    typo = key[:-1] + ("x" if key[-1] != "x" else "y")
    with pytest.raises(RecordError, match=f"did you mean '{key}'.*; `thexp-pl list`"):
        ExperimentViewer().exp_code(typo)
    with pytest.raises(RecordError, match="no run has the key"):
        ExperimentViewer().exp_code("")


def test_a_root_that_was_moved_is_read_where_it_is(tmp_path: Path) -> None:
    key = record(tmp_path / "before").key
    shutil.move(tmp_path / "before", tmp_path / "after")
    assert ExperimentViewer().list() == []
    info = ExperimentViewer(roots=[tmp_path / "after"]).exp_info(key)
    assert info["folder"] == str(tmp_path / "after" / info["path"])
    assert ExperimentViewer(roots=[tmp_path / "after"]).backtracking("ckpt")[key]


def test_a_root_that_is_reached_twice_counts_once(tmp_path: Path) -> None:
    key = record(tmp_path / "real").key
    (tmp_path / "link").symlink_to(tmp_path / "real")
    viewer = ExperimentViewer(roots=[tmp_path / "link", tmp_path / "real"])
    assert viewer.list() == [key]
    assert viewer.exp_info(key)["status"] == "finished"


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="give a folder that holds runs"):
        ExperimentViewer(roots=[tmp_path / "nothing"])


def read_everything(viewer: ExperimentViewer) -> list[str]:
    """Call every reader for every run; give the statuses."""
    viewer.recent(day=1)
    viewer.backtracking("")
    for key in viewer.list():
        json.dumps(viewer.exp_info(key))
        viewer.exp_code(key)
    return [run.status for run in viewer.runs()]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda exp: exp.paths.manifest.write_text("{"),
        lambda exp: (exp.paths.manifest.unlink(), exp.paths.manifest.mkdir()),
        lambda exp: (exp.paths.manifest.unlink(), exp.paths.manifest.symlink_to("/nowhere")),
    ],
)
def test_a_damaged_run_is_listed_as_damaged_and_hides_no_other(
    tmp_path: Path, break_it: Callable[[Experiment], object]
) -> None:
    record(tmp_path, start=ago(days=1))
    damaged = record(tmp_path)
    break_it(damaged)
    viewer = ExperimentViewer()
    assert read_everything(viewer) == ["finished", "damaged"]
    assert "run.json" in viewer.exp_info(damaged.key)["damage"]


@pytest.mark.parametrize("name", ["journal.jsonl", "notes.json", "metrics.csv", "keycode"])
@pytest.mark.parametrize("content", ["", "{", "[]", "\0", '{"tags": 3}\n', '{"event": 1}\n', None])
def test_a_damaged_file_beside_the_manifest_spoils_nothing(
    tmp_path: Path, name: str, content: str | None
) -> None:
    exp = record(tmp_path)
    path = exp.path / name
    path.unlink(missing_ok=True)
    path.mkdir() if content is None else path.write_text(content)
    assert read_everything(ExperimentViewer()) == ["finished"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
fields = st.sampled_from(
    ["status", "start", "end", "seconds", "cause", "params", "metrics", "process", "tags", "schema"]
)


@given(hostile=st.dictionaries(fields, json_values) | st.binary())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_manifest_whatever_makes_a_reader_fail(
    one_run: Experiment, hostile: dict[str, Any] | bytes
) -> None:
    if isinstance(hostile, dict):
        good = (one_run.path / "good.json").read_text()
        hostile = json.dumps(json.loads(good) | hostile).encode()
    one_run.paths.manifest.write_bytes(hostile)
    assert len(read_everything(ExperimentViewer(roots=[one_run.root]))) == 1


@pytest.fixture
def one_run(tmp_path: Path) -> Experiment:
    """A run with a copy of its manifest."""
    exp = record(tmp_path)
    shutil.copy(exp.paths.manifest, exp.path / "good.json")
    return exp


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    whole = record(tmp_path)
    names = ("metrics.csv", "notes.json", "journal.jsonl", "run.json", "keycode/a.py")
    for number, name in enumerate(names):
        exp = record(tmp_path, f"b{number}", status="running")
        path = exp.path / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()
    script = """
import sys
from thexp_pl import ExperimentViewer
viewer = ExperimentViewer(roots=[sys.argv[1]])
for key in viewer.list():
    print(viewer.exp_info(key)["status"], len(viewer.exp_code(key)))
print(*viewer.backtracking("ckpt"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    *lines, backtracked = done.stdout.splitlines()
    assert sum(line == "damaged 0" for line in lines) == 1
    assert len(lines) == len(names) + 1
    assert whole.key in backtracked


def test_a_file_of_lines_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    exp = record(tmp_path, status="running")
    exp.paths.metrics.touch()
    os.truncate(exp.paths.metrics, 1 << 40)
    with pytest.raises(RecordError, match=r"metrics\.csv.*larger than"):
        read_metrics(exp.paths.metrics)
    assert ExperimentViewer(roots=[tmp_path]).exp_info(exp.key)["metrics"] == {}
