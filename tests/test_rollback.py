"""`thexp-pl rollback`: a run as it was at a checkpoint, and the command that goes on from there."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from reproduce_helpers import PLAIN, Terminal, record, write
from reproduce_trainings import SECONDS, files_of, history, run_of, trained

from thexp_pl import Saver
from thexp_pl.rerun import verify
from thexp_pl.runs import Run
from thexp_pl.saver.sidecar import read_sidecar


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def go_on_as_printed(project: Path, checkpoint: str, type_in: Terminal) -> None:
    """Roll back, run the printed line in a shell, and compare what comes with what came."""
    run = run_of(project)
    before = files_of(run.paths.folder)
    for script in project.glob("*.py"):
        script.write_text("raise SystemExit('this is not the recorded code')")
    word = f"{run.key}@{checkpoint}"
    folder = project.parent / f"{project.name}-back"
    assert type_in("rollback", word, "--to", str(folder)) == 0, type_in.err
    (line,) = type_in.said("command")
    shell = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        ["bash", "-c", line], env=shell, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    again = run_of(project)
    assert again.key != run.key
    parent = again.manifest["parent"]
    assert (parent["key"], parent["how"]) == (run.key, "resumed")
    assert again.manifest["code"]["tree"] == run.manifest["code"]["tree"]
    later = history(again)
    assert later
    assert later == history(run)[-len(later) :]
    assert len(later) < len(history(run))
    verdict = verify(run, again)
    assert verdict.weights == ""
    assert verdict.tensors
    assert files_of(run.paths.folder) == before


def test_the_printed_command_goes_on_with_the_same_bits(tmp_path: Path, type_in: Terminal) -> None:
    (project,) = trained(tmp_path, ("facade", ""))
    go_on_as_printed(project, "2", type_in)


@pytest.mark.slow
@pytest.mark.parametrize(("way", "checkpoint"), [("plain", "1000001.ckpt"), ("fit", "2")])
def test_whatever_door_the_training_came_through(
    way: str, checkpoint: str, tmp_path: Path, type_in: Terminal
) -> None:
    (project,) = trained(tmp_path, (way, ""))
    go_on_as_printed(project, checkpoint, type_in)


def saved(project: Path, epochs: int = 3) -> Run:
    """Record a run with checkpoints, without a training."""
    write(project, {"pyproject.toml": "", "train.py": PLAIN})
    run = record(project)
    saver = Saver(run.paths.folder / "modules")
    for epoch in range(1, epochs + 1):
        saver.save_checkpoint(epoch, {"epoch": epoch}, {"loss": abs(epoch - 2)})
    return run


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [("", "0000003.ckpt"), ("@last", "0000003.ckpt"), ("@1", "0000001.ckpt"),
     ("@0000002.ckpt", "0000002.ckpt")],
)  # fmt: skip
def test_the_folder_holds_code_settings_and_the_checkpoint(
    checkpoint: str, name: str, tmp_path: Path, type_in: Terminal
) -> None:
    run = saved(tmp_path / "project")
    (run.paths.config).write_text("epoch: 3\n")
    assert type_in("rollback", f"{run.key}{checkpoint}", "--to", str(tmp_path / "back")) == 0
    back = tmp_path / "back"
    assert {path.name for path in back.iterdir()} >= {
        *("code", "config.yaml", "params.json", "checkpoint", "rerun.json")
    }
    assert (back / "code" / "train.py").read_text() == PLAIN
    assert json.loads((back / "params.json").read_text()) == {"lr": 0.1}
    assert (back / "config.yaml").read_text() == "epoch: 3\n"
    assert {path.name for path in (back / "checkpoint").iterdir()} == {name, f"{name}.json"}
    original = run.paths.folder / "modules" / name
    assert (back / "checkpoint" / name).read_bytes() == original.read_bytes()
    assert read_sidecar(back / "checkpoint" / name) == read_sidecar(original)
    assert type_in.said("from")[0].startswith(f"{name} (epoch ")


@pytest.mark.parametrize("word", ["@last", "@last@2", "digits", "digits@2"])
def test_a_run_is_named_by_any_word_with_or_without_a_checkpoint(
    word: str, tmp_path: Path, type_in: Terminal
) -> None:
    saved(tmp_path / "project")
    assert type_in("rollback", word, "--to", str(tmp_path / "back")) == 0
    assert type_in.said("from")[0].startswith("0000002" if word.endswith("2") else "0000003")


def test_a_checkpoint_that_is_not_there_is_one_line_with_the_near_miss(
    tmp_path: Path, type_in: Terminal
) -> None:
    saved(tmp_path / "project")
    told = type_in.refused("rollback", "digits@bets", "--to", str(tmp_path / "back"))
    assert "did you mean 'best'" in told
    assert not (tmp_path / "back").exists()


def test_a_damaged_newest_one_is_passed_over_with_a_line_and_never_copied(
    tmp_path: Path, type_in: Terminal
) -> None:
    run = saved(tmp_path / "project")
    newest = run.paths.folder / "modules" / "0000003.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert type_in("rollback", run.key, "--to", str(tmp_path / "back")) == 0
    assert type_in.err.startswith("warning: ")
    assert "0000003.ckpt is damaged" in type_in.err
    assert type_in.said("from")[0].startswith("0000002.ckpt")
    told = type_in.refused("rollback", f"{run.key}@3", "--to", str(tmp_path / "two"), code=1)
    assert "0000003.ckpt is damaged" in told
    assert not (tmp_path / "two").exists()


def test_without_a_checkpoint_the_command_begins_at_the_start(
    tmp_path: Path, type_in: Terminal
) -> None:
    run = saved(tmp_path / "project", epochs=0)
    before = files_of(run.paths.folder)
    assert type_in("rollback", run.key) == 0
    assert type_in.said("from")[0].startswith("the start: there is no checkpoint ")
    assert (tmp_path / f"project@{run.key}" / "code" / "train.py").is_file()
    (line,) = type_in.said("command")
    assert subprocess.run(["bash", "-c", line], timeout=SECONDS).returncode == 0
    again = run_of(tmp_path / "project")
    assert again.key != run.key
    assert verify(run, again).identical  # the random states of its start were set
    assert files_of(run.paths.folder) == before


def test_of_a_run_that_was_not_the_first_of_its_process_no_command_goes_on_by_itself(
    tmp_path: Path, type_in: Terminal
) -> None:
    project = tmp_path / "project"
    write(project, {"pyproject.toml": "", "train.py": PLAIN + PLAIN.replace("digits", "letters")})
    run = record(project)
    Saver(run.paths.folder / "modules").save_checkpoint(1, {})
    assert type_in("rollback", "letters", "--to", str(tmp_path / "back")) == 0
    assert "recorded 1 runs before this one" in type_in.err
    assert json.loads((tmp_path / "back" / "rerun.json").read_text())["checkpoint"] == ""
    assert (tmp_path / "back" / "checkpoint" / "0000001.ckpt").is_file()
    assert type_in("rollback", "digits", "--to", str(tmp_path / "first")) == 0
    assert type_in.err == ""


@pytest.mark.slow
def test_a_run_that_went_on_from_another_is_reproduced_from_the_same_checkpoint(
    tmp_path: Path, type_in: Terminal
) -> None:
    (project,) = trained(tmp_path, ("facade", ""))
    back = tmp_path / "back"
    assert type_in("rollback", f"{run_of(project).key}@2", "--to", str(back)) == 0
    (line,) = type_in.said("command")
    assert subprocess.run(["bash", "-c", line], timeout=SECONDS).returncode == 0
    again = run_of(project)

    assert type_in("reproduce", again.key, "--verify") == 0, type_in.out + type_in.err
    assert type_in.said("verify")[0].startswith("identical")
    rows = history(run_of(project))
    assert rows == history(again)

    (back / "checkpoint" / "0000002.ckpt").unlink()
    told = type_in.refused("reproduce", again.key, code=1)
    assert "went on from a checkpoint that is not there as it was" in told
