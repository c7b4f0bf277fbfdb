"""Secrets do not reach the console log, whatever happens to the line that they are in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.record.output import ConsoleCapture
from thexp_pl.record.output.cells import MAX_LINE
from thexp_pl.record.output.redaction import LineRedaction

SECRET = "hunter2hunter2"


def without_secret(text: str) -> str:
    return text.replace(SECRET, "<redacted>")


class Fenced:
    """Takes out all lines between two marks, and remembers whether it is between them."""

    def __init__(self) -> None:
        self.inside = False

    def __call__(self, text: str) -> str:
        secret = self.inside
        self.inside = text == "begin" or (self.inside and text != "end")
        return "<redacted>" if secret and self.inside else text


def captured(path: Path, write: Callable[[], object], redact: Callable[[str], str]) -> str:
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


def test_secrets_are_taken_out_of_each_line(log: Path) -> None:
    def write() -> None:
        print("token", SECRET)
        print(f"\x1b[31m{SECRET[:5]}\x1b[0m{SECRET[5:]}")  # in two colours
        sys.stdout.write(f"a {SECRET[:7]}")
        sys.stdout.write(f"{SECRET[7:]} b\rA {SECRET} open")

    expected = "token <redacted>\n<redacted>\nA <redacted> open"
    assert captured(log, write, without_secret) == expected


@pytest.mark.parametrize("start", [60_000, MAX_LINE - len(SECRET), MAX_LINE - 7, MAX_LINE])
def test_a_long_line_is_cut_so_that_no_half_secret_remains(log: Path, start: int) -> None:
    text = ("." * start + SECRET).ljust(10_000_000, ".")
    kept = captured(log, lambda: print(text), without_secret)
    assert kept.startswith("." * 60_000)
    assert kept.endswith(" [the rest of this line is left out]\n")
    assert "hunt" not in kept
    assert len(kept) <= MAX_LINE


def test_a_redaction_that_fails_keeps_the_line_out_and_is_told_at_the_end(log: Path) -> None:
    def redact(text: str) -> str:
        if "bad" in text:
            raise LookupError(text)
        return text

    with pytest.raises(LookupError, match="bad 1"):
        captured(log, lambda: print("a\nbad 1\nbad 2\nb"), redact)
    note = "[a line that could not be searched for secrets is left out]"
    assert log.read_text() == f"a\n{note}\n{note}\nb\n"


def test_a_redaction_that_prints_comes_to_an_end(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def redact(text: str) -> str:
        print("redacting")
        return text

    other = ConsoleCapture(log.with_name("other.log"), redact)
    other.start()
    assert captured(log, lambda: print("a"), redact) == "a\n"
    other.stop()
    assert capsys.readouterr().out.startswith("a\nredacting\n")
    assert log.with_name("other.log").read_text() == "a\n"


@pytest.mark.parametrize("lines", [1, 50, 250])
def test_a_secret_of_many_lines_is_taken_out(log: Path, lines: int) -> None:
    def write() -> None:
        for text in ("before", "begin", *[SECRET] * lines, "end", "after"):
            print(text)
            print("bar\x1b[1G", end="")  # drawn again below each line

    middle = ["<redacted>"] * lines
    expected = ["before", "begin", *middle, "end", "after", "bar"]
    assert captured(log, write, Fenced()).splitlines() == expected


LINES = st.lists(st.sampled_from(["begin", "end", "a", "b"]), max_size=6)


@given(st.lists(st.tuples(st.integers(0, 6), LINES)))
def test_lines_that_change_are_redacted_as_if_they_had_always_been_so(
    changes: list[tuple[int, list[str]]],
) -> None:
    redaction, in_order = LineRedaction(Fenced()), Fenced()
    for keep, lines in changes:
        kept = [redaction.keep(text).decode() for text in lines[:keep]]
        assert kept == [in_order(text) for text in lines[:keep]]
        ahead = Fenced()
        ahead.inside = in_order.inside
        still_open = [data.decode() for data in redaction.open(lines[keep:])]
        assert still_open == [ahead(text) for text in lines[keep:]]
