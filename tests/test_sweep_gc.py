"""`thexp-pl gc` and the folders of sweeps: what is needed stays, what is not goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from swept_helpers import SCRIPT, finished, points_of, state, submitted, write
from upkeep_helpers import DAY, make_old, restored

from thexp_pl import ExperimentViewer
from thexp_pl.record.code import GitError
from thexp_pl.sweeps.submission import held, submit
from thexp_pl.sweeps.sweep import Sweep
from thexp_pl.upkeep import check, collect, collecting, remove
from thexp_pl.upkeep.collecting import Collected
from thexp_pl.upkeep.leftovers import now_in

Collect = Callable[..., Collected]


@pytest.fixture(autouse=True)
def project() -> Path:
    folder = Path.cwd()
    write(folder, {"train.py": SCRIPT, "pyproject.toml": ""})
    return folder


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Collect:
    """Collect, as it would be in three days: no file's age can be set."""
    monkeypatch.setattr(collecting, "now_in", lambda folder: now_in(folder) + 3 * DAY)

    def collected(sweep: Sweep, days: float = 1, **how: Any) -> Collected:
        make_old(sweep.paths.root)
        return collect(sweep.paths.root, older_than=timedelta(days=days), **how)

    return collected


def is_kept(sweep: Sweep, tmp_path: Path) -> bool:
    try:
        return bool(restored(sweep.paths.root, sweep.tree, tmp_path))
    except GitError:
        return False


def test_the_code_of_a_sweep_with_points_that_wait_stays_however_old(
    later: Collect, tmp_path: Path
) -> None:
    for rates in (("0.1", "0.2"), ("0.3",)):  # one point done; nothing begun
        sweep = submitted(*rates)
    finished(submitted("0.1"))
    done = later(sweep)
    assert (done.folders, done.snapshots, done.refused) == ([], [], "")
    assert sweep.paths.code.is_dir()
    assert is_kept(sweep, tmp_path)


def test_the_code_of_a_sweep_that_is_through_goes_and_its_runs_can_be_restored(
    later: Collect, tmp_path: Path
) -> None:
    sweep = submitted("0.1")
    finished(sweep)
    assert later(sweep, days=4).folders == []
    told = later(sweep, dry_run=True)
    assert told.folders == [sweep.paths.code]
    assert told.freed > 0
    assert sweep.paths.code.is_dir()
    done = later(sweep)
    assert (done.folders, done.snapshots) == ([sweep.paths.code], [])
    assert not sweep.paths.code.exists()
    assert is_kept(sweep, tmp_path)
    assert state(sweep).status == "finished"
    assert later(sweep).folders == []


def test_a_sweep_that_lost_its_code_goes_on_with_more_points(later: Collect) -> None:
    sweep = submitted("0.1")
    finished(sweep)
    later(sweep)
    again = submitted("0.1", "0.2")
    assert again == sweep
    assert finished(again, 1).manifest["code"]["tree"] == sweep.tree


def test_with_the_last_run_of_a_sweep_its_code_goes_from_the_store_too(
    later: Collect, tmp_path: Path
) -> None:
    sweep = submitted("0.1", "0.2")
    run = finished(sweep)
    remove([run.paths])
    told = later(sweep, dry_run=True)
    done = later(sweep)
    assert told.snapshots == done.snapshots == [sweep.tree]
    assert not is_kept(sweep, tmp_path)
    again = submitted("0.1", "0.2")
    assert again == sweep
    assert state(again).status == "failed"  # it was begun, and its run is gone
    finished(again)


def test_a_point_that_another_sweep_has_finished_keeps_no_code(later: Collect) -> None:
    first = submitted("0.1", "0.2")
    for number in (0, 1):
        finished(first, number)
    other = submit("experiment", ["train.py"], ["seed"], points_of("0.2", "0.3"), command="")
    finished(other, 1)
    assert sorted(later(first).folders) == sorted([first.paths.code, other.paths.code])


def test_a_sweep_that_a_process_works_on_keeps_its_code(later: Collect) -> None:
    sweep = submitted("0.1")
    finished(sweep)
    with held(sweep):
        assert later(sweep).folders == []
    assert later(sweep).folders == [sweep.paths.code]


def test_what_was_submitted_and_cannot_be_read_keeps_all_code(
    later: Collect, tmp_path: Path
) -> None:
    sweep = submitted("0.1")
    sweep.paths.manifest.unlink()
    sweep.paths.manifest.mkdir()
    done = later(sweep)
    assert sweep.key in done.refused
    assert done.snapshots == []
    assert is_kept(sweep, tmp_path)


def test_torn_points_keep_the_code(later: Collect) -> None:
    sweep = submitted("0.1")
    finished(sweep)
    with sweep.paths.points.open("a") as file:
        file.write("torn\n")
    assert later(sweep).folders == []


def test_data_behind_the_links_is_never_touched(project: Path, later: Collect) -> None:
    write(project, {".gitignore": "data\nexperiment", "data/x": "1"})
    sweep = submitted("0.1")
    finished(sweep)
    assert (sweep.paths.code / "data").is_symlink()
    assert later(sweep).folders == [sweep.paths.code]
    assert (project / "data" / "x").read_text() == "1"


def test_a_check_finds_runs_of_sweeps_whole(later: Collect) -> None:
    sweep = submitted("0.1")
    run = finished(sweep)
    later(sweep)
    found = check([run.paths])
    assert (found.runs, found.damaged, found.gone) == (1, [], [])
    assert ExperimentViewer([sweep.paths.root]).list() == [run.key]
