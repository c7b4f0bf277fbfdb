"""`thexp-pl stats`, as it is typed; and the example that the docs show."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from index_helpers import change

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment

REPOSITORY = Path(__file__).parents[1]
VALUES = {1: (0.2, 0.5, 0.3), 2: (0.6, 0.8, 0.9)}


def record(lr: float, seed: int, acc: float, **facts: Any) -> Experiment:
    with Experiment("./experiment", "digits", code=False, console=False) as exp:
        exp.params = {"lr": lr, "seed": seed, **facts}
        exp.log_metrics(0, 0, {"acc": acc})
    return exp


def record_all() -> list[str]:
    return [record(lr, seed, acc).key for lr, own in VALUES.items() for seed, acc in enumerate(own)]


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert main(["stats", *words]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ending:
        main(["stats", *words])
    assert ending.value.code == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    return captured.err


def test_with_no_runs_it_says_what_makes_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`thexp-pl fit` records one" in typed(capsys)[0]
    assert json.loads(typed(capsys, "--json")[0])["groups"] == []


def test_groups_and_tests_are_two_tables(capsys: pytest.CaptureFixture[str]) -> None:
    record_all()
    text, said = typed(capsys)
    groups, tests = text.split("\n\n")
    assert [re.split(r"\s{2,}", line) for line in groups.splitlines()] == [
        ["metric", "group", "lr", "n", "mean ± std", "95% interval", "min", "max", "seeds"],
        ["acc", "1", "1", "3", "0.33 ± 0.15", "[-0.05, 0.71]", "0.2", "0.5", "0, 1, 2"],
        ["acc", "2", "2", "3", "0.77 ± 0.15", "[0.39, 1.15]", "0.6", "0.9", "0, 1, 2"],
    ]
    lines = [re.split(r"\s{2,}", line) for line in tests.splitlines()]
    assert [line[:4] for line in lines[1:]] == [
        ["acc", "1 - 2", "paired t", "3 pairs"],
        ["acc", "1 - 2", "Welch's t", "3, 3"],
    ]
    assert said == ""
    assert "90% interval" in typed(capsys, "--confidence", "0.9")[0]


def test_json_and_csv_have_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    keys = record_all()
    found = json.loads(typed(capsys, "--json")[0])
    one, two = found["groups"]
    assert (one["by"], one["keys"], one["seeds"]) == ({"lr": 1}, keys[:3], [0, 1, 2])
    assert two["metrics"]["acc"]["mean"] == pytest.approx(2.3 / 3, rel=1e-15)
    assert [test["kind"] for test in found["tests"]] == ["paired", "welch"]
    rows = list(csv.DictReader(io.StringIO(typed(capsys, "--csv")[0])))
    for row, group in zip(rows, found["groups"], strict=True):
        for name in ("mean", "std", "low", "high"):
            assert float(row[name]) == group["metrics"]["acc"][name]
        assert json.loads(row["keys"]) == group["keys"]


def test_markdown_is_a_table_of_groups_and_one_of_tests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record_all()
    text, said = typed(capsys, "--markdown")
    groups, tests = (table.splitlines() for table in text.split("\n\n"))
    assert groups == [
        "| metric | group | lr | n | mean ± std | 95% interval | min | max | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        r"| acc | 1 | 1 | 3 | 0.33 ± 0.15 | \[-0.05, 0.71\] | 0.2 | 0.5 | 0, 1, 2 |",
        r"| acc | 2 | 2 | 3 | 0.77 ± 0.15 | \[0.39, 1.15\] | 0.6 | 0.9 | 0, 1, 2 |",
    ]
    assert tests[0].startswith("| metric | groups | test | n | difference | 95% interval | t | ")
    assert re.fullmatch(r"\|( --- \|)+", tests[1])
    assert [row.split(" | ")[2] for row in tests[2:]] == ["paired t", "Welch's t"]
    assert {row.count("|") for row in tests} == {tests[0].count("|")}
    assert said == ""


def test_a_query_by_and_metrics_choose_what_is_summarised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record_all()
    found = json.loads(typed(capsys, "params.seed < 2", "--metrics", "acc.max", "--json")[0])
    assert [list(group["metrics"]) for group in found["groups"]] == [["acc.max"]] * 2
    assert [group["seeds"] for group in found["groups"]] == [[0, 1], [0, 1]]
    by_name = json.loads(typed(capsys, "--by", "params.lr", "--json")[0])
    assert len(by_name["groups"]) == 2
    all_but_seed = json.loads(typed(capsys, "--by", "all-but-seed", "--json")[0])
    assert all_but_seed == json.loads(typed(capsys, "--json")[0])
    every = json.loads(typed(capsys, "--by", "experiment", "--json")[0])
    assert [group["by"] for group in every["groups"]] == [{"experiment": "digits"}]


def test_doubts_are_said_beside_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    record_all()
    diverged = record(1, 7, math.nan).key
    with pytest.raises(ValueError, match="no"), Experiment("./experiment", "digits", code=False):
        raise ValueError("no")
    for words in ([], ["--json"], ["--csv"], ["--markdown"]):
        _text, said = typed(capsys, *words)
        warning, note = said.splitlines()
        assert warning.startswith("warning: group 1: 'acc' is not finite in 1 of 4 runs")
        assert diverged in warning
        assert note.startswith("note: left out: 1 failed; --all takes in")
    assert json.loads(typed(capsys, "--json")[0])["warnings"][0] in warning


def test_where_no_run_has_finished_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with Experiment("./experiment", "digits", code=False, console=False) as exp:
        exp.params = {"lr": 1, "seed": 0}
        for words in ([], ["--by", "lr"]):
            text, said = typed(capsys, *words)
            assert text == "No run of these has finished.\n"
            assert said.startswith("note: left out: 1 running; --all takes in")


@pytest.mark.parametrize("suffix", ["md", "csv", "json"])
def test_the_results_are_kept_in_a_file_by_its_suffix(
    suffix: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record_all()
    form = {"md": "--markdown", "csv": "--csv", "json": "--json"}[suffix]
    printed, _ = typed(capsys, form)
    target = tmp_path / f"results.{suffix}"
    target.write_text("of before")
    said, _ = typed(capsys, "-o", str(target))
    assert said == f"The statistics of 2 groups are in {target}\n"
    if suffix == "json":
        assert json.loads(target.read_text()) == json.loads(printed)
    else:
        assert target.read_text() == printed
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "results.txt"], "end it in .md, .csv, .json"),
        (["-o", "results.md", "--json"], "leave out the other form"),
        (["-o", "gone/results.md"], "name another file"),
        (["--markdown", "--csv"], "leave out --json and --csv"),
        (["--confidence", "95"], "between 0 and 1"),
        (["--seed", "sed"], "did you mean 'seed'"),
        (["--by", "seed"], "group by something else"),
        (["--by", ""], "'' names nothing"),
        (["--by", "lr,all-but-seed"], "give it alone"),
        (["--metrics", ","], "',' names nothing"),
        (["--by", "lrr"], "did you mean 'lr'"),
        (["--metrics", "ac"], "did you mean 'acc'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record_all()
    assert said in refused(capsys, *words)


def test_a_pipe_by_name_is_refused_and_left_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record_all()
    os.mkfifo(tmp_path / "pipe.md")
    assert "is no regular file" in refused(capsys, "-o", str(tmp_path / "pipe.md"))
    assert (tmp_path / "pipe.md").is_fifo()


def test_a_query_that_leaves_out_the_run_between_two_copies_finds_them_still(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, between, last = (record(1, 0, acc) for acc in (0.5, 0.1, 0.5))
    for child, parent in ((between, first), (last, between)):
        change(child.path / "run.json", parent={"key": parent.key})
    found = json.loads(typed(capsys, "metrics.acc > 0.3", "--json")[0])
    assert [group["keys"] for group in found["groups"]] == [[last.key]]


def test_values_that_differ_look_different(capsys: pytest.CaptureFixture[str]) -> None:
    for lr in (1, "1"):
        for seed, acc in ((1, 123457.1), ("1", 123457.6)):
            record(lr, seed, acc)  # type: ignore[arg-type]
    lines = [re.split(r"\s{2,}", line) for line in typed(capsys)[0].splitlines()]
    shown = ["2", "123457.35 ± 0.35", "[123454.17, 123460.53]", "123457.10", "123457.60"]
    assert lines[1] == ["acc", "1", "1", *shown, '1, "1"']
    assert lines[2] == ["acc", "2", '"1"', *shown, '1, "1"']


def test_at_a_terminal_no_number_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        record(1, seed, 1e6 + seed * 1e-5)
    leader, follower = pty.openpty()
    monkeypatch.setenv("COLUMNS", "80")
    with open(follower, "w") as terminal:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["stats"]) == 0
        monkeypatch.undo()
        shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert re.search(r"\[999999\.9999\d+, 1000000\.0000\d+\]", shown)
    assert "…" not in shown


@pytest.mark.parametrize("name", ["a\x1b[31mb", "\u202egnp", "x|y`*_[z](u)"])
def test_hostile_names_and_values_are_shown_as_text(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, value in ((0, "one"), (1, name), (2, name)):
        record(1, seed, 0.1 * seed, **{name: value})
    for words in ([], ["--markdown"]):
        text, said = typed(capsys, *words)
        assert all(line.isprintable() for line in (text + said).splitlines())


def test_without_scipy_it_says_how_to_have_intervals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record_all()
    for name in ("scipy", "scipy.stats"):
        monkeypatch.setitem(sys.modules, name, None)  # as Python finds it where there is none
    text, said = typed(capsys)
    assert "0.33 ± 0.15" in text
    assert "Welch" not in text
    assert "pip install 'thexp-pl[stats]'" in said


def test_the_tables_of_the_docs_are_those_that_the_example_gives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # by itself, not in this process: what a user types
    subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / "repeats.py")],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONUTF8": "1"},
        timeout=120,
    )
    page = (REPOSITORY / "docs" / "comparing.md").read_text()
    shown = dict(re.findall(r"```console\n\$ thexp-pl (.*)\n((?s:.*?))```\n", page))
    commands = [command for command in shown if command.endswith(("--by lr", "distance"))]
    assert len(commands) == 2
    for command in commands:
        assert main(command.split()) == 0
        assert capsys.readouterr() == (shown[command], "")
