"""Runs that come home: what a kill or a fault in the midst of it leaves, and what is done then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from thexp_pl import Experiment, ExperimentViewer
from thexp_pl.atomic import read_json, write_json
from thexp_pl.errors import RecordError
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.engines.ray.homing import bring_home, recover
from thexp_pl.upkeep.archive.writing import export_runs

KEY = "sweep-26-01-01-000000-abcd"


@pytest.fixture
def home(tmp_path: Path) -> SweepFolder:
    paths = SweepFolder(tmp_path / "home", KEY)
    paths.folder.mkdir(parents=True)
    return paths


def recorded(root: Path, rows: int, *, sweep: str = KEY) -> RunPaths:
    """Record a run of a sweep."""
    with Experiment(root, "light", code=False, console=False) as exp:
        for step in range(rows):
            exp.log_metrics(step, step, {"loss": 1.0})
    manifest = read_json(exp.paths.manifest)
    write_json(exp.paths.manifest, {**manifest, "sweep": {"key": sweep, "point": 0, "digest": ""}})
    return exp.paths


def continued(run: RunPaths, root: Path) -> RunPaths:
    """Copy a run to another root, as one that went on there."""
    paths = RunPaths(root, run.experiment, run.key)
    shutil.copytree(run.folder, paths.folder)
    with paths.metrics.open("a") as file:
        file.write(paths.metrics.read_text().splitlines()[-1] + "\n")
    return paths


def packed(run: RunPaths, folder: Path) -> bytes:
    return export_runs([run], folder / "packed.zip").path.read_bytes()


def rows(paths: RunPaths) -> int:
    return len(paths.metrics.read_text().splitlines()) - 1


def test_a_run_that_went_on_elsewhere_takes_the_place_of_its_earlier_state(
    home: SweepFolder, tmp_path: Path
) -> None:
    before = recorded(home.root, 2)
    after = packed(continued(before, tmp_path / "away"), tmp_path)
    bring_home(home, 0, [after[:100], after[100:]])
    assert rows(before) == 3
    assert [run.key for run in ExperimentViewer([home.root]).runs()] == [before.key]
    assert not list(home.folder.iterdir())


def test_what_came_home_when_the_process_was_killed_is_imported_by_the_next(
    home: SweepFolder, tmp_path: Path
) -> None:
    before = recorded(home.root, 2)
    came = home.folder / "homing" / "0000000.zip"
    came.parent.mkdir()
    came.write_bytes(packed(continued(before, tmp_path / "away"), tmp_path))
    # killed between the two moves: the earlier state lies aside, and the later is not there yet
    aside = came.with_suffix(".old") / before.relative
    aside.parent.mkdir(parents=True)
    before.folder.rename(aside)
    recover(home)
    assert rows(before) == 3
    assert not list(home.folder.iterdir())


def test_what_is_torn_leaves_the_earlier_state_in_its_place(
    home: SweepFolder, tmp_path: Path
) -> None:
    before = recorded(home.root, 2)
    after = packed(continued(before, tmp_path / "away"), tmp_path)
    torn = bytearray(after)
    torn[len(torn) // 3] ^= 1
    with pytest.raises(RecordError):
        bring_home(home, 0, [bytes(torn)])
    assert rows(before) == 2
    with pytest.raises(RecordError, match=r"cannot be imported: .*'refused-0000000"):
        recover(home)
    recover(home)
    bring_home(home, 0, [after])
    assert rows(before) == 3


def test_a_run_of_the_same_key_that_is_of_no_sweep_is_never_replaced(
    home: SweepFolder, tmp_path: Path
) -> None:
    before = recorded(home.root, 2, sweep="sweep-of-another")
    after = packed(continued(before, tmp_path / "away"), tmp_path)
    with pytest.raises(RecordError, match=f"another run '{before.key}' is in"):
        bring_home(home, 0, [after])
    assert rows(before) == 2
