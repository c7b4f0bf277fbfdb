"""Code that takes long to keep is told of at a terminal, in a line that leaves nothing behind."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from progress_helpers import AtTerminal, in_pipe, screen

TEXT = "thexp_pl: keeping the code"

SCRIPT = """
import sys
from thexp_pl.record import Experiment
print("before", flush=True)
with Experiment("./experiment", "digits", project=".") as exp:
    print("after", flush=True)
    print("tree:", bool(exp.paths.manifest.read_text().count('"tree"')), flush=True)
"""

# a minute in place of the second: a busy machine may take that second from any process
QUICK = """
import sys
import thexp_pl.console.waiting
module = sys.modules["thexp_pl.console.waiting"]
assert module._QUIET_SECONDS == 1.0
module._QUIET_SECONDS = 60.0
with module.waiting("a"):
    print("b")
"""


@pytest.fixture
def slow_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have git read files slowly, as of a large tree: until a file is there; give that file."""
    gate, program = tmp_path / "gate", tmp_path / "bin" / "git"
    program.parent.mkdir()
    git = shutil.which("git")
    wait = f'while [ ! -e "{gate}" ]; do sleep 0.05; done'
    when = f'case "$*" in *update-index*) {wait};; esac'
    program.write_text(f'#!/bin/sh\n{when}\nexec {git} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return gate


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A script that records a run with its code."""
    project = tmp_path / "pro\x1b]0;ject"
    project.mkdir()
    (project / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(project)
    return [sys.executable, "train.py"]


def test_a_slow_snapshot_is_told_of_at_a_terminal_and_nothing_is_left_of_it(
    words: list[str], slow_git: Path
) -> None:
    process = AtTerminal(words, piped=False)
    process.wait_for(r"keeping the code \([1-9]\d* s\) /")
    process.wait_for(r"pro\\x1b\]0;ject")  # it scrolls; what a folder is called does nothing here
    slow_git.touch()
    assert process.ended() == 0, process.texts
    assert screen(process.written) == ["before", "after", "tree: True"]
    (log,) = Path("experiment").glob("digits/*/logs/console.log")
    assert log.read_text().splitlines() == ["after", "tree: True"]


def test_without_a_terminal_a_slow_snapshot_is_silent(
    words: list[str], slow_git: Path, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "git"  # which is slow once, for longer than it takes to tell
    program.write_text(program.read_text().replace("sleep 0.05", f"sleep 2; touch '{slow_git}'"))
    done = in_pipe(words, TERM="xterm")
    assert (done.stdout, done.stderr) == ("before\nafter\ntree: True\n", "")


def test_what_is_quick_is_not_told_of() -> None:
    process = AtTerminal([sys.executable, "-c", QUICK], piped=False)
    assert process.ended() == 0
    assert process.written == "b\r\n"


def test_ctrl_c_during_a_snapshot_takes_the_line_off(words: list[str], slow_git: Path) -> None:
    process = AtTerminal(words, piped=False)
    process.wait_for(r"keeping the code \(")
    process.type_in(b"\x03")
    assert process.ended() != 0
    left = screen(process.written)
    assert left[0] == "before"
    assert left[-1].endswith("KeyboardInterrupt")
    assert not any(line.startswith(TEXT) for line in left)
