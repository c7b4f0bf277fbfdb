"""What `thexp-pl list | show | config` do where they cannot print, or must not print as it is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from thexp_pl import globs
from thexp_pl.record import Experiment

HOSTILE = "a\x1b[31mb\nc\x9b"


def typed(words: list[str], redirection: str = "") -> subprocess.CompletedProcess[str]:
    """Type a command in a shell."""
    line = f'"{sys.executable}" -m thexp_pl {" ".join(words)} {redirection}'
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True)


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    "words", [["list"], ["list", "--json"], ["show", "@last"], ["config", "-l"], ["config", "a"]]
)
def test_an_output_that_cannot_be_written_is_one_line(
    tmp_path: Path, words: list[str], redirection: str
) -> None:
    globs.update("global", "a", 1)
    with Experiment(tmp_path, "digits"):
        pass
    done = typed(words, redirection)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot print: ")
    assert done.stderr.count("\n") == 1


def test_a_list_of_variables_has_no_control_characters() -> None:
    globs.update("global", "a", HOSTILE)
    globs.update("global", "b", {"c": "\x9b"})
    done = typed(["config", "-l"])
    assert done.stdout == 'a=a\\x1b[31mb\\nc\\x9b\nb={"c": "\\x9b"}\n'


def test_a_variable_is_printed_as_it_is_for_a_script_and_escaped_on_a_terminal() -> None:
    globs.update("global", "a", HOSTILE)
    assert typed(["config", "a"]).stdout == f"{HOSTILE}\n"
    terminal, end = pty.openpty()
    subprocess.run([sys.executable, "-m", "thexp_pl", "config", "a"], stdout=end, check=True)
    os.close(end)
    printed = os.read(terminal, 10_000)
    os.close(terminal)
    assert printed == b"a\\x1b[31mb\\nc\\x9b\r\n"


def test_a_home_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "file"))
    done = typed(["list"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot read the experiment roots" in done.stderr
    assert "Not a directory; free it, name another home in THEXP_HOME" in done.stderr
    assert done.stderr.count("\n") == 1


def test_in_a_deleted_folder_each_command_answers_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "No runs are recorded" in typed(["list"]).stdout
    for words in (["list", "--exps_dir", "x"], ["init"]):
        done = typed(words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "was deleted" in done.stderr
        assert done.stderr.count("error: ") == 1


def test_a_mark_that_leads_to_itself_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".thexp").symlink_to(".thexp")
    done = typed(["init", str(tmp_path)])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
