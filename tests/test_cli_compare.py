"""`thexp-pl compare`, as it is typed."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.cli.main import main
from thexp_pl.cli.output.sheet import Sheet, csv_text, markdown_text
from thexp_pl.compare.values import MISSING
from thexp_pl.record import Experiment


def record(metrics: dict[str, float], name: str = "digits", **params: Any) -> Experiment:
    with Experiment("./experiment", name, code=False, console=False) as exp:
        exp.params = params
        exp.log_metrics(0, 0, metrics)
    return exp


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["compare", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ending:
        main(["compare", *words])
    assert ending.value.code == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    return captured.err


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_with_no_runs_it_says_what_makes_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`thexp-pl fit` records one" in typed(capsys)
    assert json.loads(typed(capsys, "--json")) == []


def test_four_runs_are_rows_and_three_are_columns(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [record({"loss": loss}, lr=loss) for loss in (0.4, 0.1, 0.3, 0.2)]
    keys = [run.key for run in runs]
    assert table(typed(capsys)) == [
        ["key", "lr", "loss"],
        [keys[0], "0.4", "0.4"],
        [keys[1], "0.1", "0.1*"],
        [keys[2], "0.3", "0.3"],
        [keys[3], "0.2", "0.2"],
    ]
    columns = [["key", *keys[:3]], ["lr", "0.4", "0.1", "0.3"], ["loss", "0.4", "0.1*", "0.3"]]
    assert table(typed(capsys, *keys[:3])) == columns
    assert table(typed(capsys, *keys[:2], "--no_transpose"))[0] == ["key", "lr", "loss"]
    assert table(typed(capsys, "--transpose"))[0] == ["key", *keys]


def test_a_query_and_a_sort_choose_and_order_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [record({"acc": acc}, lr=acc).key for acc in (0.4, 0.1, 0.3, 0.2, 0.5)]
    lines = table(typed(capsys, "params.lr > 0.15", "--sort", "acc", "--reverse"))
    assert [line[0] for line in lines] == ["key", keys[4], keys[0], keys[2], keys[3]]
    lines = table(typed(capsys, "--sort", "acc", "--limit", "2", "--no_transpose"))
    assert [line[0] for line in lines] == ["key", keys[1], keys[3]]
    newest = table(typed(capsys, "--limit", "2", "--no_transpose"))
    assert [line[0] for line in newest] == ["key", keys[3], keys[4]]
    assert newest[2][-1] == "0.5*"  # the best of all, not of those shown alone


def test_what_a_run_does_not_have_cannot_be_taken_for_a_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record({}, x=None)
    record({}, x="")
    record({}, y=0)
    text = typed(capsys, "--no_transpose", "--csv")
    assert [line[1:] for line in csv.reader(io.StringIO(text))] == [
        ["params.x", "params.y"],
        ["null", ""],
        ['""', ""],
        ["", "0"],
    ]
    lines = typed(capsys, "--no_transpose").splitlines()
    start = lines[0].index("x")
    assert [line[start:].rstrip() for line in lines[1:]] == ["None", "''", "      0"]


def test_csv_and_json_have_every_digit_and_the_whole_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record({"loss": 1 / 3}, sizes=[[1, 2], [3]], text="a" * 400)
    record({"loss": math.nan}, sizes=[[1, 2], [4]], text="b")
    rows = list(csv.DictReader(io.StringIO(typed(capsys, "--csv"))))
    assert next(float(row["metrics.loss.last"]) for row in rows) == 1 / 3
    assert rows[1]["metrics.loss.last"] == "NaN"
    assert json.loads(rows[0]["params.sizes"]) == [[1, 2], [3]]
    assert rows[0]["params.text"] == "a" * 400
    one, two = json.loads(typed(capsys, "--json"))
    assert (one["metrics"], one["best"]) == ({"loss": 1 / 3}, ["loss"])
    assert (two["metrics"], two["best"]) == ({"loss": "NaN"}, [])
    assert (two["experiment"], two["status"]) == ("digits", "finished")
    assert "a" * 400 in typed(capsys)


def test_groups_have_a_row_each(capsys: pytest.CaptureFixture[str]) -> None:
    for lr, acc in ((1, 0.5), (1, 0.7), (2, 0.9)):
        record({"acc": acc}, lr=lr)
    lines = table(typed(capsys, "--by", "lr"))
    assert lines[0] == ["lr", "n", "acc", "acc", "best"]
    assert lines[1] == ["1", "2", "0.60", "±", "0.14", "0.7"]
    assert lines[2] == ["2", "1", "0.9*", "0.9"]
    (row, _) = csv.DictReader(io.StringIO(typed(capsys, "--by", "lr", "--csv")))
    assert float(row["metrics.acc.last.mean"]) == pytest.approx(0.6)
    assert row["runs"] == "2"
    found = json.loads(typed(capsys, "--by", "params.lr", "--json"))
    assert [group["best"] for group in found] == [[], ["acc"]]


def test_odd_names_are_written_as_in_a_query(capsys: pytest.CaptureFixture[str]) -> None:
    for value in (0.5, 0.4, 0.6, 0.9):
        record({"val,acc [top]": value}, **{"a,b": value})
    words = ["--params", 'params["a,b"]', "--metrics", "metrics['val,acc [top]'].max"]
    text = typed(capsys, *words, "--sort", 'params["a,b"]', "--csv")
    head, first, *_ = csv.reader(io.StringIO(text))
    assert (head, first[1:]) == (
        ["key", "params.a,b", "metrics.val,acc [top].max"],
        ["0.4", "0.4"],
    )


def test_markdown_is_a_table_with_the_best_in_bold(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [record({"loss": loss}, a_b=f"x|{loss}").key for loss in (0.1, 0.2, 0.3, 0.4)]
    lines = typed(capsys, "--markdown").splitlines()
    assert lines[:3] == [
        r"| key | a\_b | loss |",
        "| --- | --- | --- |",
        rf"| {keys[0]} | x\|0.1 | **0.1** |",
    ]
    assert "leave out --json" in refused(capsys, "--markdown", "--json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nokey"], "no run has the key 'nokey'"),
        (["--metrics", "los"], "did you mean 'loss'"),
        (["--params", "learning"], "no parameter 'learning'"),
        (["--sort", "los"], "did you mean 'loss'"),
        (["--by", "lrr"], "did you mean 'lr'"),
        (["--limit", "0"], "show at least 1"),
        (["--min", "loss", "--max", "loss"], "give one of --min and --max"),
        (["--by", "lr", "--params", "lr"], "give one"),
        (["--by", ","], "',' names nothing"),
        (["--transpose", "--no_transpose"], "not allowed with"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record({"loss": 0.5}, lr=1)
    assert said in refused(capsys, *words)


HOSTILE = ["[red]x[/red]", "a\x1b[31mb", "\x1b]0;title\x07", "a\rb", "\u202egnp.exe", "a|b`*_"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_values_are_shown_as_text(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in ("one", name):
        record({name: 0.5}, **{name: value})
    for words in ([], ["--markdown"], ["--by", f"params.{name}"]):
        text = typed(capsys, *words)
        assert all(line.isprintable() for line in text.splitlines())
        assert json.loads(typed(capsys, "--json"))[1]["params"] == {name: name}


def test_values_that_differ_look_different(capsys: pytest.CaptureFixture[str]) -> None:
    for lr, acc in ((1, 123457.8), ("1", 123457.9658), (2, 0.5)):
        record({"acc": acc}, lr=lr)
    lines = typed(capsys, "--no_transpose").splitlines()
    assert [line.split()[1:] for line in lines[1:]] == [
        ["1", "123457.8"],
        ['"1"', "123458*"],
        ["2", "0.5"],
    ]
    groups = table(typed(capsys, "--by", "lr"))
    assert [line[0] for line in groups[1:]] == ["1", "2", '"1"']


def test_a_line_of_csv_is_a_run_whatever_its_metrics_are_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record({"x\x1b[31m\n": 4.0})
    for words in ([], ["--by", "experiment"]):
        lines = typed(capsys, "--csv", *words).splitlines()
        assert len(lines) == 2
        assert r"metrics.x\x1b[31m\n.last" in lines[0]


@pytest.mark.parametrize("columns", [80, 160])
def test_a_terminal_gets_parts_of_its_width_and_the_newest_fifty(columns: int) -> None:
    for number in range(52):
        record({"acc": 0.5, "loss": 9.0 - number}, text="x" * number, 数据="手" * (number % 40))
    screen = at_terminal(columns, "compare")
    lines = screen.splitlines()
    assert max(len(line) for line in lines) <= columns
    heads = [line for line in lines if line.startswith("key")]
    assert len(heads) == (2 if columns == 80 else 1)
    assert sum(line.startswith("26-") or line[:2].isdigit() for line in lines) >= 50
    assert lines[-1] == "2 more; `--limit 52` shows all."
    assert "…" in screen


def at_terminal(columns: int, *words: str) -> str:
    """Type a command at a terminal of some width, and give what it shows without colours."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    shown, deadline = b"", time.monotonic() + 180
    while select.select([leader], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            read = os.read(leader, 65536)
        except OSError:  # the other side is closed; macOS reads nothing then
            break
        if not read:
            break
        shown += read
    os.close(leader)
    assert process.wait(timeout=180) == 0
    assert b"\x1b[1;32m" in shown  # the best are in colour
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


def test_only_the_command_itself_imports_what_takes_time(own_home: Path) -> None:
    record({"acc": 0.5})
    script = """
import sys
from thexp_pl.cli.main import main
main(["compare"])
heavy = {"torch", "numpy", "scipy", "pytorch_lightning", "rich.table", "rich.console"}
sys.stderr.write(repr(sorted(heavy & set(sys.modules))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=180, check=True
    )
    assert done.stderr == "[]"


def test_a_table_without_rows_can_be_turned_and_written() -> None:
    sheet = Sheet(["a", "b"], [])
    assert sheet.transposed().rows == [("b",)]
    assert markdown_text(sheet) == "| a | b |\n| --- | --- |\n"
    assert csv_text(["a"], [[MISSING], [True], [math.inf]]) == 'a\n""\ntrue\nInfinity\n'
