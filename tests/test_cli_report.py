"""`thexp-pl report`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from page_helpers import CALL, data_in, record, with_code
from progress_helpers import AtTerminal, command, screen

from thexp_pl.cli.main import main

ROOT = Path("experiment")


class Terminal:
    """Types ``thexp-pl report`` into a pipe and reads what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        assert main(["report", *words]) == 0
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return captured.out

    def refused(self, *words: str) -> str:
        """Give the one line of a command that is refused."""
        with pytest.raises(SystemExit) as ending:
            main(["report", *words])
        captured = self._capsys.readouterr()
        assert (ending.value.code, captured.out) == (2, "")
        assert captured.err.count("\n") == 1
        return captured.err


@pytest.fixture
def report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys)


def data_of(file: str = "report.html") -> Any:
    return data_in(Path(file).read_text("utf-8"))


def test_one_run_makes_the_page_of_a_run(report: Terminal) -> None:
    exp = record(ROOT, lr=0.1)
    printed = report(exp.key, "-o", "report.html")
    file = Path("report.html").resolve()
    assert printed == f"1 run in {file} ({file.stat().st_size:,} bytes)\n"
    data = data_of()
    assert (data["page"], data["detail"]["key"]) == ("run", exp.key)
    assert data["title"] == f"digits {exp.key}"


def test_several_runs_make_a_page_of_runs(report: Terminal) -> None:
    found = [record(ROOT, lr=lr) for lr in (0.1, 0.2, 0.3)]
    assert report("params.lr < 0.25", "-o", "a.html").startswith("2 runs in ")
    data = data_of("a.html")
    assert (data["page"], data["detail"]) == ("runs", None)
    assert [row["key"] for row in data["rows"]] == [exp.key for exp in found[:2]]
    report("@last", found[0].key, "-o", "b.html")
    assert [row["key"] for row in data_of("b.html")["rows"]] == [found[2].key, found[0].key]


def test_runs_of_the_same_key_in_two_roots_are_both_there(report: Terminal) -> None:
    exp = record(ROOT, lr=0.1)
    other = Path("other").resolve()
    record(other, lr=0.2).path.rename(other / "digits" / exp.key)
    report("params.lr > 0", "-o", "report.html")
    data = data_of()
    assert [row["key"] for row in data["rows"]] == [exp.key] * 2
    assert len(data["curves"]) == len({row["id"] for row in data["rows"]}) == 2
    report(exp.key, "--exps_dir", "other", "-o", "one.html")
    assert data_of("one.html")["detail"]["params"] == {"lr": 0.2}


def test_the_code_can_be_left_out_and_the_title_be_given(report: Terminal) -> None:
    exp = with_code(ROOT, Path("project"), train__py="x = 1\n")
    report(exp.key, "-o", "whole.html")
    report(exp.key, "-o", "bare.html", "--no_code", "--title", CALL)
    assert "train.py" in [file["path"] for file in data_of("whole.html")["detail"]["code"]]
    bare = data_of("bare.html")
    assert (bare["detail"]["code"], bare["title"]) == ([], CALL)


def test_machines_are_told_in_json(report: Terminal) -> None:
    exp = record(ROOT)
    told = json.loads(report(exp.key, "-o", "report.html", "--json"))
    file = Path("report.html").resolve()
    assert told == {"file": str(file), "bytes": file.stat().st_size, "runs": [exp.key]}


def test_what_a_file_is_called_is_no_command_for_the_terminal(report: Terminal) -> None:
    exp = record(ROOT)
    assert "\\x1b[31m.html" in report(exp.key, "-o", "\x1b[31m.html")


def test_a_file_that_is_there_is_not_written_over(report: Terminal) -> None:
    exp = record(ROOT)
    Path("report.html").write_text("mine")
    assert "already: remove it, or name another file" in report.refused(
        exp.key, "-o", "report.html"
    )
    assert Path("report.html").read_text() == "mine"


def test_what_cannot_be_meant_is_said_in_one_line(report: Terminal) -> None:
    exp = record(ROOT)
    assert "no run has the key 'digit'; did you mean 'digits'" in report.refused(
        "digit", "-o", "report.html"
    )
    assert "there is no run to show" in report.refused("status == 'failed'", "-o", "report.html")
    assert "cannot write" in report.refused(exp.key, "-o", "none/report.html")
    with pytest.raises(SystemExit):
        main(["report", exp.key])  # -o is missing
    assert sorted(path.name for path in Path().iterdir()) == ["experiment"]


@pytest.mark.parametrize("package", ["plotly", "jinja2", "pygments"])
def test_without_a_package_of_the_extra_it_names_the_extra(
    report: Terminal, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    exp = with_code(ROOT, Path("project"), train__py="x = 1\n")
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as Python finds it where there is none
    line = report.refused(exp.key, "-o", "report.html")
    assert f"the package {package}; run: pip install 'thexp-pl[report]'" in line
    assert not Path("report.html").exists()


def test_a_bar_is_shown_at_a_terminal_while_runs_are_read(report: Terminal) -> None:
    record(ROOT)
    process = AtTerminal(command("report", "@last", "-o", "report.html"))
    assert process.ended() == 0
    assert "reading runs" in process.written
    assert screen(process.written) == []
    assert process.out.startswith(b"1 run in ")


FULL = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
from thexp_pl.cli.main import main
main(["report", "@last", "-o", "report.html"])
"""


def test_a_disk_that_is_full_leaves_nothing_behind(report: Terminal) -> None:
    record(ROOT)
    report("@last", "-o", "whole.html")
    done = subprocess.run(
        [sys.executable, "-c", FULL], capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot write" in done.stderr
    assert "free some space" in done.stderr
    assert sorted(path.name for path in Path().iterdir()) == ["experiment", "whole.html"]


LIGHT = """
import sys
from thexp_pl.cli.main import main
main(["report", "@last", "-o", "report.html"])
print(sorted({"torch", "pytorch_lightning", "plotly", "matplotlib", "numpy"} & sys.modules.keys()))
"""


def test_neither_torch_nor_plotly_nor_matplotlib_is_imported(report: Terminal) -> None:
    record(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
