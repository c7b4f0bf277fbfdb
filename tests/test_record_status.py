"""The status of a run is what its process shows, whatever its manifest says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record import process
from thexp_pl.record.folders import run_folders
from thexp_pl.record.heartbeat import STALE_SECONDS
from thexp_pl.record.manifest import read_manifest
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.run import read_run

SCRIPT = """
import sys
from thexp_pl.record import Experiment
exp = Experiment(sys.argv[1], "living")
exp.start_exp()
print("started", flush=True)
sys.stdin.read()
"""


class Living:
    """A run in a process of its own, which lives until its stdin is closed."""

    def __init__(self, root: Path) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.child.stdout is not None
        assert self.child.stdout.readline() == b"started\n"
        (self.paths,) = run_folders(root)

    @property
    def status(self) -> str:
        return read_run(self.paths).status

    def pretend(self, **facts: Any) -> None:
        """Rewrite what the manifest says of the process."""
        manifest = read_manifest(self.paths.manifest)
        manifest["process"] |= facts
        self.paths.manifest.write_text(json.dumps(manifest))

    def let_heartbeat_stop(self) -> None:
        past = time.time() - STALE_SECONDS - 60
        os.utime(self.paths.heartbeat, (past, past))

    def kill(self) -> None:
        self.child.kill()
        self.child.communicate()


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    run = Living(tmp_path)
    yield run
    run.kill()


def test_a_run_is_running_then_finished(living: Living) -> None:
    assert living.status == "running"
    assert living.paths.heartbeat.exists()
    living.child.communicate()
    assert living.status == "finished"
    assert not living.paths.heartbeat.exists()


def test_a_run_that_was_killed_is_killed_at_once_though_its_heartbeat_is_fresh(
    living: Living,
) -> None:
    living.kill()
    assert living.status == "killed"


def test_a_zombie_is_dead(living: Living) -> None:
    living.child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, living.child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
    os.kill(living.child.pid, 0)  # it still has its pid
    assert living.status == "killed"


def test_a_stopped_process_is_alive_though_its_heartbeat_is_old(living: Living) -> None:
    living.child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, living.child.pid, os.WSTOPPED)
    living.let_heartbeat_stop()
    assert living.status == "running"


def test_another_process_with_the_same_pid_is_not_the_run(living: Living) -> None:
    living.pretend(start=1)
    assert living.status == "killed"


@pytest.mark.parametrize("name", ["host", "pid_namespace"])
def test_seen_from_elsewhere_it_runs_while_its_heart_beats_and_then_is_lost(
    living: Living, name: str
) -> None:
    living.kill()  # what is seen of the pid here says nothing
    living.pretend(**{name: "elsewhere"})
    assert living.status == "running"
    living.let_heartbeat_stop()
    assert living.status == "lost"


def test_a_run_from_before_a_reboot_was_killed(living: Living) -> None:
    living.pretend(boot="before")
    living.let_heartbeat_stop()
    assert living.status == "killed"


def test_a_run_whose_heartbeat_file_is_gone_is_lost_elsewhere(living: Living) -> None:
    living.pretend(host="elsewhere")
    living.paths.heartbeat.unlink()
    assert living.status == "lost"


def test_the_clock_that_counts_is_the_file_systems(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    living.pretend(host="elsewhere")
    living.let_heartbeat_stop()
    monkeypatch.setattr(time, "time", lambda: 0.0)  # this host's clock was never set
    assert living.status == "lost"


def test_where_there_is_no_proc_psutil_tells_the_same(
    living: Living, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path / "no-proc")
    identity = process.process_identity()
    assert process.is_alive(identity)
    assert not process.is_alive(identity | {"start": 1})
    living.child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, living.child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive(identity | {"pid": living.child.pid})


@pytest.mark.parametrize("pid", [None, "1", 0, -1, 2**80, True])
def test_a_nonsense_pid_is_never_an_error(living: Living, pid: object) -> None:
    living.pretend(pid=pid)
    assert living.status in ("running", "killed", "lost")


GOOD = {
    "schema": 1,
    "key": "k",
    "experiment": "e",
    "status": "finished",
    "start": "2026-11-22T06:11:38.123+00:00",
    "end": None,
    "seconds": None,
    "cause": None,
    "params": {},
    "metrics": {},
    "process": {},
}


def read_text(folder: Path, text: str | bytes) -> str:
    paths = RunPaths(folder, "e", "k")
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.manifest.write_bytes(text if isinstance(text, bytes) else text.encode())
    run = read_run(paths)
    assert run.to_dict()["status"] == run.status
    assert (run.status == "damaged") == bool(run.damage)
    return run.status


def test_the_smallest_good_manifest_is_not_damaged(tmp_path: Path) -> None:
    assert read_text(tmp_path, json.dumps(GOOD)) == "finished"


@pytest.mark.parametrize(
    "text",
    [
        "",
        json.dumps(GOOD)[:-20],
        "[]",
        "null",
        "<html></html>",
        b"\xff\xfe\x00",
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        json.dumps(GOOD | {"schema": 3}),
        json.dumps(GOOD | {"schema": 0}),
        json.dumps(GOOD | {"schema": True}),
        json.dumps(GOOD | {"schema": 2, "packages": None}),
        json.dumps(GOOD | {"schema": 2, "gpus": ["fast"]}),
        json.dumps(GOOD | {"schema": 2, "uses": {}}),
        json.dumps(GOOD | {"schema": "1" * 100_000}),
        json.dumps(GOOD | {"params": []}),
        json.dumps(GOOD | {"start": "yesterday"}),
        json.dumps(GOOD | {"start": "2026-11-22T06:11:38"}),
        json.dumps(GOOD | {"seconds": "long"}),
        json.dumps(GOOD | {"padding": "x" * (17 << 20)}),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_damaged_or_foreign_manifest_makes_a_damaged_run(
    tmp_path: Path, text: str | bytes
) -> None:
    assert read_text(tmp_path, text) == "damaged"


LATER = ("platform", "gpus", "environment", "packages", "code", "random_states", "uses", "parent")


@pytest.mark.parametrize("field", [name for name in GOOD if name != "schema"] + [*LATER])
@pytest.mark.parametrize("value", [None, 1, 1e300, True, "x", [], {}, {"a": {"b": [1]}}])
def test_no_value_of_any_field_makes_reading_fail(tmp_path: Path, field: str, value: Any) -> None:
    assert read_text(tmp_path, json.dumps(GOOD | {field: value}))


@pytest.mark.parametrize("field", ["schema", "key", "status", "start", "params", "process"])
def test_a_manifest_without_a_field_that_readers_need_is_damaged(
    tmp_path: Path, field: str
) -> None:
    without = {name: kept for name, kept in GOOD.items() if name != field}
    assert read_text(tmp_path, json.dumps(without)) == "damaged"
