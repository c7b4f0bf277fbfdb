"""Runs done again beside removed, failed, half restored and reproduced ones, and two at once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from pathlib import Path

import filelock
import pytest
from reproduce_helpers import PLAIN, Terminal, last, record, write

from thexp_pl import Saver
from thexp_pl.cli.main import main
from thexp_pl.errors import RecordError
from thexp_pl.record.facts.hashing import hash_file
from thexp_pl.rerun import preparing, reproduce
from thexp_pl.rerun.resuming import prepare_resumption, start_resumption
from thexp_pl.runs import Run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, {"pyproject.toml": "", "train.py": PLAIN})
    return folder


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def saved(project: Path) -> Run:
    run = record(project)
    Saver(run.paths.folder / "modules").save_checkpoint(2, {"epoch": 2})
    return run


# -- the checkpoint of a removed run ---------------------------------------------------------------


def test_a_run_that_went_on_from_one_in_the_trash_is_reproduced_from_there(
    project: Path, type_in: Terminal
) -> None:
    parent, run = saved(project), record(project)
    checkpoint = parent.paths.folder / "modules" / "0000002.ckpt"
    manifest = json.loads(run.paths.manifest.read_text())
    manifest["parent"] = {
        "key": parent.key,
        "how": "resumed",
        "checkpoint": f"{parent.paths.relative}/modules/0000002.ckpt",
        "sha256": hash_file(checkpoint, lambda: False).sha256,
    }
    run.paths.manifest.write_text(json.dumps(manifest))
    assert told(run, type_in) == checkpoint
    assert type_in("rm", parent.key, "--yes") == 0
    trashed = run.paths.root / ".thexp" / "trash" / parent.paths.relative
    assert told(run, type_in) == trashed / "modules" / "0000002.ckpt"
    shutil.rmtree(trashed)
    assert "is not there as it was" in type_in.refused("reproduce", run.key, code=1)


def told(run: Run, type_in: Terminal) -> Path:
    assert type_in("reproduce", run.key, "--dry_run") == 0, type_in.err
    (code,) = map(Path, type_in.said("code"))
    return Path(json.loads((code.parent / "rerun.json").read_text())["checkpoint"])


# -- a run that failed -----------------------------------------------------------------------------


def test_of_a_run_that_fails_again_it_is_said_whether_it_was_the_same_up_to_there(
    project: Path, type_in: Terminal
) -> None:
    write(project, {"train.py": PLAIN + "    sys.exit(3)\n"})
    run = record(project, code=3)
    assert type_in.refused("reproduce", run.key, "--verify", code=1).startswith(
        "error: the command"
    )
    (verdict,) = type_in.said("verify")
    done = reproduce(run, verified=True)
    assert verdict == str(done.verdict)
    assert verdict.startswith("identical: 10 values of metrics")


# -- what a kill leaves ----------------------------------------------------------------------------


def test_what_a_killed_rollback_left_beside_the_project_goes_with_the_next_one(
    project: Path, type_in: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(project)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(preparing, "link_root", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        try:
            main(["rollback", run.key])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (left,) = project.parent.glob(".thexp-restoring-*")
    assert (left / "code" / "train.py").is_file()
    held = left.with_name(f".thexp-restoring-{'0' * 16}")  # of one that is at work
    held.mkdir()
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert type_in("rollback", run.key) == 0
    assert list(project.parent.glob(".thexp-restoring-*")) == [held]
    os.close(descriptor)
    assert type_in("rollback", run.key) == 0
    names = {path.name for path in project.parent.iterdir()}
    assert {f"project@{run.key}", f"project@{run.key}-2"} <= names
    assert not held.exists()


# -- two at once -----------------------------------------------------------------------------------


def test_a_second_resume_is_one_line_while_the_first_is_at_work(
    project: Path, type_in: Terminal
) -> None:
    run = saved(project)
    before = run.paths.manifest.read_bytes()
    with filelock.FileLock(run.paths.again_lock):
        line = type_in.refused("resume", run.key)
    assert "another `thexp-pl resume` goes on with the run" in line
    assert type_in.said("run") == []
    assert run.paths.manifest.read_bytes() == before


def test_one_that_another_has_gone_on_with_meanwhile_is_left_alone(project: Path) -> None:
    run = saved(project)
    first, second = prepare_resumption(run), prepare_resumption(run)
    done = start_resumption(*first)
    assert (done.fault, done.went_on, done.run.status) == ("", True, "finished")
    with pytest.raises(RecordError, match=r"has gone on with the run .* meanwhile: it is finished"):
        start_resumption(*second)


def test_a_command_that_did_not_go_on_with_the_run_says_nothing_of_it(
    project: Path, type_in: Terminal
) -> None:
    write(
        project, {"train.py": "import os\nif 'AGAIN' in os.environ: raise SystemExit(4)\n" + PLAIN}
    )
    run = saved(project)
    os.environ["AGAIN"] = "1"
    try:
        line = type_in.refused("resume", run.key, code=1)
    finally:
        del os.environ["AGAIN"]
    assert line == "error: the command ended with exit code 4\n"
    assert type_in.said("run") == []


# -- where a folder is made, and what is said ------------------------------------------------------


def test_a_reproduced_run_is_rolled_back_beside_the_project_of_the_first(
    project: Path, type_in: Terminal
) -> None:
    record(project)
    for _ in range(2):  # the second is the reproduction of a reproduction
        assert type_in("reproduce", "digits") == 0
    assert type_in("rollback", "digits") == 0
    assert type_in.said("code") == [str(project.parent / f"project@{last(project).key}" / "code")]


def test_of_many_other_packages_those_that_decide_most_are_named(
    project: Path, type_in: Terminal
) -> None:
    run = record(project)
    manifest = json.loads(run.paths.manifest.read_text())
    assert len(manifest["packages"]) > 12
    manifest["packages"] = dict.fromkeys(manifest["packages"], "0.0.1")
    manifest["python"] = "2.7.18"
    run.paths.manifest.write_text(json.dumps(manifest))
    assert type_in("reproduce", run.key, "--dry_run") == 0
    found = type_in.said("differs")
    assert len(found) == 10
    assert found[0].startswith("python version: 2.7.18 then")
    for name in ("numpy", "torch"):
        assert any(line.startswith(f"package {name}: ") for line in found)
    assert found[-1].endswith("more packages: `thexp-pl diff` of the two runs lists them")
