"""Roots, homes and names as they come: odd, moved, full, read-only; training goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.errors import ExperimentNameError, RecordError
from thexp_pl.record import Experiment
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.runs import ExperimentViewer

HOSTILE = [
    'it\'s "quoted"',
    "new\nline",
    "spaces  inside",
    "手写数字",
    "emoji 🧪👩‍🔬",
    "-rf",
    "$HOME `id` %s {} [red]",
    "x" * 255,
    "é" * 127,
]


def info_of(root: Path) -> dict[str, Any]:
    """What is known of the one run under a root."""
    return ExperimentViewer(roots=[root]).exp_info("@last")


def record_everything(exp: Experiment, name: str) -> None:
    """Have a run write to every file that it has."""
    exp.params = {name: name, "lr": 0.1}
    with exp:
        exp.log_metrics(0, 0, {name: 1.0})
        exp.log_event("said", what=name)
        part = exp.hold_exp_part("part", [".txt"])
        (part / f"{name[:60]}.txt").write_text(name)
        exp.uses(part / f"{name[:60]}.txt")
        exp.note(name)
        exp.tag(name)
        print(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_root_a_project_and_values_of_any_name_are_recorded(tmp_path: Path, name: str) -> None:
    root = tmp_path / name / "exp"
    (tmp_path / name).mkdir()
    (tmp_path / name / "train.py").write_text("lr = 0.1\n")
    exp = Experiment(root, "a", project=tmp_path / name, console=True, strict=True)
    record_everything(exp, name)
    info = info_of(root)
    assert info["status"] == "finished"
    assert info["params"][name] == name
    assert list(info["metrics"]) == [name]
    assert info["tags"] == [name]
    assert info["notes"][0]["text"] == name
    assert info["uses"][0]["bytes"] == len(name.encode())
    assert info["code"]["files"] >= 1
    found = ExperimentViewer(roots=[root]).backtracking(name[:60])
    assert f"part/{name[:60]}.txt" in found[exp.key]


@pytest.mark.parametrize("name", HOSTILE)
def test_an_experiment_of_any_name_is_recorded_or_refused_in_one_line(
    tmp_path: Path, name: str
) -> None:
    if name == "new\nline":
        with pytest.raises(ExperimentNameError, match=r"\A.*a name is one line of text.*\Z"):
            Experiment(tmp_path / "exp", name)
        assert list(tmp_path.iterdir()) == []
        return
    (tmp_path / "train.py").write_text("lr = 0.1\n")
    record_everything(Experiment(tmp_path / "exp", name, project=tmp_path, strict=True), "x")
    assert info_of(tmp_path / "exp")["experiment"] == name


def test_a_search_for_the_project_passes_the_root_and_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thexp_pl import globvars

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / ".thexp"))
    project = tmp_path / "project"
    (project / ".thexp").mkdir(parents=True)
    (project / ".thexp" / "config.json").write_text("{}")
    (tmp_path / "other").mkdir()
    globvars.globs.update("global", "datasets", "/data")  # the home has a config.json too
    for folder, found in ((project, project), (tmp_path / "other", None)):
        exp = Experiment(folder / "exp", "a", project=folder, strict=True)
        with exp:
            pass
        assert (folder / "exp" / ".thexp" / "code.git").is_dir()
        assert globvars.find_project(exp.path) == found


def test_a_root_that_is_moved_keeps_all_that_its_runs_point_to(tmp_path: Path) -> None:
    with Experiment(tmp_path / "here", "a", strict=True) as exp:
        part = exp.hold_exp_part("modules", [".ckpt"])
        (part / "a.ckpt").write_text("weights")
    (tmp_path / "there").mkdir()
    (tmp_path / "here").rename(tmp_path / "there" / "exp")
    info = info_of(tmp_path / "there" / "exp")
    assert Path(info["folder"], info["path"].split("/")[-1]).parent.is_dir()
    files = ExperimentViewer(roots=[tmp_path / "there" / "exp"]).backtracking("ckpt")[exp.key]
    assert files["modules/a.ckpt"]["exists"]
    assert str(tmp_path / "here") not in exp.paths.relative
    with Experiment(tmp_path / "there" / "exp", "a", strict=True) as again:
        pass
    assert ExperimentViewer(roots=[tmp_path / "there" / "exp"]).list() == [exp.key, again.key]


def test_a_root_that_is_moved_while_it_is_written_does_not_stop_the_training(
    tmp_path: Path,
) -> None:
    script = """
    import os
    from thexp_pl import Experiment
    exp = Experiment("exp", "a")
    exp.start_exp()
    exp.hold_exp_part("part", [".txt"])
    os.rename("exp", "moved")
    for step in range(3000):
        exp.log_metrics(step, 0, {"loss": 1.0})
    exp.note("late")
    exp.end_exp()
    print("trained")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert "Traceback" not in done.stderr
    assert info_of(tmp_path / "moved")["status"] in ("killed", "lost")


# Root may write anywhere: the process becomes another user, after a run has imported all that it
# needs, for that user may not read every Python.
READ_ONLY = """
import os, sys
from thexp_pl import Experiment
with Experiment(sys.argv[2], "warm", code=False) as exp:
    exp.log_metrics(0, 0, {"loss": 1.0})
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    os.mkdir(os.path.join(os.environ["THEXP_HOME"], "probe"))
except PermissionError:
    pass
else:
    sys.exit("the home can be written")
exp = Experiment(sys.argv[1], "a", code=False)
exp.start_exp()
exp.log_metrics(0, 0, {"loss": 1.0})
exp.end_exp()
print("trained")
"""


def test_a_home_that_is_read_only_is_one_warning(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "exp"
    (home / "roots").mkdir(parents=True)
    home.chmod(0o555)
    root.mkdir()
    root.chmod(0o777)
    for parent in [tmp_path, *tmp_path.parents][:4]:  # pytest's folders are for their owner only
        parent.chmod(parent.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(root), str(tmp_path / "warm")],
        env=os.environ | {"THEXP_HOME": str(home)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    assert done.stderr.count("RecorderWarning") == 1
    info = info_of(root)
    assert (info["status"], info["metrics"]["loss"]["count"]) == ("finished", 1)


def test_a_home_on_a_full_disk_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(home)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("only root, outside most containers, may mount a small disk")
    try:
        with pytest.raises(OSError, match="No space left"):
            (home / "filler").write_bytes(b"x" * 100_000)
        monkeypatch.setenv("THEXP_HOME", str(home))
        exp = Experiment(tmp_path / "exp", "a")
        with pytest.warns(RecorderWarning, match="No space left") as told:
            exp.start_exp()
        exp.log_metrics(0, 0, {"loss": 1.0})
        exp.end_exp()
        assert len(told) == 1
    finally:
        subprocess.run(["umount", str(home)], check=True)
    assert info_of(tmp_path / "exp")["status"] == "finished"


def test_a_clock_that_is_set_back_leaves_no_dead_run_running(
    tmp_path: Path,
) -> None:
    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    manifest = exp.paths.manifest.read_text()
    heartbeat = exp.paths.heartbeat
    tomorrow = time.time() + 86_400
    os.utime(heartbeat, (tomorrow, tomorrow))  # touched before the clock was set back, not since
    exp.paths.manifest.write_text(manifest.replace('"host": "', '"host": "not-'))
    assert info_of(tmp_path)["status"] == "lost"
    exp.paths.manifest.write_text(manifest)
    exp.end_exp()
    assert info_of(tmp_path)["seconds"] >= 0


def test_strict_makes_a_fault_of_the_recorder_an_error(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a", strict=True)
    exp.start_exp()
    exp.paths.notes.write_text("{")
    with pytest.raises(RecordError, match=r"damaged.*; mend it by hand"):
        exp.note("lost")
    exp.at_end(lambda: 1 / 0)
    with pytest.raises(RecordError, match=r"ZeroDivisionError: division by zero; mend it"):
        exp.end_exp()
    assert info_of(tmp_path)["status"] == "finished"  # all the rest is recorded nevertheless


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf"), True, "10"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: Any) -> None:
    with pytest.raises(Exception, match=r"max_file_mb=.*: give megabytes above 0, such as 10"):
        Experiment(tmp_path, "a", max_file_mb=size)


def test_a_project_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"project=.*is no folder: name the folder"):
        Experiment(tmp_path, "a", project=tmp_path / "none")
