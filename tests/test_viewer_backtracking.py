"""Which run left this file, is it still there, and is it what the run left?"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer

pytestmark = pytest.mark.timeout(120)  # seconds; a process that hangs fails the test


def record(root: Path, content: bytes, name: str = "0.ckpt") -> Experiment:
    with Experiment(root, "a", code=False, console=False) as exp:
        (exp.hold_exp_part("save", [".ckpt"]) / name).write_bytes(content)
    return exp


def test_a_file_in_a_run_is_found_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp, _ = record(tmp_path, b"one"), record(tmp_path, b"two")
    path = exp.path / "save" / "0.ckpt"
    viewer = ExperimentViewer()
    found = viewer.backtracking(path)
    assert list(found) == [exp.key]
    facts = found[exp.key]["save/0.ckpt"]
    assert (facts["size"], facts["exists"], facts["replaced"]) == (3, True, False)
    assert facts["sha256"] == hashlib.sha256(b"one").hexdigest()
    monkeypatch.chdir(exp.path)
    assert viewer.backtracking("save/0.ckpt") == found
    monkeypatch.chdir(tmp_path)
    assert viewer.backtracking(f"./a/{exp.key}/save/0.ckpt") == found
    (tmp_path / "link").symlink_to(path)
    assert viewer.backtracking("./link") == found


def test_a_copied_checkpoint_is_known_by_its_content(tmp_path: Path) -> None:
    exp, _ = record(tmp_path / "root", b"one"), record(tmp_path / "root", b"two")
    copy = shutil.copy(exp.path / "save" / "0.ckpt", tmp_path / "best")
    viewer = ExperimentViewer()
    assert list(viewer.backtracking(copy)) == [exp.key]
    shutil.rmtree(exp.path / "save")
    facts = viewer.backtracking(copy)[exp.key]["save/0.ckpt"]
    assert (facts["exists"], facts["replaced"]) == (False, False)
    Path(copy).write_bytes(b"new")
    assert viewer.backtracking(copy) == {}


def test_a_hash_in_either_case_finds_all_runs_that_left_that_content(tmp_path: Path) -> None:
    runs = {record(tmp_path, b"same").key for _ in range(2)}
    record(tmp_path, b"other")
    digest = hashlib.sha256(b"same").hexdigest()
    viewer = ExperimentViewer()
    assert set(viewer.backtracking(digest)) == runs
    assert viewer.backtracking(digest.upper()) == viewer.backtracking(digest)
    assert viewer.backtracking("0" * 64) == {}


def test_a_file_that_is_no_longer_what_the_run_left_is_replaced(tmp_path: Path) -> None:
    exp = record(tmp_path, b"weights")
    path = exp.path / "save" / "0.ckpt"
    viewer = ExperimentViewer()

    def replaced() -> object:
        return viewer.backtracking("ckpt")[exp.key]["save/0.ckpt"]["replaced"]

    assert replaced() is False
    os.utime(path, (1e9, 1e9))  # copied, as it was
    assert replaced() is False
    path.write_bytes(b"WEIGHTS")
    os.utime(path, (1e9, 1e9))
    assert replaced() is True
    path.write_bytes(b"longer weights")
    assert replaced() is True
    path.unlink()
    assert replaced() is False
    path.symlink_to("/nowhere")
    assert replaced() is True


def test_other_content_with_the_size_and_the_time_of_the_first_is_replaced(tmp_path: Path) -> None:
    exp = record(tmp_path, b"weights")
    path = exp.path / "save" / "0.ckpt"
    facts = path.stat()
    path.write_bytes(b"WEIGHTS")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # as `cp -p` leaves it
    viewer = ExperimentViewer()
    assert viewer.backtracking("ckpt")[exp.key]["save/0.ckpt"]["replaced"] is True
    path.write_bytes(b"weights")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert viewer.backtracking("ckpt")[exp.key]["save/0.ckpt"]["replaced"] is False


def test_what_the_run_deleted_or_moved_is_told(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        folder = exp.hold_exp_part("save", [".ckpt"])
        exp.log_event("created", path="save/old.ckpt", size=3)
        exp.log_event("moved", path="save/old.ckpt", to="save/new.ckpt", size=3)
        exp.log_event("created", path="save/gone.ckpt", size=3)
        exp.log_event("deleted", path="save/gone.ckpt", size=None)
        (folder / "other.txt").touch()
    (folder / "new.ckpt").write_bytes(b"abc")
    files = ExperimentViewer().backtracking("save/")[exp.key]
    assert files["save/old.ckpt"]["exists"] is False
    assert files["save/new.ckpt"]["from"] == "save/old.ckpt"
    assert files["save/new.ckpt"]["exists"] is True
    assert (files["save/gone.ckpt"]["exists"], files["save/gone.ckpt"]["replaced"]) == (
        False,
        False,
    )
    (folder / "gone.ckpt").touch()
    assert ExperimentViewer().backtracking("gone")[exp.key]["save/gone.ckpt"]["replaced"] is True


KILLED = """
import sys
from thexp_pl.record import Experiment
exp = Experiment(sys.argv[1], "a", code=False, console=False)
exp.start_exp()
(exp.path / "0.ckpt").write_bytes(sys.argv[2].encode())
exp.log_event("created", path="0.ckpt", size=7)
print(exp.key, flush=True)
sys.stdin.read()
"""


def killed(root: Path, content: str) -> str:
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", KILLED, str(root), content]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout is not None
        key = child.stdout.readline().strip()
        child.send_signal(signal.SIGKILL)
    return key


def test_the_checkpoint_of_a_killed_run_is_known_by_its_content_too(tmp_path: Path) -> None:
    key, _ = killed(tmp_path / "root", "weights"), killed(tmp_path / "root", "WEIGHTS")
    record(tmp_path / "root", b"weighty")
    (tmp_path / "copy").write_bytes(b"weights")
    assert list(ExperimentViewer().backtracking(tmp_path / "copy")) == [key]


def test_a_hash_is_told_of_the_content_that_is_left_not_of_an_earlier_one(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        exp.log_event("modified", path="x.ckpt", size=3, sha256="a" * 64, final=True)
        exp.log_event("modified", path="x.ckpt", size=4)
    viewer = ExperimentViewer()
    assert "sha256" not in viewer.backtracking("x.ckpt")[exp.key]["x.ckpt"]
    assert viewer.backtracking("a" * 64) == {}


def test_odd_names_are_found(tmp_path: Path) -> None:
    names = ('手写".ckpt', "a\\b.ckpt", "a b.ckpt")
    keys = {name: record(tmp_path, b"x", name).key for name in names}
    viewer = ExperimentViewer()
    for name, key in keys.items():
        assert list(viewer.backtracking(name)) == [key]
    assert viewer.backtracking("a/\0b") == {}
