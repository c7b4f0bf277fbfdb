"""A listener that never returns keeps no run from ending, and nothing out of its journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from record_files_helpers import DEADLINE, Lines, sha256, watching

from thexp_pl.errors import RecordError
from thexp_pl.record.files import FileChanges, changes


class Hanging:
    """A listener that returns when it is let go."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.called = threading.Event()
        self.release = threading.Event()

    def __call__(self, path: Path, event: str) -> None:
        self.heard.append(path.name)
        self.called.set()
        assert self.release.wait(DEADLINE)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    monkeypatch.setattr(changes, "_MAX_WAIT_SECONDS", 0.2)
    listener = Hanging()
    yield listener
    listener.release.set()
    for thread in threading.enumerate():
        if thread.name == "thexp-files":
            thread.join(DEADLINE)
            assert not thread.is_alive()


def made_before(folder: Path, *names: str) -> tuple[FileChanges, Lines]:
    """Files that come before anything is followed: only the closing comparison may find them."""
    lines = Lines(folder)
    followed = FileChanges(lines.report, lines.fault)
    followed.hold(folder / "part", [".ckpt"], observe=True)
    for name in names:
        (folder / "part" / name).write_text(name)
    return followed, lines


def close_at_once(followed: FileChanges, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close before the watcher has looked at anything."""
    monkeypatch.setattr("thexp_pl.record.files.watcher.Watcher.run", lambda watcher: None)
    followed.start()
    closing = threading.Thread(target=followed.close, daemon=True)
    closing.start()
    closing.join(DEADLINE)
    assert not closing.is_alive()


def test_one_that_is_called_first_at_the_end_is_waited_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hanging: Hanging
) -> None:
    followed, lines = made_before(tmp_path, "1.ckpt", "2.ckpt")
    followed.listen(hanging, [".ckpt"])
    close_at_once(followed, monkeypatch)
    final = lines.final()
    assert hanging.heard == ["1.ckpt"]
    assert sorted(final) == ["part/1.ckpt", "part/2.ckpt"]
    assert all(facts["sha256"] == sha256(tmp_path / path) for path, facts in final.items())
    assert [type(error) for error in lines.faults] == [RecordError]
    assert "has not returned for 0.2 s" in str(lines.faults[0])


def test_one_that_returns_after_the_end_is_called_no_more_and_adds_nothing(
    tmp_path: Path, hanging: Hanging
) -> None:
    with watching(tmp_path) as (followed, lines, part):
        followed.listen(hanging, [".ckpt"])
        (part / "1.ckpt").write_text("x")
        assert hanging.called.wait(DEADLINE)
        (part / "2.ckpt").write_text("x")
    told = list(lines.events)
    assert sorted(lines.final()) == ["part/1.ckpt", "part/2.ckpt"]
    hanging.release.set()
    for thread in threading.enumerate():
        if thread.name == "thexp-files":
            thread.join(DEADLINE)
    assert lines.events == told
    assert hanging.heard == ["1.ckpt"]


def test_one_beside_a_listener_that_closes_is_waited_for_a_while_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hanging: Hanging
) -> None:
    with watching(tmp_path) as (followed, lines, part):
        followed.listen(lambda path, event: (part / "2.ckpt").write_text("x"), [".go"])
        followed.listen(lambda path, event: followed.close(), [".go"])
        followed.listen(hanging, [".ckpt"])
        (part / "1.go").write_text("x")
        lines.wait(lines.final)
    assert list(lines.final()) == ["part/2.ckpt"]
    assert hanging.heard == ["2.ckpt"]


def test_listeners_are_told_at_the_end_in_another_thread_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed, lines = made_before(tmp_path, "1.ckpt", "2.ckpt")
    heard = []
    followed.listen(lambda path, event: heard.append((path.name, event)), [".ckpt"])
    close_at_once(followed, monkeypatch)
    assert heard == [("1.ckpt", "created"), ("2.ckpt", "created")]
    assert not lines.faults


def test_where_no_thread_can_be_started_the_end_is_recorded_all_the_same(tmp_path: Path) -> None:
    followed, lines = made_before(tmp_path, "1.ckpt")
    followed.listen(lambda path, event: None, [".ckpt"])
    before = threading.stack_size(1 << 46)  # more than there is
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            followed.start()
        followed.close()
    finally:
        threading.stack_size(before)
    assert list(lines.final()) == ["part/1.ckpt"]
    assert [str(error) for error in lines.faults] == ["can't start new thread"]
