"""`thexp-pl list`, as it is typed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.cli.main import main
from thexp_pl.cli.output.tables import printable
from thexp_pl.record import Experiment


class Terminal:
    """Types commands and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        assert self._code(words) == 0
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return captured.out

    def refused(self, *words: str) -> str:
        assert self._code(words) == 2
        captured = self._capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return captured.err

    def _code(self, words: tuple[str, ...]) -> int | str | None:
        try:
            return main(words)
        except SystemExit as ending:
            return ending.code

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def thexp_pl(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """The command line, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys)


def record(name: str = "digits", root: str = "./experiment", **params: Any) -> Experiment:
    with Experiment(root, name) as exp:
        exp.params = params
        exp.log_metrics(0, 0, {"loss": 2.5})
        exp.log_metrics(1, 0, {"loss": 0.5, "acc": float("nan")})
    return exp


def test_with_no_runs_list_says_what_makes_one(thexp_pl: Terminal) -> None:
    assert "`thexp-pl fit` records one" in thexp_pl("list")
    assert thexp_pl.json("list") == []
    assert "no run is recorded yet" in thexp_pl.refused("show", "@last")


def test_list_shows_each_run_with_the_params_that_differ_and_the_last_metrics(
    thexp_pl: Terminal,
) -> None:
    one = record(lr=0.1, optim={"name": "SGD", "beta": 0.9})
    two = record(lr=0.2, optim={"name": "SGD", "beta": 0.99})
    header, *lines = thexp_pl("list").splitlines()
    assert header.split() == [
        "key", "experiment", "status", "start", "duration", "params", "metrics",
    ]  # fmt: skip
    assert [line.split()[:3] for line in lines] == [
        [one.key, "digits", "finished"],
        [two.key, "digits", "finished"],
    ]
    assert "lr=0.1  optim.beta=0.9 " in lines[0]
    assert "loss=0.5  acc=NaN" in lines[0]
    assert "SGD" not in lines[0]  # the same for both


def test_list_as_json_is_an_array_of_objects(thexp_pl: Terminal) -> None:
    exp = record(lr=0.1)
    (run,) = thexp_pl.json("list")
    assert (run["key"], run["status"], run["experiment"]) == (exp.key, "finished", "digits")
    assert run["params"] == {"lr": 0.1}
    assert run["metrics"]["loss"]["last"] == 0.5
    assert run["metrics"]["acc"]["last"] == "NaN"
    assert run["path"] == str(exp.path)


def test_exps_dir_looks_into_one_root_only(thexp_pl: Terminal) -> None:
    record(root="./one")
    two = record(root="./two")
    assert len(thexp_pl.json("list")) == 2
    assert [run["key"] for run in thexp_pl.json("list", "--exps_dir", "two")] == [two.key]
    assert thexp_pl.json("show", "@last", "--exps_dir", "two")["key"] == two.key
    assert "three': give a folder" in thexp_pl.refused("list", "--exps_dir", "three")


HOSTILE = [
    "[red]x[/red]",
    "[/]",
    "a\x1b[31mb",
    "\x1b]0;title\x07",
    "a\rb",
    "\u202egnp.exe",
    ":smile:",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_notes_and_values_are_shown_as_text(thexp_pl: Terminal, name: str) -> None:
    _, exp = record("plain", **{name: 0}), record("plain", **{name: name})
    exp.note(name)
    exp.tag(name)
    for text in (thexp_pl("list"), thexp_pl("show", "@last")):
        assert printable(name) in text
        assert all(line.isprintable() for line in text.splitlines())
    assert thexp_pl.json("show", "@last")["params"] == {name: name}


@pytest.mark.parametrize("name", ["[red]x", "[bold]", ":smile:", "手写数字 👩‍🔬"])
def test_an_experiments_name_is_shown_as_it_is(thexp_pl: Terminal, name: str) -> None:
    record(name)
    assert name in thexp_pl("list")
    assert name in thexp_pl("show", "@last")


def test_damaged_runs_are_listed_and_shown(thexp_pl: Terminal) -> None:
    record()
    damaged = record()
    damaged.paths.manifest.write_text("{")
    huge = record()
    kept = json.loads(huge.paths.manifest.read_text())
    kept |= {
        "seconds": 10**300,
        "metrics": {"loss": {"last": {"a": 1}}, "acc": 3},
        "cause": {"a": []},
    }
    huge.paths.manifest.write_text(json.dumps(kept))
    assert thexp_pl("list").count("damaged") == 1
    assert "run.json cannot be used" in thexp_pl("show", damaged.key)
    assert "loss" in thexp_pl("show", huge.key)


def test_a_pipe_gets_whole_lines(thexp_pl: Terminal) -> None:
    record(text="x")
    record(text="y" * 400)
    assert "y" * 400 in thexp_pl("list")


def test_a_terminal_gets_lines_of_its_width(
    thexp_pl: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    record(text="x")
    exp = record(text="y" * 400)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["list"]) == 0
    assert exp.key in screen.getvalue()
    assert max(map(len, screen.getvalue().splitlines())) <= 100


def test_no_command_imports_torch_or_lightning_and_only_tables_need_rich(
    thexp_pl: Terminal, own_home: Path
) -> None:
    record()
    script = """
import sys
from thexp_pl.cli.main import main
main(sys.argv[1:])
heavy = {"torch", "numpy", "pytorch_lightning", "rich", "psutil"}
sys.stderr.write(repr(sorted(heavy & set(sys.modules))))
"""
    for words, loaded in (
        (["list", "--json"], "[]"),
        (["list"], "['rich']"),
        (["show", "@last"], "['rich']"),
        (["config", "-l"], "[]"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            capture_output=True,
            text=True,
            env=os.environ | {"THEXP_HOME": str(own_home)},
        )
        assert done.stderr == loaded
