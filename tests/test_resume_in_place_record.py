"""A run that goes on in its own folder: what of its record stays, and what is new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rerun_record_helpers import HEAD, SECONDS, call, keys

from thexp_pl.record.folders import run_folders
from thexp_pl.record.journal import read_journal
from thexp_pl.record.paths import RankPaths, RunPaths
from thexp_pl.record.rerun import Rerun
from thexp_pl.runs import read_run

KILLED = """
exp = Experiment("runs", "digits", code=CODE, console=True)
exp.params = {"lr": 0.1}
exp.start_exp()
print("the first attempt")
exp.log_metrics(0, 0, {"loss": 1.0})
rows = exp.kept_rows()
exp.log_metrics(1, 0, {"loss": 0.5})
exp.flush()
"""
KILL = "exp._companions.stop_console()\nos.kill(os.getpid(), signal.SIGKILL)\n"
FAIL = "raise OSError('disk gone')\n"
AGAIN = """
exp = Experiment("runs", "digits", code=CODE, console=True)
exp.start_exp()
print("the second attempt")
written = exp.paths.metrics.read_bytes()
kept = len(b"".join(written.splitlines(keepends=True)[:2]))  # the header and the first row
exp.go_back([(0, kept)], path="modules/0000001.ckpt")
exp.log_metrics(1, 0, {"loss": 0.25})
exp.end_exp()
"""


def attempted(tmp_path: Path, end: str = KILL, code: bool = False) -> tuple[Path, RunPaths]:
    """Have a first attempt made: the project, and the run that it left."""
    project = tmp_path / "project"
    call(project, KILLED.replace("CODE", str(code)) + end)
    (paths,) = run_folders(project / "runs")
    return project, paths


def told(paths: RunPaths, **more: Any) -> Rerun:
    given = {"how": "resumed", "checkpoint": "/0000001.ckpt", "in_place": True, **more}
    return Rerun(runs=(paths.key,), root=paths.root, **given)


def read(paths: RunPaths) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(paths.manifest.read_text())
    return manifest


def told_of(paths: RunPaths) -> list[dict[str, Any]]:
    """The events of its journal, without what its files are like at its end."""
    return [event for event in read_journal(paths.journal) if not event.get("final")]


def test_the_run_keeps_its_key_start_command_and_random_states(tmp_path: Path) -> None:
    project, paths = attempted(tmp_path)
    before, states = read(paths), paths.start_state.read_bytes()
    code, _, errors = call(project, AGAIN.replace("CODE", "False"), told(paths), "--more")
    assert (code, errors) == (0, "")
    assert keys(paths.root) == (paths.key,)
    after = read(paths)
    for same in ("key", "start", "argv", "command", "cwd", "params", "random_states", "parent"):
        assert after[same] == before[same]
    assert paths.start_state.read_bytes() == states
    assert after["process"] != before["process"]
    assert (after["status"], after["cause"]) == ("finished", None)
    assert after["metrics"]["loss"] == {
        "last": 0.25,
        "min": 0.25,
        "max": 1.0,
        "mean": 0.625,
        "count": 2,
        "nonfinite": 0,
    }


def test_the_journal_tells_of_the_earlier_attempt_and_of_what_is_passed_over(
    tmp_path: Path,
) -> None:
    project, paths = attempted(tmp_path)
    before, size = read(paths), paths.metrics.stat().st_size
    call(project, AGAIN.replace("CODE", "False"), told(paths))
    first, second = told_of(paths)
    assert (first["event"], first["status"]) == ("resumed", "killed")
    assert (first["process"], first["end"]) == (before["process"], None)
    assert (second["event"], second["path"]) == ("resume", "modules/0000001.ckpt")
    (kept,) = second["passed_over"]["kept"]
    assert kept[0] == 0 < kept[1] < second["passed_over"]["until"] == size


def test_the_seconds_are_those_in_which_it_ran_whether_it_wrote_its_end_or_was_killed(
    tmp_path: Path,
) -> None:
    project, paths = attempted(tmp_path)
    begin = datetime.fromisoformat(read(paths)["start"]).timestamp()
    for file in paths.folder.rglob("*"):  # it was killed in its 100th second
        os.utime(file, (begin + 5, begin + 5))
    os.utime(paths.heartbeat, (begin + 100, begin + 100))
    again = AGAIN.replace("CODE", "False")
    call(project, again.replace("exp.end_exp()", "exp.flush()\n" + KILL), told(paths))
    assert told_of(paths)[0]["seconds"] == pytest.approx(100, abs=0.01)
    assert read(paths)["seconds"] is None
    call(project, again, told(paths))
    took = read(paths)["seconds"]
    assert 100 < told_of(paths)[-2]["seconds"] < took < 100 + SECONDS
    call(project, again.replace("kept = ", "exp.end_exp()\nsys.exit()\nkept = "), told(paths))
    assert took < read(paths)["seconds"] < took + SECONDS


def test_the_console_is_appended_and_no_heartbeat_or_mark_of_an_end_is_left(
    tmp_path: Path,
) -> None:
    project, paths = attempted(tmp_path)
    paths.end_mark("failed").touch()
    call(project, AGAIN.replace("CODE", "False"), told(paths))
    lines = paths.console.read_text().splitlines()
    assert lines.index("the first attempt") < lines.index("the second attempt")
    assert not paths.heartbeat.exists()
    assert not paths.end_mark("failed").exists()
    assert read_run(paths).status == "finished"


def test_the_traceback_of_the_earlier_attempt_is_kept_under_another_name(tmp_path: Path) -> None:
    project, paths = attempted(tmp_path, FAIL)
    rank = RankPaths(paths, 1)
    rank.folder.mkdir(parents=True)
    rank.exit.write_text('{"cause": {"signal": "SIGKILL"}}')
    seconds = read(paths)["seconds"]
    body = AGAIN.replace("CODE", "False").replace("exp.end_exp()", FAIL)
    call(project, body, told(paths))
    first, second = (paths.folder / f"traceback.{n}.txt" for n in (1, 2))
    assert "disk gone" in first.read_text()
    assert paths.traceback.exists()
    assert not second.exists()
    assert not rank.exit.exists()
    assert (rank.folder / "exit.1.json").exists()
    assert read(paths)["seconds"] > seconds
    assert told_of(paths)[0]["cause"]["traceback"] == first.name
    call(project, AGAIN.replace("CODE", "False"), told(paths))
    assert second.exists()
    assert not paths.traceback.exists()


def test_lost_metrics_are_told_in_one_warning_with_the_file_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    project, paths = attempted(tmp_path)
    paths.metrics.unlink()
    body = AGAIN.replace("CODE", "False").replace("written = exp.paths.metrics.read_bytes()", "")
    body = body.replace('len(b"".join(written.splitlines(keepends=True)[:2]))', "52")
    code, _, errors = call(project, body, told(paths))
    assert code == 0
    assert errors.count("Warning") == 1
    assert f"{str(paths.metrics)!r} does not hold all metrics" in errors
    assert "52 bytes of them are gone, 0 rows are kept" in errors
    assert "Error" not in errors.replace("RecorderWarning", "")
    after = read_run(paths)
    assert (after.status, after.metrics["loss"]["count"]) == ("finished", 1)


def test_without_a_checkpoint_all_that_was_measured_is_passed_over(tmp_path: Path) -> None:
    project, paths = attempted(tmp_path)
    body = "exp = begun()\nexp.log_metrics(0, 0, {'loss': 7.0})\nexp.end_exp()\n"
    call(project, body, told(paths, checkpoint=""))
    assert read_run(paths).metrics["loss"]["count"] == 1


@pytest.mark.parametrize("is_same", [True, False])
def test_the_manifest_names_the_code_that_ran_last(tmp_path: Path, is_same: bool) -> None:
    attempts = [
        textwrap.indent(each.replace("CODE", "True"), "    ") for each in (AGAIN, KILLED + KILL)
    ]
    body = f"if sys.argv[1:]:\n{attempts[0]}else:\n{attempts[1]}"
    call(tmp_path / "project", body)
    (paths,) = run_folders(tmp_path / "project" / "runs")
    before, restored = read(paths), tmp_path / "restored"
    restored.mkdir()
    if not is_same:
        (restored / "new.py").write_text("")
    call(restored, body, told(paths, project=restored), "again")
    after, (first, *_) = read(paths), read_journal(paths.journal)
    assert first["code"] == before["code"]["tree"]
    assert (after["code"] == before["code"]) is is_same
    assert (after["code"]["tree"] == before["code"]["tree"]) is is_same


def test_a_run_that_is_running_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    script = project / "waits.py"
    script.write_text(HEAD + "begun()\nprint('begun', flush=True)\nsys.stdin.read()\n")
    first = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "begun\n"
        (paths,) = run_folders(project / "runs")
        before = paths.manifest.read_bytes()
        code, _, errors = call(project, AGAIN.replace("CODE", "False"), told(paths))
        assert code == 1
        assert f"the run {paths.key} cannot be gone on with in its folder: it is running" in errors
        assert paths.manifest.read_bytes() == before
    finally:
        first.communicate("", timeout=SECONDS)


def test_of_processes_that_go_on_with_a_run_at_once_one_does(tmp_path: Path) -> None:
    project, paths = attempted(tmp_path)
    go = project / "go"
    body = (
        "import time\nprint('ready', flush=True)\n"
        f"until = time.monotonic() + {SECONDS}\n"
        f"while not Path({str(go)!r}).exists() and time.monotonic() < until: pass\n"
        "exp = begun()\nprint('mine', flush=True)\nsys.stdin.read()\nexp.end_exp()\n"
    )
    script = project / "at_once.py"
    script.write_text(HEAD + body)
    variables = told(paths).write(tmp_path / "rerun.json")
    pipe = subprocess.PIPE
    several = [
        subprocess.Popen(
            [sys.executable, str(script)],
            cwd=project,
            env={**os.environ, **variables},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for _ in range(4)
    ]
    for process in several:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    go.touch()
    deadline = time.monotonic() + SECONDS
    while sum(process.poll() is None for process in several) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    ended = [process.communicate("", timeout=SECONDS) for process in several]
    assert sorted(out for out, _ in ended) == ["", "", "", "mine\n"]
    for out, errors in ended:
        assert out or "cannot be gone on with in its folder" in errors.splitlines()[-1]
    assert read(paths)["status"] == "finished"
    assert [event["event"] for event in read_journal(paths.journal)].count("resumed") == 1


def test_a_damaged_run_is_refused_in_one_line(tmp_path: Path) -> None:
    project, paths = attempted(tmp_path)
    paths.manifest.write_text('{"schema": 2')
    code, _, errors = call(project, AGAIN.replace("CODE", "False"), told(paths))
    assert code == 1
    assert "its run.json cannot be used" in errors.splitlines()[-1]
    assert len(list(paths.folder.parent.iterdir())) == 1
