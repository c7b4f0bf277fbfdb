"""Functions that are told of file changes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from itertools import count
from pathlib import Path

import pytest
from record_files_helpers import DEADLINE, Lines, watching

from thexp_pl.errors import RecordError
from thexp_pl.record.files import FileChanges


def test_listeners_hear_of_their_files_in_order_and_of_no_others(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []
    done = threading.Event()

    def listener(path: Path, event: str) -> None:
        heard.append((path.name, event))
        if path.name == "3.png" and event == "modified":
            done.set()

    with watching(tmp_path, (".ckpt",)) as (changes, lines, part):
        changes.listen(listener, [".PNG"])
        (part / "1.png").touch()
        (part / "0.ckpt").touch()
        lines.wait_for("created", "part/0.ckpt")
        (part / "1.png").rename(part / "2.png")
        (part / "3.png").touch()
        (part / "9.ckpt").touch()
        lines.wait_for("created", "part/9.ckpt")
        (part / "2.png").rename(part / "3.png")
        assert done.wait(DEADLINE)
    assert heard == [
        ("1.png", "created"),
        ("1.png", "deleted"),
        ("2.png", "created"),
        ("3.png", "created"),
        ("2.png", "deleted"),
        ("3.png", "modified"),
    ]
    assert {path for _, path in lines.all()} == {"part/0.ckpt", "part/9.ckpt"}  # held suffixes


def test_what_the_watcher_missed_is_told_at_the_end(tmp_path: Path) -> None:
    heard = []
    lines = Lines(tmp_path)
    changes = FileChanges(lines.report, lines.fault)
    changes.hold(tmp_path / "part", [".ckpt"], observe=True)
    changes.listen(lambda path, event: heard.append((path.name, event)), [".ckpt"])
    (tmp_path / "part" / "a.ckpt").touch()
    changes.start()
    changes.close()
    changes.close()
    assert heard == [("a.ckpt", "created")]
    assert list(lines.final()) == ["part/a.ckpt"]
    assert sum("final" in facts for _, facts in lines.events) == 1


def test_a_listener_that_fails_or_exits_keeps_nothing_from_going_on(tmp_path: Path) -> None:
    heard = []

    def fails(path: Path, event: str) -> None:
        raise ValueError(path.name) if path.name == "1.ckpt" else SystemExit(3)

    with watching(tmp_path) as (changes, lines, part):
        changes.listen(fails, [".ckpt"])
        changes.listen(lambda path, event: heard.append(path.name), [".ckpt"])
        for name in ("1.ckpt", "2.ckpt", "3.ckpt"):
            (part / name).touch()
            lines.wait_for("created", f"part/{name}")
    assert list(dict.fromkeys(heard)) == ["1.ckpt", "2.ckpt", "3.ckpt"]
    assert isinstance(lines.faults[0], ValueError)
    assert "a listener of file changes cannot end the program" in str(lines.faults[-1])


def test_a_fault_that_nobody_takes_is_raised_by_close(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    changes = FileChanges(lines.report)

    def fails(path: Path, event: str) -> None:
        raise ValueError("the listener's own fault")

    changes.hold(tmp_path / "part", [".ckpt"], observe=True)
    changes.listen(fails, [".ckpt"])
    changes.start()
    (tmp_path / "part" / "1.ckpt").touch()
    with pytest.raises(ValueError, match="the listener's own fault"):
        changes.close()
    assert list(lines.final()) == ["part/1.ckpt"]


def test_a_listener_that_writes_into_its_part_does_not_write_for_ever(tmp_path: Path) -> None:
    numbers = count()

    def writes(path: Path, event: str) -> None:
        (path.parent / f"{next(numbers)}.log").touch()

    with watching(tmp_path) as (changes, lines, part):
        changes.listen(writes, [".log"])
        (part / "first.log").touch()
        lines.wait(lambda: len(lines.events) > 50)
    written = next(numbers)
    assert written >= 50
    assert len(list(part.iterdir())) == written + 1
    assert len(lines.final()) <= written + 1


def test_a_listener_may_end_the_recording_itself(tmp_path: Path) -> None:
    with watching(tmp_path) as (changes, lines, part):
        changes.listen(lambda path, event: changes.close(), [".ckpt"])
        (part / "1.ckpt").write_text("x")
        lines.wait(lines.final)
    assert list(lines.final()) == ["part/1.ckpt"]
    assert not lines.faults


def test_a_listener_that_hangs_does_not_keep_the_run_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thexp_pl.record.files.changes._MAX_WAIT_SECONDS", 0.1)
    release, called = threading.Event(), threading.Event()
    heard = []

    def hangs(path: Path, event: str) -> None:
        heard.append(path.name)
        called.set()
        release.wait(DEADLINE)

    with watching(tmp_path) as (changes, lines, part):
        changes.listen(hangs, [".ckpt"])
        (part / "1.ckpt").write_text("x")
        assert called.wait(DEADLINE)
        (part / "2.ckpt").write_text("x")
    release.set()
    assert heard == ["1.ckpt"]
    assert sorted(lines.final()) == ["part/1.ckpt", "part/2.ckpt"]
    assert [type(error) for error in lines.faults] == [RecordError]
    assert "has not returned" in str(lines.faults[0])


def test_a_forked_child_reports_nothing(tmp_path: Path) -> None:
    with watching(tmp_path) as (changes, lines, part):
        (part / "0.ckpt").touch()
        lines.wait_for("created", "part/0.ckpt")
        before = len(lines.events)
        pid = os.fork()
        if not pid:
            try:
                changes.hold(tmp_path / "made", [".txt"], observe=True)
                changes.listen(print, [".txt"])
                (part / "child.ckpt").touch()
                changes.close()
                os._exit(0 if len(lines.events) == before else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (tmp_path / "made").is_dir()
        lines.wait_for("created", "part/child.ckpt")


def script(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    begin = """
        import logging, os, signal, sys, threading
        from pathlib import Path
        from thexp_pl.record.files import FileChanges
        changes = FileChanges(lambda event, facts: None)
        part = Path(sys.argv[1])
        """
    code = textwrap.dedent(begin) + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "part")],
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_a_process_that_never_closes_ends_without_a_word(tmp_path: Path) -> None:
    done = script(
        tmp_path,
        """
        heard = threading.Event()
        changes.hold(part, [".ckpt"], True)
        changes.listen(lambda path, event: heard.set(), [".ckpt"])
        changes.start()
        (part / "1.ckpt").touch()
        heard.wait(180)
        logging.getLogger("watchdog.observers").warning("events were lost")
        print("end")
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_signal_handler_may_close_whatever_it_interrupts(tmp_path: Path) -> None:
    done = script(
        tmp_path,
        """
        closed = []
        def on_alarm(number, frame):
            changes.close()
            print("closed")
            closed.append(True)
            sys.exit(3)
        signal.signal(signal.SIGALRM, on_alarm)
        changes.start()
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        number = 0
        while not closed:  # Python drops an exception that comes in a callback of a weak reference
            number += 1
            changes.hold(part / str(number % 100), [".ckpt"], True)
            changes.listen(print, [".png"])
        sys.exit(3)
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "closed\n", "")


def test_watchdog_is_imported_only_when_there_is_something_to_watch(tmp_path: Path) -> None:
    done = script(
        tmp_path,
        """
        changes.hold(part, [".ckpt"], observe=False)
        changes.start()
        changes.close()
        assert "watchdog" not in sys.modules
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_while_watchdog_is_imported_leaves_a_child_that_can_import_it(
    tmp_path: Path,
) -> None:
    done = script(
        tmp_path,
        """
        import time
        ends = set()
        for number in range(40):
            run = os.fork()
            if run:
                ends.add(os.waitpid(run, 0)[1])
            else:
                changes = FileChanges(lambda event, facts: None)
                changes.hold(part, [".ckpt"], True)
                changes.start()
                time.sleep(number / 2000)
                child = os.fork()
                if not child:
                    signal.alarm(180)
                    import watchdog.observers
                    os._exit(0)
                os._exit(os.waitpid(child, 0)[1])
        print(ends)
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{0}\n", "")
