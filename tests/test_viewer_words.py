"""The words that mean one run, and what the viewer answers of many."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from index_helpers import change, index_file, record, rows

from thexp_pl.cli.main import main
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.keys import find_run


def named(root: Path, experiment: str, key: str, minute: int = 0) -> str:
    exp = record(root, "made")
    (root / experiment).mkdir(exist_ok=True)
    start = datetime(2026, 1, 1, 0, minute, tzinfo=timezone.utc)
    change(exp.paths.manifest, start=start.isoformat())
    exp.path.rename(root / experiment / key)
    return key


def test_a_key_comes_before_a_beginning_and_that_before_an_experiment(tmp_path: Path) -> None:
    named(tmp_path, "a", "run", 0)
    named(tmp_path, "a", "run-1", 1)
    named(tmp_path, "run-2", "other", 2)
    named(tmp_path, "run-2", "other-newer", 3)
    viewer = ExperimentViewer([tmp_path])
    meant = {word: viewer.run(word).key for word in ("run", "run-", "run-2", "a", "other-")}
    assert meant == {
        "run": "run", "run-": "run-1", "run-2": "other-newer", "a": "run-1", "other-": "other-newer"
    }  # fmt: skip
    assert [viewer.run(f"@last{back}").key for back in ("", "~0", "~1", "~3")] == [
        "other-newer", "other-newer", "other", "run"
    ]  # fmt: skip
    with pytest.raises(RecordError, match="no run is '@last~4': 4 are recorded"):
        viewer.run("@last~4")


@pytest.mark.parametrize("word", ["%", "_", "*", "?", "x%", "r_n", "[r]un", "RUN", "run\0", "' --"])
def test_a_word_is_no_pattern(tmp_path: Path, word: str) -> None:
    named(tmp_path, "a", "run")
    with pytest.raises(RecordError, match="no run has the key"):
        find_run([tmp_path], word)


def test_a_beginning_of_several_keys_names_some_of_them(tmp_path: Path) -> None:
    for number in range(5):
        named(tmp_path, "a", f"run-{number}")
    with pytest.raises(RecordError, match=r"'run' means 5 runs \(run-0 in .*, run-1 in .*run-2"):
        find_run([tmp_path], "run")
    assert find_run([tmp_path], "run-3").key == "run-3"


def test_runs_are_chosen_sorted_and_counted(tmp_path: Path) -> None:
    keys = [record(tmp_path, lr=lr).key for lr in (0.3, 0.1, 0.2)]
    viewer = ExperimentViewer([tmp_path])
    by_rate = [row.key for row in viewer.rows(sort="params.lr")]
    assert by_rate == [keys[1], keys[2], keys[0]]
    assert [row.key for row in viewer.rows(sort="params.lr", reverse=True)] == by_rate[::-1]
    assert [row.key for row in viewer.rows(sort="params.lr", limit=1)] == by_rate[:1]
    assert sorted(viewer.query("params.lr > 0.15")) == sorted([keys[0], keys[2]])
    found = viewer.rows("params.lr > 0.15 and metrics.loss.max == 2", sort="params.lr", limit=5)
    assert [row.key for row in found] == [keys[2], keys[0]]
    assert viewer.list()[::-1] == [row.key for row in viewer.rows(reverse=True)]
    with pytest.raises(UsageError, match=r"no run has params\.lrr; did you mean 'lr'"):
        viewer.query("params.lrr > 0")


def test_in_a_notebook_the_runs_are_a_table_of_text(tmp_path: Path) -> None:
    key = named(tmp_path, "<script>alert(1)<&lt;", "26")
    html = ExperimentViewer([tmp_path])._repr_html_()
    assert key in html
    assert "<script" not in html


def test_reloading_reads_what_was_changed_behind_the_back_of_the_index(tmp_path: Path) -> None:
    exp = record(tmp_path)
    viewer = ExperimentViewer()
    assert viewer.rows()[0].status == "finished"
    facts = exp.paths.manifest.stat()
    text = exp.paths.manifest.read_text().replace('"finished"', '"failed"  ')
    exp.paths.manifest.write_text(text)
    os.utime(exp.paths.manifest, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert viewer.rows()[0].status == "finished"  # size, time and inode are the same
    viewer.reload()
    assert viewer.rows()[0].status == "failed"


def test_reindex_makes_the_index_and_says_of_how_many_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reindex"]) == 0
    assert capsys.readouterr().out == "0 runs of 0 experiment roots are in the index.\n"
    for root in ("one", "two", "two"):
        record(tmp_path / root)
    assert main(["reindex", "--json"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"runs": 3, "roots": 2}, "")
    index_file().write_bytes(b"x")
    assert main(["reindex"]) == 0
    assert capsys.readouterr().out == "3 runs of 2 experiment roots are in the index.\n"


def test_reindex_says_that_the_home_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path)
    index_file().mkdir()
    with pytest.raises(SystemExit, match="2"):
        main(["reindex"])
    assert "error: cannot write the index in" in capsys.readouterr().err


def test_recent_runs_are_those_that_started_since(tmp_path: Path) -> None:
    old, new = record(tmp_path), record(tmp_path)
    then = datetime.fromtimestamp(time.time() - 7200, timezone.utc)
    change(old.paths.manifest, start=then.isoformat())
    viewer = ExperimentViewer([tmp_path])
    assert viewer.recent(timedelta(hours=1)) == [new.key]
    assert viewer.recent(day=1) == [old.key, new.key]
    assert rows(tmp_path)[old.key].started == pytest.approx(then.timestamp())


def test_one_root_may_be_given_as_it_is(tmp_path: Path) -> None:
    exp = record(tmp_path / "root", "a")
    assert ExperimentViewer(tmp_path / "root").list() == [exp.key]
    assert ExperimentViewer(str(tmp_path / "root")).list() == [exp.key]
