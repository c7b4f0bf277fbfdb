"""What a process prints is in its console log as well, and nowhere else is anything different."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# from Python 3.12 on: that the parent has threads, as any process that is recorded
NO_FORK_WARNING = ("-W", "ignore::DeprecationWarning")
START = """
import atexit, os, signal, sys, threading
from pathlib import Path
from thexp_pl.record.output import ConsoleCapture
log = Path("console.log")
capture = ConsoleCapture(log, lambda text: text)
capture.start()
"""


def printed(folder: Path, script: str, *, code: int = 0) -> str:
    """Run a script that captures its console; give what it printed, both streams in one."""
    done = subprocess.run(
        [sys.executable, "-u", *NO_FORK_WARNING, "-c", START + textwrap.dedent(script)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def kept(folder: Path) -> str:
    return (folder / "console.log").read_text(encoding="utf-8")


def attempts() -> Iterator[None]:
    """Repeat a loop until it breaks, or fail after a time that no machine needs."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        yield
        time.sleep(0.01)
    pytest.fail("what was waited for never came")


def test_everything_that_python_prints_is_kept_in_its_order(tmp_path: Path) -> None:
    script = """
    import logging, warnings
    logging.basicConfig()
    handler = logging.getLogger().handlers[0]
    capture.stop()
    capture = ConsoleCapture(log, lambda text: text)
    capture.start()  # after the handler was made
    atexit.register(capture.stop)
    print("a", 1, end="")
    print()
    logging.warning("logged")
    warnings.warn("warned")
    sys.stderr.writelines(["b\\n", "c\\n"])
    def fail():
        raise ValueError("in a thread")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    class Unwell:
        def __del__(self):
            raise ValueError("ignored")
    Unwell()
    {}["the end"]
    """
    output = printed(tmp_path, script, code=1)
    assert kept(tmp_path) == output
    parts = ["a 1\n", "logged", "warned", "b\nc\n", "in a thread", "ignored", "KeyError: 'the end'"]
    places = [output.index(part) for part in parts]
    assert places == sorted(places)


def test_a_traceback_is_kept_where_an_earlier_hook_ends_the_run(tmp_path: Path) -> None:
    output = printed(
        tmp_path,
        """
        previous = sys.excepthook
        def hook(*error):
            print("the run has failed")
            previous(*error)
            capture.stop()
        sys.excepthook = hook
        1 / 0
        """,
        code=1,
    )
    assert kept(tmp_path) == output
    assert output.endswith("ZeroDivisionError: division by zero\n")


def test_text_is_on_disk_at_once_and_after_a_kill(tmp_path: Path) -> None:
    script = """
    print("begin")
    for step in range(1000):
        print(f"\\rstep {step}", end="")
    print("\\rstep 1000 of 1000", end="")
    sys.stdin.read()
    """
    child = subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    for _ in attempts():
        if (tmp_path / "console.log").exists() and "1000 of" in kept(tmp_path):
            break
    child.kill()
    child.communicate()
    assert kept(tmp_path) == "begin\nstep 1000 of 1000"


@pytest.mark.parametrize("order", ["one other", "other one"])
def test_two_open_captures_both_get_the_text(tmp_path: Path, order: str) -> None:
    output = printed(
        tmp_path,
        f"""
        before = sys.stdout.write
        one, other = capture, ConsoleCapture(Path("other.log"), str.upper)
        print("a")
        other.start()
        assert sys.stdout.write is before  # replaced once
        print("b")
        first, last = {order.replace(" ", ", ")}
        first.stop()
        print("c")
        last.stop()
        first.stop()
        assert "write" not in vars(sys.stdout) and "write" not in vars(sys.stderr)
        print("d")
        """,
    )
    assert output == "a\nb\nc\nd\n"
    assert kept(tmp_path) == ("a\nb\nc\n" if order == "other one" else "a\nb\n")
    other = (tmp_path / "other.log").read_text()
    assert other == ("B\nC\n" if order == "one other" else "B\n")


def test_several_threads_lose_no_line(tmp_path: Path) -> None:
    printed(
        tmp_path,
        """
        sys.setswitchinterval(1e-6)
        def work(name):
            for i in range(500):
                (sys.stdout if i % 2 else sys.stderr).write(f"{name} {i}\\n")
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        capture.stop()
        """,
    )
    lines = kept(tmp_path).splitlines()
    for name in range(8):
        own = [line for line in lines if line.startswith(f"{name} ")]
        assert own == [f"{name} {i}" for i in range(500)]


def test_a_signal_handler_that_prints_neither_hangs_nor_takes_text_away(tmp_path: Path) -> None:
    script = """
    sys.stdout = sys.stdout  # a built-in stream
    ticks = 0
    def tick(number, frame):
        global ticks
        ticks += 1
        sys.stderr.write("tick\\n")
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    line = 0
    while ticks < 200 or line < 2000:
        line += 1
        sys.stdout.write(f"line {line}\\n")
    signal.setitimer(signal.ITIMER_REAL, 0)
    capture.stop()
    Path("facts").write_text(f"{ticks} {line}")
    """
    with (tmp_path / "stdout").open("w") as file:
        subprocess.run(
            [sys.executable, "-c", START + textwrap.dedent(script)],
            cwd=tmp_path,
            stdout=file,
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
    ticks, last = map(int, (tmp_path / "facts").read_text().split())
    lines = kept(tmp_path).splitlines()
    assert [line for line in lines if line != "tick"] == [f"line {i + 1}" for i in range(last)]
    assert lines.count("tick") == ticks


def test_a_handler_may_stop_what_is_just_being_stopped(tmp_path: Path) -> None:
    script = """
    def handler(number, frame):
        capture.stop()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    signal.signal(signal.SIGTERM, handler)
    def redact(text):
        os.kill(os.getpid(), signal.SIGTERM)  # the main thread waits in stop() then
        return text
    capture.stop()
    capture = ConsoleCapture(log, redact)
    capture.start()
    print("last words", flush=True)
    capture.stop()
    signal.pause()
    """
    assert printed(tmp_path, script, code=-signal.SIGTERM) == "last words\n"
    assert kept(tmp_path) == "last words\n"


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "capture.stop(); sys.exit(0)"])
def test_a_forked_child_prints_but_does_not_write_into_the_file(tmp_path: Path, end: str) -> None:
    output = printed(
        tmp_path,
        f"""
        atexit.register(capture.stop)
        print("before")
        if os.fork() == 0:
            assert "write" not in vars(sys.stdout)
            print("child")
            {end}
        os.wait()
        print("after")
        """,
    )
    assert output == "before\nchild\nafter\n"
    assert kept(tmp_path) == "before\nafter\n"


def test_a_forked_child_may_capture_its_own_console(tmp_path: Path) -> None:
    printed(
        tmp_path,
        """
        if os.fork() == 0:
            own = ConsoleCapture(Path("child.log"), str.upper)
            own.start()
            print("child")
            own.stop()
            os._exit(0)
        os.wait()
        capture.stop()
        """,
    )
    assert kept(tmp_path) == ""
    assert (tmp_path / "child.log").read_text() == "CHILD\n"


def test_what_a_child_process_prints_is_not_copied(tmp_path: Path) -> None:
    output = printed(
        tmp_path,
        """
        import subprocess
        subprocess.run(["echo", "child"])
        os.write(1, b"descriptor\\n")
        print("own")
        capture.stop()
        """,
    )
    assert output == "child\ndescriptor\nown\n"
    assert kept(tmp_path) == "own\n"


def test_a_second_capture_goes_on_behind_the_first(tmp_path: Path) -> None:
    printed(
        tmp_path,
        """
        print("open end", end="")
        capture.stop()
        capture = ConsoleCapture(log, str)
        capture.start()
        print("again")
        capture.stop()
        """,
    )
    assert kept(tmp_path) == "open end\nagain\n"
