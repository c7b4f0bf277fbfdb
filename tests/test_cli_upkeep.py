"""`thexp-pl tag | rm | gc | export | import`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from upkeep_helpers import add_checkpoint, record, went_on_from

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment
from thexp_pl.record.notes import read_notes

ROOT = Path("experiment")


class Terminal:
    """Types commands into a pipe and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        assert main(words) == code
        captured = self._capsys.readouterr()
        assert captured.err == ""
        assert all(line.isprintable() for line in captured.out.splitlines())
        return captured.out

    def refused(self, *words: str) -> str:
        with pytest.raises(SystemExit) as ending:
            main(words)
        assert ending.value.code == 2
        captured = self._capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return captured.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def thexp_pl(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys)


def keys(thexp_pl: Terminal) -> list[str]:
    return [run["key"] for run in thexp_pl.json("list")]


def test_tags_and_notes_are_added_removed_and_listed(thexp_pl: Terminal) -> None:
    one, two = record(ROOT, lr=0.1), record(ROOT, lr=0.2)
    thexp_pl("tag", "params.lr >= 0", "--add", "best", "paper", "--note", "the good one")
    thexp_pl("tag", one.key, "--remove", "paper", "--add", "\x1b[31mred")
    assert read_notes(one)["tags"] == ["best", "\x1b[31mred"]
    assert read_notes(two)["tags"] == ["best", "paper"]
    text = thexp_pl("tag")
    for part in (one.key, two.key, "best, paper", "the good one", "\\x1b[31mred"):
        assert part in text
    found = {each["key"]: each["tags"] for each in thexp_pl.json("tag")}
    assert found[two.key] == ["best", "paper"]
    assert [run["key"] for run in thexp_pl.json("list", "'paper' in tags")] == [two.key]


def test_tags_without_a_run_are_refused(thexp_pl: Terminal) -> None:
    key = record(ROOT).key
    assert "name the runs before the tags" in thexp_pl.refused("tag", "--add", "best", key)
    assert "a tag is empty" in thexp_pl.refused("tag", key, "--add", " ")


def test_a_run_is_removed_listed_in_the_trash_and_brought_back(thexp_pl: Terminal) -> None:
    one, two = record(ROOT), record(ROOT)
    assert "The trash is empty" in thexp_pl("rm", "--list")
    assert one.key in thexp_pl("rm", one.key, "--dry_run")
    assert set(keys(thexp_pl)) == {one.key, two.key}
    thexp_pl("rm", one.key)
    assert keys(thexp_pl) == [two.key]
    assert one.key in thexp_pl("rm", "--list")
    thexp_pl("rm", "--restore", one.key)
    assert set(keys(thexp_pl)) == {one.key, two.key}


def test_in_a_pipe_several_runs_and_purging_want_yes(thexp_pl: Terminal) -> None:
    one, two = record(ROOT), record(ROOT)
    assert "--yes" in thexp_pl.refused("rm", one.key, two.key)
    assert "--yes" in thexp_pl.refused("rm", "--purge", one.key)
    assert set(keys(thexp_pl)) == {one.key, two.key}
    thexp_pl("rm", one.key, two.key, "--yes")
    assert keys(thexp_pl) == []
    thexp_pl("rm", "--purge", one.key, "--yes")
    assert [run["key"] for run in thexp_pl.json("rm", "--list")] == [two.key]


def test_a_purge_says_what_it_keeps_for_others(thexp_pl: Terminal) -> None:
    parent, child = record(ROOT), record(ROOT)
    file = add_checkpoint(parent)
    went_on_from(child, parent, file)
    text = thexp_pl("rm", "--purge", parent.key, "--yes")
    assert f"kept, as another run went on from it: {parent.key} modules/0000001.ckpt" in text


def test_a_dry_run_of_a_purge_says_the_same_and_changes_nothing(thexp_pl: Terminal) -> None:
    parent, child = record(ROOT), record(ROOT)
    went_on_from(child, parent, add_checkpoint(parent))
    text = thexp_pl("rm", "--purge", "--dry_run", parent.key)
    assert f"would delete {parent.key}" in text
    assert f"would keep, as another run went on from it: {parent.key} modules/0000001" in text
    assert set(keys(thexp_pl)) == {parent.key, child.key}


def test_a_purge_of_a_word_means_the_kept_run_that_rm_means(thexp_pl: Terminal) -> None:
    removed = record(ROOT, "zz")
    start = removed.key[:2]
    kept = record(ROOT, start)
    thexp_pl("rm", removed.key)
    assert kept.key in thexp_pl("rm", "--dry_run", start)
    told = thexp_pl.refused("rm", "--purge", start)
    assert kept.key in told  # the question says which run goes
    assert f"({start})" in told
    thexp_pl("rm", "--purge", "--yes", start)
    assert keys(thexp_pl) == []
    assert [run["key"] for run in thexp_pl.json("rm", "--list")] == [removed.key]


def test_a_beginning_of_a_kept_and_a_removed_key_is_not_purged(thexp_pl: Terminal) -> None:
    removed, *_ = (record(ROOT) for _ in range(3))
    thexp_pl("rm", removed.key)
    assert "means 2 kept and 1 removed" in thexp_pl.refused(
        "rm", "--purge", "--yes", removed.key[:2]
    )
    assert len(keys(thexp_pl)) == 2
    thexp_pl("rm", "--purge", "--yes", removed.key)
    assert thexp_pl.json("rm", "--list") == []


@pytest.mark.parametrize("flags", [(), ("--dry_run",), ("--purge",), ("--purge", "--dry_run")])
def test_a_query_that_meets_nothing_says_so(thexp_pl: Terminal, flags: tuple[str, ...]) -> None:
    assert thexp_pl("rm", "status == 'finished'", *flags) == "No run is meant.\n"
    assert thexp_pl.json("rm", "status == 'finished'", *flags) == []


def test_rm_refuses_what_it_cannot_mean(thexp_pl: Terminal) -> None:
    with Experiment(ROOT, "a", code=False, console=False) as exp:
        for flags in ([], ["--dry_run"], ["--purge", "--dry_run"], ["--purge", "--yes"]):
            assert "is running" in thexp_pl.refused("rm", exp.key, *flags)
    assert "name the runs" in thexp_pl.refused("rm")
    assert "no removed run" in thexp_pl.refused("rm", "--restore", "nothing")
    assert "take the words away" in thexp_pl.refused("rm", "--list", exp.key)


def test_gc_says_what_it_freed(thexp_pl: Terminal) -> None:
    key = record(ROOT).key
    thexp_pl("rm", key)
    assert "nothing to drop" in thexp_pl("gc")
    assert "would free up to" in thexp_pl("gc", "--older_than", "0d", "--dry_run")
    assert "1 run" in thexp_pl("gc", "--older_than", "0d")
    (done,) = thexp_pl.json("gc", "--older_than", "999999999999w")
    assert (done["runs"], done["freed"]) == ([], 0)
    assert "no span of time" in thexp_pl.refused("gc", "--older_than", "soon")
    assert "`thexp-pl rm` removes" in thexp_pl.refused("gc", key)


def test_gc_ends_with_1_where_a_damaged_run_keeps_it_from_dropping_code(
    thexp_pl: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("x")
    with Experiment(ROOT, "a", project=tmp_path, console=False) as exp:
        pass
    exp.paths.manifest.write_text("{")
    assert exp.key in thexp_pl("gc", code=1)


def test_a_value_that_begins_with_a_dash_is_told_how_to_be_given(thexp_pl: Terminal) -> None:
    assert "as --older_than=-VALUE" in thexp_pl.refused("gc", "--older_than", "-1d")
    key = record(ROOT).key
    assert "as --add=-VALUE" in thexp_pl.refused("tag", key, "--add", "-x")
    assert "-x" in thexp_pl("tag", key, "--add=-x")


def test_gc_check_ends_with_1_and_names_run_and_file(thexp_pl: Terminal) -> None:
    one, two = record(ROOT), record(ROOT)
    assert "nothing is damaged" in thexp_pl("gc", "--check")
    add_checkpoint(one).write_bytes(b"Weights")
    text = thexp_pl("gc", "--check", code=1)
    assert f"damaged: {one.key} modules/0000001.ckpt" in text
    assert "nothing is damaged" in thexp_pl("gc", "--check", two.key)
    (fault,) = json.loads(thexp_pl("gc", "--check", "--json", code=1))["damaged"]
    assert fault["run"] == one.key
    assert "drops nothing" in thexp_pl.refused("gc", "--check", "--dry_run")


def test_runs_are_exported_and_imported(thexp_pl: Terminal) -> None:
    one, two = record(ROOT, lr=0.1), record(ROOT, lr=0.2)
    assert thexp_pl.json("export", "params.lr > 0", "-o", "runs.zip")["runs"] == sorted(
        [one.key, two.key]
    )
    assert "2 runs imported" in thexp_pl("import", "runs.zip", "--exps_dir", "other")
    again = thexp_pl.json("import", "runs.zip", "--exps_dir", "other")
    assert (again["runs"], again["known"]) == ([], sorted([one.key, two.key]))
    listed = thexp_pl.json("list", "--exps_dir", "other")
    assert {run["key"] for run in listed} == {one.key, two.key}
    assert "name a file" in thexp_pl.refused("import", "nothing.zip")


@pytest.mark.parametrize(
    "words", [["tag"], ["rm", "--list"], ["gc"], ["gc", "--check"], ["gc", "--dry_run"]]
)
def test_with_no_runs_each_says_something(thexp_pl: Terminal, words: list[str]) -> None:
    assert thexp_pl(*words).strip()
