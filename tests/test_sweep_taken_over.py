"""The runs of other sweeps by which points of a sweep are finished: its key means them too."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reproduce_helpers import Terminal
from swept_helpers import SCRIPT, points_of, write
from upkeep_helpers import change, record

from thexp_pl import ExperimentViewer
from thexp_pl.errors import RecordError
from thexp_pl.record.journal import Journal
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.selecting import select_runs
from thexp_pl.sweeps.standing import standing
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import Sweep, add_points, read_points, write_sweep

STUDY = {"space": {}, "metric": "loss", "direction": "min"}


@pytest.fixture(autouse=True)
def root() -> Path:
    write(Path.cwd(), {"train.py": SCRIPT, "pyproject.toml": "", ".gitignore": "experiment\nroot2"})
    return Path.cwd() / "experiment"


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def sweep_of(*rates: str, rest: str = "a", study: dict[str, Any] | None = None) -> Sweep:
    """Submit points; another rest of the command makes another sweep."""
    words, command = ["train.py", f"--rest={rest}"], "thexp-pl sweep train.py"
    return submit("experiment", words, ["lr"], points_of(*rates), command=command, study=study)


def run_of(sweep: Sweep, number: int, **facts: Any) -> RunPaths:
    """Record a run of a point."""
    point = read_points(sweep)[number]
    paths = record(sweep.paths.root, lr=float(point.values["lr"]), seed=number)
    entry = {"key": sweep.key, "point": number, "digest": point.digest}
    change(paths, **{"sweep": entry, "code": {"tree": sweep.tree}, **facts})
    return paths


def pruned(paths: RunPaths) -> RunPaths:
    journal = Journal(paths.journal)
    journal.add("pruned")
    journal.close()
    return paths


def keys(*runs: RunPaths) -> list[str]:
    return [run.key for run in runs]


def meant(sweep: Sweep, **options: bool) -> list[str]:
    viewer = ExperimentViewer([sweep.paths.root])
    return [row.key for row in select_runs(viewer, [sweep.key], **options)]


def test_the_key_means_the_runs_that_the_sweep_counts_as_done(type_in: Terminal) -> None:
    first = sweep_of("0.1", "0.2")
    done = [run_of(first, 0), run_of(first, 1)]
    second = sweep_of("0.2", "0.1", "0.3", rest="b")
    own = run_of(second, 2)
    third = sweep_of("0.4", rest="c")
    run_of(third, 0)
    assert meant(second) == keys(*done, own)
    assert meant(first) == keys(*done)
    assert {state.status for state in standing(second, read_points(second)).values()} == {
        "finished"
    }
    for words in (["list", second.key], ["list", second.key[:-1], "--recent", "1d"]):
        assert type_in(*words, "--columns", "key") == 0
        assert type_in.out.split()[1:] == keys(*done, own)
    assert type_in("list", second.key, "--limit", "1", "--sort", "params.lr", "--json") == 0
    assert [run["key"] for run in json.loads(type_in.out)] == keys(done[0])


def test_statistics_of_a_sweep_count_the_repeats_that_another_one_ran(type_in: Terminal) -> None:
    first = sweep_of("0.1", "0.10")
    run_of(first, 0), run_of(first, 1)
    second = sweep_of("0.1", "0.10", "0.100", rest="b")
    run_of(second, 2)
    assert type_in("stats", second.key, "--json") == 0, type_in.err
    (group,) = json.loads(type_in.out)["groups"]
    assert group["metrics"]["loss"]["n"] == 3


def test_a_report_and_a_comparison_of_a_sweep_hold_the_runs_that_another_one_ran(
    type_in: Terminal,
) -> None:
    first = sweep_of("0.1", "0.2")
    done = [run_of(first, 0), run_of(first, 1)]
    second = sweep_of("0.1", "0.2", "0.3", rest="b")
    own = run_of(second, 2)
    run_of(sweep_of("0.4", rest="c"), 0)  # no run of the sweep
    assert type_in("compare", second.key, "--json") == 0, type_in.err
    assert sorted(run["key"] for run in json.loads(type_in.out)) == sorted(keys(*done, own))
    pytest.importorskip("plotly")
    assert type_in("report", second.key, "-o", "page.html", "--json") == 0, type_in.err
    assert sorted(json.loads(type_in.out)["runs"]) == sorted(keys(*done, own))


def test_a_sweep_all_of_whose_points_were_done_before_is_listed(type_in: Terminal) -> None:
    first = sweep_of("0.1")
    run = run_of(first, 0)
    search = sweep_of("0.1", rest="b", study=STUDY)
    assert type_in("list", search.key, "--columns", "key") == 0
    assert type_in.out.split()[1:] == keys(run)
    assert "is a sweep of 1 run," in type_in.refused("show", search.key)
    waiting = sweep_of("0.5", rest="c")
    assert type_in("list", waiting.key) == 0
    assert "No run is like that" in type_in.out


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "failed"},
        {"status": "interrupted"},
        {"code": {"tree": "0" * 40}},
        {"sweep": {"key": "sweep-1", "point": 0, "digest": "another"}},
        {"sweep": None},
    ],
)
def test_a_run_by_which_no_point_is_finished_is_not_taken_over(facts: dict[str, Any]) -> None:
    change(run_of(sweep_of("0.1"), 0), **facts)
    assert meant(sweep_of("0.1", rest="b")) == []


def test_of_several_the_newest_that_was_not_pruned_is_taken_over() -> None:
    first = sweep_of("0.1")
    run_of(first, 0)
    newer = run_of(first, 0)
    search = sweep_of("0.1", rest="b", study=STUDY)
    pruned(run_of(search, 0))
    second = sweep_of("0.1", rest="c")
    assert meant(second) == keys(newer)
    assert standing(second, read_points(second))[0].paths == newer


def test_a_point_that_the_sweep_itself_has_finished_takes_over_none() -> None:
    second = sweep_of("0.1", rest="b", study=STUDY)
    own = run_of(second, 0)
    run_of(sweep_of("0.1"), 0)
    add_points(second, [replace(read_points(second)[0], number=1)])  # as a search may ask again
    assert meant(second) == keys(own)
    failed = run_of(second, 0, status="failed")
    assert meant(second) == keys(own, failed)


def test_removing_a_sweep_leaves_the_runs_of_others(type_in: Terminal) -> None:
    first = sweep_of("0.1", "0.2")
    done = [run_of(first, 0), run_of(first, 1)]
    second = sweep_of("0.1", "0.2", "0.3", rest="b")
    own = run_of(second, 2)
    left = "note: left alone: 2 runs that were begun for another sweep\n"
    for words in (["--dry_run"], ["--purge", "--dry_run"], ["--yes"]):
        assert type_in("rm", second.key, *words) == 0
        assert type_in.out.count("\n") == 1
        assert own.key in type_in.out
        assert type_in.err.endswith(left)
    assert meant(second) == meant(first) == keys(*done)
    assert type_in("rm", "--restore", second.key) == 0
    assert meant(second) == keys(*done, own)
    assert type_in("rm", second.key, "--purge", "--yes") == 0
    assert meant(second) == keys(*done)
    assert type_in("rm", first.key, "--yes") == 0
    assert "note" not in type_in.err
    assert meant(second) == []


def test_the_query_means_the_runs_that_were_begun_for_the_sweep(type_in: Terminal) -> None:
    first = sweep_of("0.1")
    run_of(first, 0)
    second = sweep_of("0.1", "0.2", rest="b")
    own = run_of(second, 1)
    assert type_in("list", f"sweep == '{second.key}'", "--columns", "key") == 0
    assert type_in.out.split()[1:] == keys(own)
    assert meant(second, taken_over=False) == keys(own)


def test_without_the_files_of_the_sweep_its_own_runs_are_meant_and_damaged_ones_are_told(
    type_in: Terminal,
) -> None:
    first = sweep_of("0.1")
    run_of(first, 0)
    second = sweep_of("0.1", "0.2", rest="b")
    own = run_of(second, 1)
    second.paths.points.write_text("{}\n")
    assert "line 1 of" in type_in.refused("list", second.key)
    second.paths.points.unlink()
    second.paths.points.mkdir()
    assert "begun for it are listed by" in type_in.refused("list", second.key)
    second.paths.manifest.write_text('{"schema": 1, "facts": {"code": []}}')
    with pytest.raises(RecordError, match="cannot be read"):
        meant(second)
    shutil.rmtree(second.paths.folder)
    assert meant(second) == keys(own)


def test_a_sweep_in_a_root_of_odd_letters_takes_over_runs_there_and_nowhere_else() -> None:
    first = sweep_of("0.1")
    run = run_of(first, 0)
    second = sweep_of("0.1", rest="b")
    here = Path("experiment").resolve()
    odd = here.with_name("root2") / "it's\udcff {odd}"
    odd.parent.mkdir()
    shutil.copytree(here, odd)
    (odd / "digits").rename(odd / "di\udcffgits")
    both = ExperimentViewer([here, odd])
    found = [row.paths for row in select_runs(both, [second.key])]
    assert sorted(found, key=str) == sorted([run, RunPaths(odd, "di\udcffgits", run.key)], key=str)
    for folder in (here, odd):
        (row,) = select_runs(ExperimentViewer([folder]), [second.key])
        assert row.root == folder
    write_sweep(replace(second, facts={"code": {"tree": "0" * 40}}))
    (row,) = select_runs(both, [second.key])
    assert row.root == odd
