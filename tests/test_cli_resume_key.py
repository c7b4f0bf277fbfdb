"""`thexp-pl resume KEY`: goes on in the run's own folder from its newest valid checkpoint."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reproduce_helpers import PLAIN, Terminal, record, write
from reproduce_trainings import SECONDS, history, run_of, trained

from thexp_pl import Experiment, ExperimentViewer, Saver
from thexp_pl.record.journal import Journal
from thexp_pl.rerun import verify
from thexp_pl.runs import Run


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def gone_on_with(project: Path, whole: Path, type_in: Terminal) -> None:
    """Resume a killed run, and compare it with one that nobody stopped."""
    run = run_of(project)
    assert run.status == "killed"
    for script in project.glob("*.py"):
        script.write_text("raise SystemExit('this is not the recorded code')")
    assert type_in("resume", run.key) == 0, type_in.out + type_in.err
    again = run_of(project)
    assert (again.key, again.status) == (run.key, "finished")
    assert len(ExperimentViewer([project / "experiment"]).list()) == 1
    (said,) = type_in.said("resume")
    assert said.startswith(f"{run.paths.relative} from ")
    assert type_in.said("code")[0].startswith("as recorded, ")
    verdict = verify(run_of(whole), again)
    assert verdict.identical, str(verdict)
    assert verdict.tensors


def test_a_killed_run_goes_on_and_ends_as_one_that_nobody_stopped(
    tmp_path: Path, type_in: Terminal
) -> None:
    whole, killed = trained(tmp_path, ("fit", ""), ("fit", "15"))
    gone_on_with(killed, whole, type_in)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["facade", "plain"])
def test_whatever_door_the_training_came_through(
    way: str, tmp_path: Path, type_in: Terminal
) -> None:
    whole, killed = trained(tmp_path, (way, ""), (way, "15"))
    gone_on_with(killed, whole, type_in)


@pytest.mark.slow
def test_todays_code_runs_where_it_is_asked_for_and_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, type_in: Terminal
) -> None:
    (project,) = trained(tmp_path, ("facade", "15"))
    run = run_of(project)
    newest = sorted((run.paths.folder / "modules").glob("0*.ckpt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    script = project / "facade.py"
    script.write_text(script.read_text() + "print('of today in', __import__('os').getcwd())\n")
    assert type_in("resume", run.key, "--code", "current") == 0
    assert f"{newest.name} is damaged" in type_in.err
    assert type_in.said("code") == [f"of today, {project}"]
    assert f"of today in {project}" in type_in.out
    assert run_of(project).status == "finished"
    assert len(history(run_of(project))) == len({*history(run_of(project))})


# -- what is refused -------------------------------------------------------------------------------


def saved(project: Path, script: str = PLAIN) -> Run:
    write(project, {"pyproject.toml": "", "train.py": script})
    run = record(project)
    Saver(run.paths.folder / "modules").save_checkpoint(2, {"epoch": 2})
    return run


def test_a_run_that_is_running_is_refused(tmp_path: Path, type_in: Terminal) -> None:
    with Experiment(tmp_path / "e", "a", console=False, project=tmp_path) as exp:
        assert "is running" in type_in.refused("resume", exp.key)


def test_without_a_checkpoint_reproduce_is_the_way_out(tmp_path: Path, type_in: Terminal) -> None:
    write(tmp_path, {"pyproject.toml": "", "train.py": PLAIN})
    run = record(tmp_path)
    told = type_in.refused("resume", run.key)
    assert f"`thexp-pl reproduce {run.key}` begins it anew" in told
    assert list(tmp_path.glob("experiment/.thexp/resumed/*")) == []


@pytest.mark.parametrize(
    ("asked", "is_left"), [({"max_epochs": 2}, False), ({"max_epochs": 3}, True), ({}, True)]
)
def test_one_that_finished_goes_on_only_where_something_is_left(
    asked: dict[str, int], is_left: bool, tmp_path: Path, type_in: Terminal
) -> None:
    run = saved(tmp_path)
    journal = Journal(run.paths.journal)
    journal.add("fit", **asked)
    journal.close()
    if is_left:
        assert type_in("resume", run.key, "--dry_run") == 0
        assert type_in.said("resume") == [f"{run.paths.relative} from 0000002.ckpt (epoch 2)"]
    else:
        told = type_in.refused("resume", run.key)
        assert "has finished its 2 epochs, so nothing is left to train" in told
        assert type_in("resume", run.key, "--code", "current", "--dry_run") == 0


def test_one_of_several_runs_of_a_process_is_refused(tmp_path: Path, type_in: Terminal) -> None:
    run = saved(tmp_path, PLAIN + PLAIN.replace("digits", "letters"))
    told = type_in.refused("resume", run.key)
    assert "by a process that recorded 1 more" in told
    assert f"`thexp-pl rollback {run.key}`" in told


def test_todays_code_is_refused_where_the_project_is_gone(
    tmp_path: Path, type_in: Terminal
) -> None:
    project, root = tmp_path / "project", tmp_path / "experiment"
    write(project, {"pyproject.toml": "", "train.py": PLAIN.replace("./exp", "../exp")})
    command = [sys.executable, "train.py"]
    subprocess.run(command, cwd=project, check=True, timeout=SECONDS)
    run = run_of(tmp_path)
    Saver(run.paths.folder / "modules").save_checkpoint(2, {})
    shutil.rmtree(project)
    told = type_in.refused("resume", run.key, "--code", "current")
    assert f"is not at '{project}' any more" in told
    assert type_in("resume", run.key, "--dry_run", "--exps_dir", str(root)) == 0


def test_a_dry_run_prints_the_command_and_changes_nothing_of_the_run(
    tmp_path: Path, type_in: Terminal
) -> None:
    run = saved(tmp_path)
    before = run.paths.manifest.read_bytes()
    assert type_in("resume", run.key, "--dry_run") == 0
    (line,) = type_in.said("command")
    told = json.loads(Path(line.partition("THEXP_PL_RERUN=")[2].split()[0]).read_text())
    assert (told["how"], told["in_place"], told["runs"]) == ("resumed", True, [run.key])
    assert Path(told["checkpoint"]) == run.paths.folder / "modules" / "0000002.ckpt"
    assert run.paths.manifest.read_bytes() == before


@pytest.mark.parametrize("code", ["recorded", "current"])
def test_it_says_which_code_it_runs_and_which_damaged_checkpoint_it_passes_over(
    code: str, tmp_path: Path, type_in: Terminal
) -> None:
    run = saved(tmp_path)
    modules = run.paths.folder / "modules"
    Saver(modules).save_checkpoint(3, {"epoch": 3})
    newest = modules / "0000003.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1])
    (tmp_path / "train.py").write_text(PLAIN + "print('of today in', os.getcwd())\n")
    for more in (["--dry_run"], []):
        assert type_in("resume", run.key, "--code", code, *more) == 0, type_in.out + type_in.err
        assert type_in.said("resume") == [f"{run.paths.relative} from 0000002.ckpt (epoch 2)"]
        assert re.search(r"^warning: .*0000003\.ckpt is damaged", type_in.err, re.MULTILINE)
        (said,) = type_in.said("code")
        if code == "current":
            assert said == f"of today, {tmp_path}"
        else:
            assert said.startswith(f"as recorded, {run.paths.root / '.thexp' / 'resumed'}/")
        assert (f"of today in {tmp_path}" in type_in.out) == (code == "current" and not more)
    assert (run_of(tmp_path).key, run_of(tmp_path).status) == (run.key, "finished")


def test_a_command_that_fails_is_code_1(tmp_path: Path, type_in: Terminal) -> None:
    run = saved(tmp_path, PLAIN + "    sys.exit(3 if 'AGAIN' in os.environ else 0)\n")
    environment = {**os.environ, "AGAIN": "1"}
    command = [sys.executable, "-m", "thexp_pl", "resume", run.key]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1
    assert "error: the command ended with exit code 3\n" in done.stderr
    assert run_of(tmp_path).key == run.key
