"""The data that a run declares: found, hashed beside the training, and truthfully told."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.facts import Inputs, inputs
from thexp_pl.record.redact import Redactor

SECONDS = 180.0


class Held:
    """Inputs whose thread stops where it tells of its first hash, until it is let go."""

    def __init__(self, root: Path) -> None:
        self.let_go = threading.Event()
        self.reached = threading.Event()
        self.inputs = Inputs(root, Redactor(), self.changed)

    def changed(self) -> None:
        if threading.current_thread().name == "thexp-inputs":
            self.reached.set()
            assert self.let_go.wait(SECONDS)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    (tmp_path / "first").write_text("1")
    made = Held(tmp_path)
    made.inputs.uses(tmp_path / "first")
    assert made.reached.wait(SECONDS)
    yield made
    made.let_go.set()
    for thread in threading.enumerate():
        if thread.name == "thexp-inputs":
            thread.join(SECONDS)


def told(root: Path, *paths: Any) -> list[dict[str, Any]]:
    """What the manifest tells of some data in the end."""
    made = Inputs(root, Redactor(), lambda: None)
    for path in paths:
        made.uses(path)
    made.close(SECONDS)
    return made.facts()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_has_its_size_its_time_and_its_hash(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    file = tmp_path / "train 数据.bin"
    file.write_bytes(data)
    os.utime(file, (1_600_000_000, 1_600_000_000.25))
    (found,) = told(tmp_path, file)
    assert (found["kind"], found["state"], found["error"]) == ("file", "hashed", None)
    assert (found["path"], found["bytes"], found["sha256"]) == (file.name, len(data), sha(data))
    assert found["modified"][14:23] == "26:40.250"


def test_a_folder_is_told_with_its_files_together(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "a").write_bytes(b"123")
    (tmp_path / "data" / "b").write_bytes(b"4567")
    (found,) = told(tmp_path, tmp_path / "data")
    assert (found["kind"], found["state"], found["path"]) == ("folder", "hashed", "data")
    assert (found["files"], found["bytes"], found["skipped"]) == (2, 7, 0)


def test_links_are_followed_once_and_what_is_no_file_is_skipped(tmp_path: Path) -> None:
    for name in ("data", "server/deep"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "server" / "deep" / "x").write_bytes(b"xx")
    (tmp_path / "data" / "a").symlink_to(tmp_path / "server")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "server")
    (tmp_path / "server" / "deep" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data" / "circle")
    os.mkfifo(tmp_path / "data" / "pipe")
    (found,) = told(tmp_path, tmp_path / "data")
    assert (found["state"], found["files"], found["bytes"], found["skipped"]) == ("hashed", 1, 2, 4)


def test_a_folder_with_a_file_that_cannot_be_read_says_which(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    if os.geteuid():
        (tmp_path / "data" / "bad").touch(0)
    else:  # root may read everything but this
        (tmp_path / "data" / "bad").symlink_to("/proc/self/mem")
    (found,) = told(tmp_path, tmp_path / "data")
    assert (found["state"], found["sha256"]) == ("unreadable", None)
    assert found["error"].startswith("bad: ")


# what changes meanwhile


def test_a_file_that_changes_after_it_was_declared_has_no_hash(tmp_path: Path, held: Held) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    held.inputs.uses(file)
    file.write_bytes(b"newer")
    held.let_go.set()
    held.inputs.close(SECONDS)
    found = held.inputs.facts()[1]
    assert (found["state"], found["bytes"], found["sha256"]) == ("changed", 3, None)


# the thread


def test_declaring_does_not_wait_for_the_hash_and_all_is_known_in_the_end(
    tmp_path: Path, held: Held
) -> None:
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
        held.inputs.uses(tmp_path / str(number))
    assert [found["state"] for found in held.inputs.facts()] == ["hashed"] + ["pending"] * 5
    held.let_go.set()
    held.inputs.close(SECONDS)
    assert [found["sha256"] for found in held.inputs.facts()[1:]] == [
        sha(b"%d" % number) for number in range(5)
    ]


def test_what_is_not_hashed_when_the_run_ends_says_so_for_ever(tmp_path: Path, held: Held) -> None:
    (tmp_path / "late").write_bytes(b"late")
    held.inputs.uses(tmp_path / "late")
    held.inputs.close(0)
    assert held.inputs.facts()[1]["state"] == "unfinished"
    held.let_go.set()
    held.inputs.close(SECONDS)
    found = held.inputs.facts()[1]
    assert (found["state"], found["sha256"], found["bytes"]) == ("unfinished", None, 4)


def test_the_manifest_can_be_rewritten_at_each_news(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    states = []
    made = Inputs(tmp_path, Redactor(), lambda: states.append(made.facts()[-1]["state"]))
    made.uses("s3://bucket/data")
    made.uses(tmp_path / "file")
    made.close(SECONDS)
    assert states[0] == "named"
    assert states[-1] == "hashed"


def test_a_fault_of_whoever_is_told_comes_out_at_the_end(tmp_path: Path) -> None:
    def refuse() -> None:
        if threading.current_thread().name == "thexp-inputs":
            raise OSError("no space")

    made = Inputs(tmp_path, Redactor(), refuse)
    for name in "ab":
        (tmp_path / name).write_bytes(b"x")
        made.uses(tmp_path / name)
    with pytest.raises(OSError, match="no space"):
        made.close(SECONDS)
    assert [found["state"] for found in made.facts()] == ["hashed", "hashed"]


def test_where_no_thread_can_be_started_the_run_goes_on_and_the_end_says_so_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "early").write_bytes(b"1")
    (tmp_path / "late").write_bytes(b"22")
    made = Inputs(tmp_path, Redactor(), lambda: None)
    before = threading.stack_size(1 << 46)  # more than there is
    try:
        made.uses(tmp_path / "early")
    finally:
        threading.stack_size(before)
    assert [found["state"] for found in made.facts()] == ["unfinished"]
    made.uses(tmp_path / "late")
    with pytest.raises(RuntimeError, match="can't start new thread"):
        made.close(SECONDS)
    made.close(SECONDS)
    assert [found["state"] for found in made.facts()] == ["unfinished", "hashed"]


@pytest.mark.parametrize("used", ["file", "s3://bucket/data"])
def test_nothing_can_be_declared_after_the_end(tmp_path: Path, used: str) -> None:
    (tmp_path / "file").touch()
    made = Inputs(tmp_path, Redactor(), lambda: None)
    made.close()
    with pytest.raises(UsageError, match=r"the run has ended and cannot use .* any more"):
        made.uses(used if ":" in used else tmp_path / used)
    assert made.facts() == []


# what is declared


def test_the_same_data_is_declared_once_and_again_when_it_is_other_data(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    made = Inputs(tmp_path, Redactor(), lambda: None)
    made.uses(file)
    made.uses(str(file))
    file.write_bytes(b"22")
    made.uses(os.fsencode(file))
    assert [found["bytes"] for found in made.facts()] == [1, 2]


def test_a_url_is_named_without_its_secrets_and_not_read(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "https://me:planted@host/data?token=planted-too&v=2")
    assert (found["kind"], found["state"], found["sha256"]) == ("url", "named", None)
    assert "planted" not in found["path"]
    assert found["path"].endswith("v=2")


def test_a_path_is_written_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "planted-123")
    (tmp_path / "planted-123").mkdir()
    assert told(tmp_path, tmp_path / "planted-123")[0]["path"] == "<redacted>"


@pytest.mark.parametrize("path", ["", "missing", "data/trian.csv", "a\0b", "~nobody/x", "x" * 300])
def test_data_that_is_not_there_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").touch()
    made = Inputs(tmp_path, Redactor(), lambda: None)
    with pytest.raises(RecordError, match="the run cannot use") as error:
        made.uses(path)
    assert len(str(error.value).splitlines()) == 1
    assert ("did you mean 'train.csv'" in str(error.value)) == ("trian" in path)
    assert made.facts() == []


def test_a_pipe_is_refused_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordError, match="neither a file nor a folder"):
        told(tmp_path, tmp_path / "pipe")


def test_a_manifest_is_not_filled_with_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_MAX_INPUTS", 2)
    with pytest.raises(RecordError, match=r"uses 2 files and folders already.*declare the folder"):
        told(tmp_path, "s3://a", "s3://b", "s3://c")
