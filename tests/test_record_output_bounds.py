"""The console log and what waits to be written into it stay within bounds."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from thexp_pl.record.output import in_notebook
from thexp_pl.record.output.backlog import Backlog
from thexp_pl.record.output.capped import CappedFile


@pytest.mark.parametrize("count", [9, 10, 11, 50])
def test_a_large_log_keeps_its_beginning_and_its_end(tmp_path: Path, count: int) -> None:
    file = CappedFile(tmp_path / "log", head=50, tail=25)
    for number in range(count):
        file.add(b"line%05d\n" % number)
        file.write(b"open")
    file.close()
    lines = [f"line{number:05}" for number in range(count)]
    if count > 7:
        left = count - 7
        lines[5:-2] = [f"[{left} lines are left out here: the file is full]"]
    assert (tmp_path / "log").read_text().split("\n") == [*lines, "open"]


def test_what_follows_the_lines_is_replaced_by_what_is_shorter(tmp_path: Path) -> None:
    file = CappedFile(tmp_path / "log")
    for rest in (b"a long bar", b"bar", b""):
        file.write(rest)
        assert (tmp_path / "log").read_bytes() == rest
    file.close()


def test_texts_that_come_too_fast_are_left_out_and_said_to_be() -> None:
    backlog = Backlog(limit=10_000)
    for _ in range(1000):
        backlog.put("x" * 36)
    first = backlog.take()
    backlog.put("after")
    left = 36 * 1000 - len(first)
    assert set(first) == {"x"}
    assert 0 < left < 36 * 1000
    note = f"\n[{left} characters are left out here: they came too fast]\n"
    assert backlog.take() == f"{note}after"
    assert (backlog.take(), backlog.size) == ("", 0)


def test_texts_left_out_at_the_very_end_are_said_to_be_too() -> None:
    backlog = Backlog(limit=100)
    for text in ("x" * 100, "lost"):
        backlog.put(text)
    assert backlog.take() == "x" * 100
    assert backlog.take() == "\n[4 characters are left out here: they came too fast]\n"


def test_only_a_kernel_is_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    module = types.ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", module)
    for shell, is_notebook in [
        (None, False),
        (types.SimpleNamespace(), False),
        (types.SimpleNamespace(kernel=object()), True),
    ]:
        module.get_ipython = lambda shell=shell: shell  # type: ignore[attr-defined]
        assert in_notebook() is is_notebook
