"""The Logger in pipes, files and log files, with listeners, threads, forks and broken outputs."""

from __future__ import annotations

import copy
import io
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl import Logger

STAMP = re.compile(r"\d\d-\d\d-\d\d \d\d:\d\d:\d\d - ")
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def run(script: str, *command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script in a new process whose stdout and stderr are pipes."""
    before = "import sys, os\nfrom thexp_pl import Logger\nlogger = Logger(adddate=False)\n"
    return subprocess.run(
        [*command, sys.executable, "-c", before + script],
        capture_output=True,
        timeout=180,
        check=False,
        env={**BUFFERED, **environ},
    )


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Let threads interrupt each other nearly everywhere."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def log_of(logger: Logger, folder: Path) -> Path:
    path = logger.add_log_dir(folder)
    assert path is not None
    return path


def test_a_message_is_stamp_prefix_level_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger()
    logger.info(1, 2, 3, {4: 4}, prefix="examples")
    logger.warn("w", prefix="p")
    logger.error("e")
    logger.fatal("f")
    lines = capsys.readouterr().out.splitlines()
    assert all(STAMP.match(line) for line in lines)
    assert [STAMP.sub("", line) for line in lines] == [
        "examples - 1 - 2 - 3 - {4: 4}",
        "p - WARN - w",
        "ERROR - e",
        "FATAL - f",
    ]


def test_the_stamp_is_local_time() -> None:
    script = "logger = Logger(datefmt='%Z'); logger.info('x')"
    assert run(script, TZ="ABC-5").stdout == b"ABC - x\n"


def test_raw_has_neither_stamp_nor_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    Logger().raw("a", 1, "two\nlines")
    assert capsys.readouterr().out == "a 1 two\nlines\n"


def test_debug_is_hidden_until_verbosity_is_lowered(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = Logger(adddate=False), Logger(adddate=False)
    one.debug("hidden")
    one.VERBOSE = Logger.V_DEBUG
    one.debug("shown")
    other.debug("still hidden")
    other.VERBOSE = Logger.V_ERROR
    other.inline("hidden")
    other.warn("hidden")
    other.newline()
    other.error("shown")
    assert capsys.readouterr().out == "DEBUG - shown\nERROR - shown\n"


def test_a_pipe_gets_the_last_state_of_each_in_place_line_and_no_escapes() -> None:
    done = run(
        "for i in range(100): logger.inline(i, prefix='a')\n"
        "logger.info('message')\n"
        "for i in range(100): logger.inline(i, prefix='b')\n"
        "logger.newline()\n"
        "logger.newline()\n"
        "for i in range(100): logger.inline(i, prefix='c')\n"
    )
    assert done.stdout == b"a - 99\nmessage\nb - 99\n\nc - 99\n"  # the end of the process ends c
    assert (done.stderr, done.returncode) == (b"", 0)


def test_each_line_is_flushed_when_it_is_written() -> None:
    assert run("logger.info('here'); os._exit(0)").stdout == b"here\n"


def test_a_hidden_message_leaves_the_in_place_line_open(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger(adddate=False)
    logger.inline(1)
    logger.debug("hidden")
    logger.inline(2)
    logger.close()
    assert capsys.readouterr().out == "2\n"


def test_a_log_file_holds_messages_and_last_states_only(tmp_path: Path) -> None:
    logger = Logger(adddate=False, stdout=False)
    path = log_of(logger, tmp_path / "new" / "logs")
    for epoch in range(2):
        for batch in range(50):
            logger.inline(f"{batch + 1}/50", "损失", prefix=f"epoch {epoch}")
        logger.newline()
    logger.info("two\nlines")
    logger.inline("last")
    logger.close()
    logger.info("after close")
    assert path.read_text("utf-8") == (
        "epoch 0 - 50/50 - 损失\nepoch 1 - 50/50 - 损失\ntwo\nlines\nlast\n"
    )


def test_a_folder_added_twice_gets_one_file_and_two_loggers_get_two(tmp_path: Path) -> None:
    one, other = Logger(adddate=False, stdout=False), Logger(adddate=False, stdout=False)
    path = log_of(one, tmp_path)
    assert one.add_log_dir(str(tmp_path)) == path
    assert log_of(other, tmp_path) != path
    one.info("one")
    other.info("other")
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["one\n", "other\n"]
    assert re.fullmatch(r"\d{12}\.\d+\.log", path.name)


def test_leaving_with_ends_the_line_even_after_an_error(tmp_path: Path) -> None:
    logger = Logger(adddate=False, stdout=False)
    path = log_of(logger, tmp_path)

    def train() -> None:
        with logger:
            logger.inline("3/10")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert path.read_text() == "3/10\n"


def test_values_are_formatted_when_they_are_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger(adddate=False)
    formatted = []

    class Meter:
        loss = 1.0

        def __str__(self) -> str:
            formatted.append(self.loss)
            return f"loss={self.loss}"

    meter = Meter()
    for _ in range(1000):
        logger.inline(meter)
    meter.loss = 0.5
    logger.newline()
    assert capsys.readouterr().out == "loss=0.5\n"
    assert formatted == [0.5]


def test_a_value_whose_str_raises_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    class Bad:
        def __str__(self) -> str:
            raise ValueError("no")

    logger = Logger(adddate=False)
    logger.inline(Bad(), 1)
    logger.info(2)
    assert capsys.readouterr().out == "<Bad: str() raised ValueError> - 1\n2\n"


def test_control_characters_are_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger(adddate=False)
    logger.info("a\x1b[2Jb\rc\x9b\u202e", prefix="p\x1b\n")
    logger.raw("\x07")
    logger.inline("x\x1b]0;t\x07", "[[1\t2]\n   [3]]", "\udc80")
    logger.newline()
    assert capsys.readouterr().out == (
        "p\\x1b  - a\\x1b[2Jb\\rc\\x9b\\u202e\n\\x07\nx\\x1b]0;t\\x07 - [[1 2] [3]] - \\udc80\n"
    )


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_no_value_spoils_the_log_file(value: str, prefix: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Logger(stdout=False) as logger:
        path = log_of(logger, Path(folder))
        logger.inline(value, prefix=prefix)
        logger.info("next")
        text = path.read_bytes().decode("utf-8")
    assert len(text.splitlines()) == 2
    assert not CONTROLS.search(text)


def test_ascii_output_gets_escapes_and_the_log_file_the_text(tmp_path: Path) -> None:
    done = run(
        f"logger.add_log_dir({str(tmp_path)!r})\nlogger.inline('训练')\nlogger.info('😀')",
        PYTHONIOENCODING="ascii",
    )
    assert (done.stdout, done.stderr) == (b"\\u8bad\\u7ec3\n\\U0001f600\n", b"")
    assert next(tmp_path.iterdir()).read_text("utf-8") == "训练\n😀\n"


def test_a_broken_pipe_stops_neither_the_run_nor_its_log(tmp_path: Path) -> None:
    script = (
        "from thexp_pl import Logger; logger = Logger(adddate=False)\n"
        f"logger.add_log_dir({str(tmp_path)!r})\n"
        "for i in range(1000): logger.info(i)\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=BUFFERED,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr.count(b"\n") == done.stderr.count(b"Broken pipe") == 1
    assert next(tmp_path.iterdir()).read_text().split() == [str(i) for i in range(1000)]


def test_closed_outputs_stop_nothing(tmp_path: Path) -> None:
    script = f"logger.add_log_dir({str(tmp_path)!r})\nlogger.inline(1)\nlogger.info(2)\n"
    closed = run("sys.stdout.close()\n" + script)
    assert closed.returncode == 0
    assert closed.stderr.count(b"\n") == closed.stderr.count(b"closed file") == 1
    absent = run(script, "sh", "-c", 'exec "$@" >&- 2>&-', "sh")
    assert (absent.returncode, absent.stdout, absent.stderr) == (0, b"", b"")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["1\n2\n", "1\n2\n"]


def test_a_folder_that_cannot_be_made_is_reported_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    logger = Logger(adddate=False)
    assert logger.add_log_dir(tmp_path / "file" / "logs") is None
    assert logger.add_log_dir("nul\0") is None
    logger.info("on")
    said = capsys.readouterr()
    assert said.out == "on\n"
    assert said.err.count("\n") == said.err.count("no log file can be made") == 2


def test_a_log_file_that_fails_warns_once_and_goes_on_when_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Logger(adddate=False)
    path = log_of(logger, tmp_path / "logs")
    logger.info("before")
    path.rename(tmp_path / "kept")
    path.symlink_to("/dev/full")
    for _ in range(3):
        logger.info("lost")
    path.unlink()
    (tmp_path / "kept").rename(path)
    with path.open("a") as file:
        file.write("to")  # what a full disk took of "torn"
    logger.info("after")
    assert path.read_text() == "before\nto\nafter\n"
    said = capsys.readouterr()
    assert said.out == "before\nlost\nlost\nlost\nafter\n"
    assert said.err.count("\n") == said.err.count("No space left") == 1


def test_listeners_hear_each_finished_message_once() -> None:
    logger = Logger(adddate=False, stdout=False)
    heard: list[tuple[str, int, str]] = []
    logger.add_log_listener(lambda message, level, line: heard.append((message, level, line)))
    for i in range(10):
        logger.inline(i, prefix="p")
    logger.error("a\x1b", "b", prefix="p")
    logger.debug("hidden elsewhere")
    logger.raw("r")
    assert heard == [
        ("9", Logger.V_INFO, "p - 9"),
        ("a\x1b - b", Logger.V_ERROR, "p - ERROR - a\\x1b - b"),
        ("hidden elsewhere", Logger.V_DEBUG, "DEBUG - hidden elsewhere"),
        ("r", Logger.V_INFO, "r"),
    ]


def test_a_listener_that_raises_is_reported_once_and_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = Logger(adddate=False)
    heard: list[str] = []

    def bad(message: str, level: int, line: str) -> None:
        raise RuntimeError(f"cannot take {message}")

    logger.add_log_listener(bad)
    logger.add_log_listener(lambda message, level, line: heard.append(message))
    logger.info(1)
    logger.info(2)
    said = capsys.readouterr()
    assert (said.out, heard) == ("1\n2\n", ["1", "2"])
    assert said.err.count("\n") == said.err.count("RuntimeError: cannot take 1") == 1


@pytest.mark.usefixtures("busy_threads")
def test_threads_never_tear_each_others_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Logger(adddate=False)
    path = log_of(logger, tmp_path)

    def work(name: int) -> None:
        for i in range(100):
            logger.inline("row", name, i)
            logger.info("thread", name, i)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().out == path.read_text()  # in the same order
    lines = path.read_text().splitlines()
    messages = [line for line in lines if line.startswith("thread")]
    assert sorted(messages) == sorted(f"thread - {n} - {i}" for n in range(6) for i in range(100))
    rows = [line for line in lines if not line.startswith("thread")]
    assert all(re.fullmatch(r"row - \d - \d+", row) for row in rows)
    assert len(rows) == len(set(rows))


def test_a_forked_child_leaves_log_file_and_open_line_to_its_parent(tmp_path: Path) -> None:
    done = run(
        f"path = logger.add_log_dir({str(tmp_path)!r})\n"
        "logger.inline('open')\n"
        "if os.fork() == 0:\n"
        "    logger.info('child')\n"
        f"    assert logger.add_log_dir({str(tmp_path)!r}) != path\n"
        "    logger.info('own file')\n"
        "    sys.exit()\n"
        "assert os.wait()[1] == 0\n"
    )
    assert (done.stdout, done.stderr) == (b"child\nown file\nopen\n", b"")
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["open\n", "own file\n"]


def test_a_fork_amid_busy_threads_does_not_hang() -> None:
    done = run(
        "import threading\n"
        "stop = threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): logger.info('parent')\n"
        "for _ in range(3): threading.Thread(target=work).start()\n"
        "for _ in range(30):\n"
        "    if os.fork() == 0:\n"
        "        logger.info('child')\n"
        "        os._exit(0)\n"
        "    assert os.wait()[1] == 0\n"
        "stop.set()\n",
        PYTHONWARNINGS="ignore",  # newer Pythons warn of any fork with threads
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"child\n") == 30


def test_copies_keep_the_look_but_neither_files_nor_listeners(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Logger(adddate=False, sep=" | ")
    path = log_of(logger, tmp_path)
    logger.add_log_listener(lambda message, level, line: None)  # cannot be pickled
    logger.inline("open")
    for other in (pickle.loads(pickle.dumps(logger)), copy.deepcopy(logger)):
        other.info(1, 2)
    logger.close()
    assert capsys.readouterr().out == "1 | 2\n1 | 2\nopen\n"
    assert path.read_text() == "open\n"


def test_importing_the_console_loads_no_heavy_library() -> None:
    done = run(
        "logger.info('x')\n"
        "heavy = {'rich', 'torch', 'numpy', 'pytorch_lightning'}\n"
        "print(sorted(heavy & set(sys.modules)))",
    )
    assert done.stdout == b"x\n[]\n"


class RaisingStream(io.StringIO):
    """A stand-in for stdout that does not know what it is."""

    def isatty(self) -> bool:
        raise RuntimeError("what is a terminal?")

    @property
    def encoding(self) -> str:
        return "no-such-encoding"


def test_a_stream_that_cannot_tell_what_it_is_still_gets_every_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = RaisingStream()
    monkeypatch.setattr(sys, "stdout", stream)
    logger = Logger(adddate=False)
    logger.info("loss", 0.5)
    logger.inline("1/3")
    logger.info("损失")
    assert stream.getvalue() == "loss - 0.5\n1/3\n\\u635f\\u5931\n"


def test_a_log_folder_within_a_working_folder_that_is_gone_is_complained_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Logger().add_log_dir("x") is None
    assert "no log file can be made in 'x'" in capsys.readouterr().err
