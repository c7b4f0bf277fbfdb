"""A run that was gone on with in its own folder by another code: which one stands for what."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from reproduce_helpers import Terminal, last, record, write
from upkeep_helpers import add_checkpoint, tree_in

from thexp_pl.record.rerun import Rerun
from thexp_pl.runs import Run, codes
from thexp_pl.saver.sidecar import Sidecar, read_sidecar

SCRIPT = """
from thexp_pl import Experiment
with Experiment("./experiment", "digits", console=False) as exp:
    exp.log_metrics(0, 0, {"loss": NUMBER})
"""
SECONDS = 180


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def saved_now(run: Run, epoch: int) -> None:
    """Save a checkpoint without torch."""
    file = add_checkpoint(run.paths, epoch=epoch)
    written = read_sidecar(file).record
    assert written is not None
    now = replace(written, time=datetime.now(timezone.utc).isoformat())
    file.with_name(file.name + ".json").write_bytes(Sidecar({}, now).encode())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two codes, which made one run: the first saved epoch 1, the second epoch 2."""
    project = tmp_path / "project"
    write(project, {"train.py": SCRIPT.replace("NUMBER", "0.1"), "data/best.ckpt": "1"})
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=project, check=True, timeout=SECONDS)
    run = record(project)
    saved_now(run, 1)
    write(project, {"train.py": SCRIPT.replace("NUMBER", "0.2")})
    subprocess.run(["git", "rm", "-qf", "data/best.ckpt"], cwd=project, check=True, timeout=SECONDS)
    told = Rerun("resumed", (run.key,), run.paths.root, project, "/0000001.ckpt", in_place=True)
    again = record(project, env=told.write(tmp_path / "rerun.json"))
    assert again.key == run.key
    saved_now(run, 2)
    return project


def test_a_rollback_restores_the_code_that_saved_the_checkpoint(
    project: Path, tmp_path: Path, type_in: Terminal
) -> None:
    run = last(project)
    first, second = (code.tree for code in codes.codes_of(run))
    assert second == tree_in(run.paths) != first
    for epoch, number in (("1", "0.1"), ("2", "0.2")):
        to = tmp_path / f"back{epoch}"
        assert type_in("rollback", f"{run.key}@{epoch}", "--to", str(to)) == 0, type_in.err
        assert f'"loss": {number}' in (to / "code" / "train.py").read_text()
        (line,) = type_in.said("command")
        shell = {**os.environ, "PYTHONWARNINGS": "ignore"}
        subprocess.run(["bash", "-c", line], env=shell, check=True, timeout=SECONDS)
        again = last(project)
        assert again.key != run.key
        # a file that git alone knew as code is kept too
        assert tree_in(again.paths) == (first if epoch == "1" else second)


def test_show_and_reproduce_say_that_several_codes_made_the_run(
    project: Path, tmp_path: Path, type_in: Terminal
) -> None:
    run = last(project)
    first = codes.codes_of(run)[0].tree
    assert type_in("show", run.key) == 0
    (line,) = (line for line in type_in.out.splitlines() if line.startswith("earlier code"))
    assert str(first)[:12] in line
    words = ("reproduce", run.key, "--dry_run", "--to", str(tmp_path / "again"))
    assert type_in(*words) == 0, type_in.err
    assert "2 codes made this run" in type_in.err
    assert '"loss": 0.2' in (tmp_path / "again" / "code" / "train.py").read_text()


def test_a_hostile_journal_names_no_code(project: Path) -> None:
    run = last(project)
    before = codes.codes_of(run)
    with run.paths.journal.open("a") as file:
        for code, time in (
            ('"--exec=x"', '"2026-01-01T00:00:00+00:00"'),
            ('"' + "a" * 40 + '"', "7"),
        ):
            file.write(f'{{"event": "resumed", "code": {code}, "time": {time}}}\n')
    assert codes.codes_of(run) == before
