"""The in-place line of the Logger on real pseudo-terminals."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from thexp_pl import Logger
from thexp_pl.console.text import cells, escape, fit, period

WIDE = st.text(st.sampled_from("ab 训练한ﾊ😀❤\ufe0f\u0301\u200d👩"), max_size=40)


class Pty:
    """A pseudo-terminal of 60 columns that `sys.stdout` and `sys.stderr` end in within `with`."""

    def __enter__(self) -> Pty:
        self._master, slave = os.openpty()
        self._stack = contextlib.ExitStack()
        self._read = b""
        self._reader = threading.Thread(target=self._drain)
        self._reader.start()
        stdout = self._stack.enter_context(os.fdopen(slave, "w", encoding="utf-8"))
        stderr = self._stack.enter_context(os.fdopen(os.dup(slave), "w", encoding="utf-8"))
        self._stack.enter_context(contextlib.redirect_stdout(stdout))
        self._stack.enter_context(contextlib.redirect_stderr(stderr))
        self.resize(60)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        self._reader.join()
        os.close(self._master)

    @property
    def output(self) -> str:
        """What was written so far: all of it after `with`."""
        return self._read.decode("utf-8", errors="ignore").replace("\r\n", "\n")

    def resize(self, columns: int) -> None:
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _drain(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the last slave was closed
            while piece := os.read(self._master, 65536):
                self._read += piece


@pytest.fixture(autouse=True)
def terminal_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Let threads interrupt each other nearly everywhere."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def attempts() -> Iterator[None]:
    """Repeat a loop until it breaks, or fail after a time that no machine needs."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        yield
    pytest.fail("the terminal never showed what was waited for")


def seen(output: str) -> list[str]:
    """Play the bytes as a terminal without wrapping would; wide characters count as one."""
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f]", output.replace("\x1b[K", ""))
    rows, row, at = [], "", 0
    for piece in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]+", output):
        if piece == "\n":
            rows.append(row.rstrip())
            row, at = "", 0
        elif piece == "\r":
            at = 0
        elif piece == "\x1b[K":
            row = row[:at]
        else:
            row = row[:at].ljust(at) + piece + row[at + len(piece) :]
            at += len(piece)
    return [*rows, row.rstrip()]


def drawn(output: str) -> list[str]:
    """List what was put on the in-place row."""
    return [row for row in re.findall(r"\r([^\r\n\x1b]*)\x1b\[K", output) if row]


def test_the_row_is_redrawn_in_place_and_its_last_state_stays() -> None:
    with Pty() as pty:
        logger = Logger(adddate=False)
        logger.info("begin")
        logger.inline("a long first state")
        for _ in attempts():
            logger.inline("1/2")
            if "1/2" in drawn(pty.output):
                break
        logger.inline("2/2")
        logger.info("end")
    output = pty.output
    assert drawn(output)[0] == "a long first state"
    assert "1/2" in drawn(output)
    assert seen(output) == ["begin", "2/2", "end", ""]


def test_drawings_are_throttled_and_formatting_with_them() -> None:
    with Pty() as pty:
        formatted = 0

        class Meter:
            def __str__(self) -> str:
                nonlocal formatted
                formatted += 1
                return f"state {formatted}"

        logger, begin = Logger(adddate=False), time.monotonic()
        for _ in range(20_000):
            logger.inline(Meter())
        allowed = 1 + (time.monotonic() - begin) / 0.05
        logger.newline()
    output = pty.output
    assert 1 <= len(drawn(output)) <= allowed
    assert formatted == len(drawn(output)) + 1
    assert seen(output) == [f"state {formatted}", ""]


def test_a_row_never_reaches_the_last_column_and_scrolls() -> None:
    with Pty() as pty:
        pty.resize(30)
        logger = Logger(adddate=False)
        body = "损失=0.31  准确率=93.75%  学习率=0.001"
        for _ in attempts():
            logger.inline(body, prefix="1/10")
            if len(set(drawn(pty.output))) == 3:
                break
        logger.newline()
    output = pty.output
    for row in drawn(output):
        assert cell_len(row) <= 29
        assert row.startswith("1/10 - ")
        assert row[7:].strip() in f"{body}   {body}"
    assert seen(output) == [f"1/10 - {body}", ""]  # the ended line is shown whole


def test_a_resized_terminal_gets_rows_of_its_new_width() -> None:
    with Pty() as pty:
        logger = Logger(adddate=False)
        for columns in (50, 20, 9, 1, 0):  # a terminal of 0 columns does not know its width
            pty.resize(columns)
            logger.inline("x" * 100)
            logger.newline()
    assert [len(row) for row in drawn(pty.output)] == [49, 19, 8, 1, 79]


def test_a_message_of_another_logger_is_printed_above_the_row(tmp_path: Path) -> None:
    with Pty() as pty:
        one, other = Logger(adddate=False), Logger(adddate=False)
        path = one.add_log_dir(tmp_path)
        assert path is not None
        one.inline("1/2")
        other.info("message")
        other.raw("two\nlines")
        assert path.read_text() == ""
        one.inline("2/2")
        one.newline()
    output = pty.output
    assert "message\n1/2" in output  # drawn again below it
    assert seen(output) == ["message", "two", "lines", "2/2", ""]
    assert path.read_text() == "2/2\n"


def test_of_two_open_rows_both_last_states_stay() -> None:
    with Pty() as pty:
        one, other = Logger(adddate=False), Logger(adddate=False)
        one.inline("one")
        other.inline("other")
        one.newline()
        other.newline()
    output = pty.output
    assert drawn(output) == ["one", "other"]
    assert "one\nother" in output  # the row that is still open reappears
    assert seen(output) == ["one", "other", ""]


def test_a_complaint_on_stderr_does_not_run_into_the_row(tmp_path: Path) -> None:
    with Pty() as pty:
        (tmp_path / "file").touch()
        logger = Logger(adddate=False)
        logger.inline("row")
        logger.add_log_dir(tmp_path / "file")
        logger.newline()
    rows = seen(pty.output)
    assert rows[0].startswith("thexp_pl: no log file can be made")
    assert rows[1:] == ["row", ""]


def test_control_characters_never_reach_the_terminal() -> None:
    with Pty() as pty:
        logger = Logger(adddate=False)
        logger.inline("a\x1b[2J\r\n\tb", prefix="\x9b")
        logger.info("\x1b[31mred")
    assert seen(pty.output) == ["\\x9b - a\\x1b[2J\\r b", "\\x1b[31mred", ""]


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pty() as pty:
        monkeypatch.setenv("TERM", "dumb")
        logger = Logger(adddate=False)
        for i in range(100):
            logger.inline(i)
        logger.warn("w")
    assert pty.output == "99\nWARN - w\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {}])
def test_no_colours_are_written(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    with Pty() as pty:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        logger = Logger(adddate=False)
        logger.inline(1)
        logger.error("e")
    assert set(re.findall(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", pty.output)) == {"\x1b[K"}


def test_a_row_is_taken_off_when_stdout_is_redirected_meanwhile() -> None:
    with Pty() as pty:
        logger = Logger(adddate=False)
        logger.inline("row")
        with contextlib.redirect_stdout(io.StringIO()) as elsewhere:
            logger.newline()
        assert elsewhere.getvalue() == "row\n"
    assert seen(pty.output) == [""]


def test_hidden_rows_are_not_drawn() -> None:
    with Pty() as pty:
        logger = Logger(adddate=False, stdout=False)
        logger.inline("row")
        logger.newline()
        logger.stdout = True
        logger.VERBOSE = Logger.V_WARN
        logger.inline("row")
        logger.newline()
    assert pty.output == ""


@pytest.mark.usefixtures("busy_threads")
def test_threads_and_loggers_share_a_terminal() -> None:
    with Pty() as pty:
        loggers = [Logger(adddate=False) for _ in range(3)]

        def work(name: int) -> None:
            for i in range(60):
                loggers[i % 3].inline("row", name, i)
                loggers[(i + name) % 3].info("message", name, i)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for logger in loggers:
            logger.close()
    rows = seen(pty.output)
    messages = [row for row in rows if row.startswith("message")]
    assert sorted(messages) == sorted(f"message - {n} - {i}" for n in range(4) for i in range(60))
    assert all(re.fullmatch(r"row - \d - \d+|", row) for row in set(rows) - set(messages))


def test_a_line_that_ends_while_it_is_formatted_leaves_no_ghost() -> None:
    class Slow:
        def __str__(self) -> str:
            ending = threading.Thread(target=logger.close)
            ending.start()
            ending.join()  # would never return if values were formatted under the lock
            return "state"

    with Pty() as pty:
        logger = Logger(adddate=False)
        logger.inline(Slow())
    assert drawn(pty.output) == []
    assert seen(pty.output) == ["state", ""]


def test_a_message_of_a_forked_child_does_not_run_into_the_row() -> None:
    script = (
        "import os; from thexp_pl import Logger; logger = Logger(adddate=False)\n"
        "ended, end = os.pipe()\n"
        "logger.inline('row')\n"
        "if os.fork() == 0: logger.info('child'); os._exit(0)\n"
        "os.wait()\n"
        "if os.fork() == 0: os.read(ended, 1); logger.info('later'); os._exit(0)\n"
        "logger.newline()\n"
        "os.write(end, b'.'); os.wait()\n"
    )
    with Pty() as pty:
        subprocess.run([sys.executable, "-c", script], stdout=sys.stdout, timeout=180, check=True)
    assert seen(pty.output) == ["child", "row", "later", ""]


def test_a_terminal_that_hangs_up_stops_nothing(tmp_path: Path) -> None:
    master, slave = os.openpty()
    script = (
        "from thexp_pl import Logger; logger = Logger(adddate=False)\n"
        f"logger.add_log_dir({str(tmp_path)!r})\n"
        "logger.inline('open'); input()\n"
        "for i in range(100): logger.info(i)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=slave,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    assert b"open" in os.read(master, 1000)
    os.close(master)
    _, said = child.communicate(b"\n", timeout=180)
    assert (child.returncode, said.count(b"\n")) == (0, said.count(b"cannot be written"))
    assert next(tmp_path.iterdir()).read_text().split() == ["open", *map(str, range(100))]


@given(WIDE, WIDE, st.integers(1, 70), st.integers(0, 200))
def test_a_fitted_line_takes_no_more_cells_than_there_are(
    head: str, body: str, width: int, offset: int
) -> None:
    line = fit(head, body, width, offset)
    assert cell_len(line) <= cells(line) <= width
    assert sum(map(cell_len, line)) <= width  # on a terminal that joins no emoji
    if cells(head + body) <= width:
        assert line == head + body


@given(WIDE, st.integers(1, 30), st.integers(0, 200))
def test_scrolling_comes_round(body: str, width: int, offset: int) -> None:
    assert fit("", body, width, offset) == fit("", body, width, offset + period(body))


@given(st.text(st.sampled_from("abc "), min_size=1, max_size=60), st.integers(1, 30))
def test_scrolling_shows_every_part_in_order(body: str, width: int) -> None:
    if len(body) > width:
        firsts = [fit("", body, width, offset)[0] for offset in range(period(body))]
        assert "".join(firsts) == body + "   "


@given(st.text())
def test_escaping_keeps_what_is_printable(text: str) -> None:
    if text.isprintable():
        assert escape(text) == text
    assert escape(text).encode("utf-8").decode("utf-8").isprintable() or not text.isprintable()
