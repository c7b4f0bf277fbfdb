"""`thexp-pl diff`, as it is typed."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
from diff_helpers import edited, run_in
from record_code_helpers import git, write

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment
from thexp_pl.runs import Run

_HOSTILE = "\x1b]0;evil\x07\x9b31m\u202e"
_A = {"train.py": "a = 1\n", "long.py": "".join(f"{n}\n" for n in range(900)), "old.py": "x\n" * 9}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Typed:
    """Types commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        try:
            code = main(["diff", *words])
        except SystemExit as ending:
            code = int(str(ending.code))
        return Ended(code, *self._capsys.readouterr())

    def lines(self, *words: str) -> list[str]:
        code, out, err = self(*words)
        assert (code, err) == (0, "")
        return [re.sub(r" {2,}", " | ", line.rstrip()) for line in out.splitlines()]


@pytest.fixture
def diff(capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(capsys)


def record(lr: float, width: int = 4, value: float = 0.5, code: bool = False) -> Run:
    """Record a run of the project in the working directory."""
    with Experiment("root", "digits", console=False, code=code, project=".") as exp:
        exp.params = {"optim": {"lr": lr}, "width": width}
        exp.log_metrics(0, 0, {"loss": 1.0})
        exp.log_metrics(1, 0, {"loss": value})
    return run_in(exp.path)


def recorded_with_code() -> tuple[Run, Run]:
    write(Path(), _A)
    first = record(0.1, code=True)
    write(Path(), {"train.py": f"a = '{_HOSTILE}'\n", "long.py": ""})
    Path("old.py").rename("新.py")
    return first, record(0.1, code=True)


def on_a_terminal(*words: str, columns: int) -> str:
    """Run the command in a process of its own, on a terminal."""
    terminal, end = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(terminal, 65536):
                parts.append(part)
        except OSError:  # the other end was closed
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    command = [sys.executable, "-m", "thexp_pl", "diff", *words]
    subprocess.run(command, stdout=end, check=True, env=environment, timeout=120)
    os.close(end)
    reader.join(timeout=180)
    assert not reader.is_alive()
    os.close(terminal)
    return b"".join(parts).decode()


def test_each_category_is_shown_where_it_differs_and_only_there(diff: Typed) -> None:
    a, b = record(0.1), record(0.2, value=0.25)
    heading_a, heading_b, *lines = diff.lines("@last~1", "@last", "--only", "params, data,metrics")
    assert heading_a.startswith(f"a | {a.key} | digits | ")
    assert heading_b.startswith(f"b | {b.key} | digits | ")
    assert lines == [
        "",
        "params",
        " | a | b",
        "optim.lr | 0.1 | 0.2",
        "",
        "metrics",
        " | a | b",
        "loss.last | 0.5 | 0.25",
        "loss.min | 0.5 | 0.25",
        "loss: the histories part at step 1 | 0.5 | 0.25",
    ]


def test_runs_that_are_alike_are_one_line_that_says_so(diff: Typed) -> None:
    first, second = record(0.1), record(0.1)
    assert diff.lines(first.key, second.key, "--only", "params,metrics")[3:] == [
        "Nothing differs; the metrics agree bit for bit."
    ]
    assert diff.lines(first.key, first.key, "--only", "params")[3:] == ["Nothing differs."]


def test_metrics_that_agree_are_said_also_where_something_differs(diff: Typed) -> None:
    record(0.1)
    record(0.2)
    lines = diff.lines("@last~1", "@last", "--only", "params,metrics")
    assert lines[-1] == "The metrics agree bit for bit."
    assert "metrics" not in lines


def test_the_exit_code_tells_of_a_difference_only_where_it_is_asked_for(diff: Typed) -> None:
    record(0.1)
    record(0.2)
    words = ("@last~1", "@last", "--only", "params")
    assert diff(*words).code == 0
    assert diff(*words, "--exit_code").code == 1
    assert diff("@last", *words[1:], "--exit_code").code == 0


def test_values_that_look_alike_are_told_apart(diff: Typed) -> None:
    run = record(0.1)
    other = edited(run, lambda manifest: manifest["params"].update(width="4"))
    assert diff.lines(run.key, other.key, "--only", "params")[-1] == 'width | 4 | "4"'
    longer = [
        edited(run, lambda manifest, end=end: manifest["params"].update(width="x" * 2000 + end))
        for end in ("one", "two")
    ]
    line = diff.lines(longer[0].key, longer[1].key, "--only", "params")[-1]
    assert re.fullmatch(r"width \| …x+one \| …x+two", line)


def test_json_has_an_entry_a_category_that_differs(diff: Typed) -> None:
    a, b = record(0.1), record(0.2)
    found = json.loads(diff(a.key, b.key, "--json", "--only", "params,packages,metrics").out)
    assert found == {
        "a": {"key": a.key, "experiment": "digits", "root": str(Path("root").resolve())},
        "b": {"key": b.key, "experiment": "digits", "root": str(Path("root").resolve())},
        "differs": True,
        "params": [{"name": "optim.lr", "a": 0.1, "b": 0.2}],
        "metrics_agree": True,
        "remarks": [],
    }


def test_csv_has_a_line_a_difference(diff: Typed) -> None:
    run = record(0.1)

    def plant(manifest: dict[str, object]) -> None:
        manifest["params"] = {"optim": {"lr": 0.1}, "size": [1, 2], _HOSTILE: "a,b"}

    rows = diff(run.key, edited(run, plant).key, "--csv", "--only", "params").out
    assert list(csv.reader(io.StringIO(rows))) == [
        ["category", "name", "a", "b"],
        ["params", "width", "4", ""],
        ["params", "size", "", "[1, 2]"],
        ["params", r"\x1b]0;evil\x07\x9b31m\u202e", "", "a,b"],
    ]


def test_a_summary_has_a_line_a_category_and_one_a_file(diff: Typed) -> None:
    recorded_with_code()
    lines = diff.lines("@last~1", "@last", "--stat")[2:]
    total = "3 files changed, 1 insertion(+), 901 deletions(-)"
    assert lines[0] == f"code | {total}"
    assert lines[2:6] == [
        f"changed | long.py | 900 | {'-' * 40}",
        "changed | train.py | 2 | +-",
        "renamed | old.py => 新.py | 0",
        total,
    ]


def test_the_code_in_a_pipe_is_a_patch_that_git_applies(diff: Typed, tmp_path: Path) -> None:
    write(tmp_path / "copy", _A)
    first, second = recorded_with_code()
    words = ["diff", first.key, second.key, "--code"]
    done = subprocess.run(
        [sys.executable, "-m", "thexp_pl", *words], capture_output=True, timeout=120, check=True
    )
    assert done.stderr == b""
    (tmp_path / "all.patch").write_bytes(done.stdout)
    git(tmp_path / "copy", "apply", "../all.patch")
    for name in ("train.py", "long.py", "新.py"):
        assert (tmp_path / "copy" / name).read_bytes() == Path(name).read_bytes()


def test_a_binary_file_is_no_part_of_the_patch_and_is_named(diff: Typed, tmp_path: Path) -> None:
    write(Path(), {"c.py": "x\n", "b.sh": b"a\0b"})
    shutil.copytree(Path(), tmp_path / "copy")
    first = record(0.1, code=True)
    write(Path(), {"c.py": "y\n", "b.sh": b"a\0c"})
    second = record(0.1, code=True)
    _code, patch, said = diff(first.key, second.key, "--code")
    assert said == "note: the patch is without the binary files: b.sh\n"
    (tmp_path / "all.patch").write_text(patch)
    git(tmp_path / "copy", "apply", "../all.patch")
    assert (tmp_path / "copy" / "c.py").read_text() == "y\n"
    assert "changed | b.sh | binary" in diff.lines("@last~1", "@last", "--stat")


def test_in_a_pipe_hunks_are_escaped_and_never_cut(diff: Typed) -> None:
    recorded_with_code()
    out = diff("@last~1", "@last").out
    assert f"+a = '{_HOSTILE}'".encode("unicode_escape").decode() in out
    assert "\n-899\n" in out


@pytest.mark.parametrize("columns", [80, 160])
def test_a_terminal_gets_colours_lines_that_fit_and_hunks_that_are_cut(columns: int) -> None:
    first, second = recorded_with_code()
    other = edited(second, lambda manifest: manifest["params"].update(width="w" * 500))
    screen = on_a_terminal(first.key, other.key, columns=columns)
    for sequence in set(re.findall(r"\x1b[^m]*m", screen)):
        assert re.fullmatch(r"\x1b\[[\d;]*m", sequence)  # colours, and nothing else
    text = re.sub(r"\x1b\[[\d;]*m", "", screen)
    assert not re.search("[\x07\x1b\x9b\u202e]", text)
    assert "\x1b[31m-0" in screen
    assert max(map(len, text.splitlines())) <= columns
    assert re.search(r"\nwidth {2,}4 {2,}w+…", text)
    cut = f"more lines: `thexp-pl diff {first.key} {other.key} --code` shows all"
    assert cut in text.replace("\r\n", " ").replace("  ", " ")
    assert "\n-899" not in text
    assert "\n-899" in re.sub(
        r"\x1b\[[\d;]*m", "", on_a_terminal(first.key, other.key, "--code", columns=columns)
    )


def test_what_cannot_be_meant_is_refused_in_one_line(
    diff: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record(0.1)
    damaged = edited(run, dict.clear)
    for words, text in (
        ((run.key, "26-nothing"), "no run has the key '26-nothing'"),
        ((run.key, damaged.key), f"the run '{damaged.key}' cannot be compared: run.json"),
        ((run.key, run.key, "--only", "parms"), "no category 'parms'; did you mean 'params'?"),
        ((run.key, run.key, "--stat", "--json"), "--stat is a summary to read"),
    ):
        code, out, err = diff(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert text in err


def test_reading_needs_neither_torch_nor_lightning_nor_numpy() -> None:
    recorded_with_code()
    script = """
import sys
from thexp_pl.cli.main import main
main(["diff", "@last~1", "@last"])
sys.stderr.write(repr(sorted({"torch", "numpy", "pytorch_lightning"} & set(sys.modules))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stderr == "[]"
