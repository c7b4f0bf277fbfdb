"""Faults and oddities around the console log: none of them reaches whoever prints."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record.output import ConsoleCapture


def as_is(text: str) -> str:
    return text


def captured(path: Path, write: Callable[[], object], redact: Callable[[str], str] = as_is) -> str:
    """Capture what a function writes; give what is in the file."""
    capture = ConsoleCapture(path, redact)
    capture.start()
    try:
        write()
    finally:
        capture.stop()
    return path.read_text(encoding="utf-8")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "console.log"


def test_text_that_no_encoding_has_bytes_for(log: Path) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    with contextlib.redirect_stdout(stream):
        capture = ConsoleCapture(log, as_is)
        capture.start()
        with pytest.raises(UnicodeEncodeError):
            print("训 \udc80")
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")  # type: ignore[arg-type]
        capture.stop()
    assert log.read_text(encoding="utf-8") == "训 \\udc80"


class Prefixing:
    """A stream that passes everything on to another one."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str, *, loud: bool = False) -> int:
        return int(self.stream.write(text.upper() if loud else text))

    def flush(self) -> None:
        self.stream.flush()


class Slotted(Prefixing):
    """One that takes no attributes."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        if name == "write":
            raise AttributeError(name)
        super().__setattr__(name, value)


class Delegating:
    """One whose attributes are those of another one, like colorama's and tqdm's."""

    def __init__(self, stream: Any) -> None:
        object.__setattr__(self, "_stream", stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_stream"), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(object.__getattribute__(self, "_stream"), name, value)


@pytest.mark.parametrize("kind", [Prefixing, Delegating])
def test_a_stream_of_the_users_own_is_copied_once_and_left_as_it_was(
    log: Path, capsys: pytest.CaptureFixture[str], kind: type
) -> None:
    def write() -> None:
        with contextlib.redirect_stdout(kind(sys.stdout)):
            outer = sys.stdout
            inner = ConsoleCapture(log.with_name("inner.log"), as_is)
            inner.start()
            print("a")
            if kind is Prefixing:
                outer.write("b", loud=True)  # type: ignore[call-arg]
            inner.stop()
            print("c")
            streams.append(outer)

    streams: list[Any] = [sys.stdout]
    text = "a\nBc\n" if kind is Prefixing else "a\nc\n"
    assert captured(log, write) == text
    assert log.with_name("inner.log").read_text() == text.replace("c\n", "")
    assert capsys.readouterr().out == text
    assert all("write" not in vars(stream) for stream in streams)


def test_a_stream_that_cannot_be_copied_is_named_in_the_log(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.redirect_stdout(Slotted(sys.stdout)):
        kept = captured(log, lambda: (print("a"), print("b", file=sys.stderr)))
    assert kept == "[stdout is not copied here: it takes no other write]\nb\n"
    assert capsys.readouterr().out == "a\n"


def test_a_process_without_a_console_loses_nothing(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert captured(log, lambda: sys.stderr.write("a\n")) == "a\n"


def test_what_is_printed_elsewhere_is_not_copied(log: Path) -> None:
    def write() -> None:
        with contextlib.redirect_stdout(io.StringIO()) as elsewhere:
            print("not seen")
        print("seen")
        assert elsewhere.getvalue() == "not seen\n"

    assert captured(log, write) == "seen\n"


def test_a_write_that_someone_built_upon_ours_stays(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        below = sys.stdout.write
        monkeypatch.setattr(sys.stdout, "write", lambda text: below(f"<{text}>"))
        sys.stdout.write("a")

    assert captured(log, write) == "<a>"
    sys.stdout.write("b")
    assert captured(log.with_name("later.log"), lambda: sys.stdout.write("c")) == "<c>"
    assert capsys.readouterr().out == "<a><b><c>"


FULL_DISK = """
import json, resource, sys
from pathlib import Path
from thexp_pl.record.output import ConsoleCapture
log = Path("console.log")
capture = ConsoleCapture(log, str)
capture.start()
def room(bytes):
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if bytes is None else bytes, hard))
def end():
    try:
        capture.stop()
    except OSError as error:
        return type(error).__name__
"""


@pytest.mark.parametrize("lines", [95, 101, 20_000])  # all can still change, one cannot, most
@pytest.mark.parametrize("recovers", [True, False])
def test_a_full_disk_is_one_error_at_the_end_unless_it_gets_room_again(
    tmp_path: Path, recovers: bool, lines: int
) -> None:
    script = f"""
    import threading
    room(500)
    sys.stdout.write("".join(f"line {{i}}\\n" for i in range({lines})))
    while log.stat().st_size < 500: threading.Event().wait(0.01)
    size = log.stat().st_size
    if {recovers}: room(None)
    facts = [end(), end(), size]
    room(None)
    print(json.dumps(facts), file=sys.stderr)
    """
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK + textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    text = "".join(f"line {i}\n" for i in range(lines))
    assert done.stdout == text
    assert json.loads(done.stderr) == [None if recovers else "OSError", None, 500]
    kept = (tmp_path / "console.log").read_text()
    assert kept == (text if recovers else text[:500])


def test_a_file_that_cannot_be_made_is_told_at_once_and_nothing_is_copied(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    capture = ConsoleCapture(tmp_path / "logs" / "console.log", as_is)
    with pytest.raises(OSError, match="logs"):
        capture.start()
    assert "write" not in vars(sys.stdout)
    capture.stop()
