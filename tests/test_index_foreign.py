"""Runs of strangers: numbers that no double holds, and folders that are links."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from index_helpers import change, record, rows
from typed_commands import Typed, thexp_pl

from thexp_pl.errors import RecordError
from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.index import writing

__all__ = ["thexp_pl"]


def test_an_integer_beyond_all_doubles_is_a_parameter_as_any_other(
    thexp_pl: Typed, tmp_path: Path
) -> None:
    huge, plain = record(tmp_path / "e", "x", seed=10**309), record(tmp_path / "e", "y", seed=1)
    least = record(tmp_path / "e", "z", seed=-(10**309))
    viewer = ExperimentViewer()
    assert viewer.row("x").params == {"seed": 10**309}
    assert [row.key for row in viewer.rows(sort="params.seed")] == [least.key, plain.key, huge.key]
    assert viewer.query("params.seed > 1") == [huge.key]
    assert viewer.query("params.seed == -inf") == [least.key]
    assert str(10**309) in thexp_pl("show", "x").replace("\n", "").replace(" ", "")
    for words in (["list"], ["compare"], ["tag"], ["reindex"], ["diff", "x", "y"]):
        assert thexp_pl(*words)
    assert huge.key in thexp_pl("rm", "x")
    assert viewer.list() == [plain.key, least.key]


def test_a_summary_beyond_all_doubles_hides_no_run(thexp_pl: Typed, tmp_path: Path) -> None:
    exp, other = record(tmp_path / "e", "x"), record(tmp_path / "e", "y")
    cell = {"last": -(10**400), "min": 0, "max": 10**400, "mean": 1, "count": 2, "nonfinite": 0}
    change(exp.paths.manifest, seconds=10**400, metrics={"loss": cell})
    viewer = ExperimentViewer()
    assert viewer.query("metrics.loss.max > 1e300") == [exp.key]
    assert viewer.list() == [exp.key, other.key]
    for words in (["list"], ["show", "x"], ["show", "x", "--json"], ["compare"]):
        assert thexp_pl(*words)


def test_whatever_goes_wrong_with_one_run_makes_that_one_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp, other = record(tmp_path, "x"), record(tmp_path, "y")
    real = writing.entry_of

    def failing(run: writing.Run) -> object:
        if run.key == exp.key and not run.damage:
            raise ArithmeticError("of a manifest that nobody thought of")
        return real(run)

    monkeypatch.setattr(writing, "entry_of", failing)
    found = rows(tmp_path)
    assert {key: row.status for key, row in found.items()} == {
        exp.key: "damaged",
        other.key: "finished",
    }
    assert found[exp.key].damage == (
        "run.json cannot be used: ArithmeticError: of a manifest that nobody thought of"
    )


def test_a_link_to_an_experiment_of_the_same_root_shows_no_run_twice(tmp_path: Path) -> None:
    exp = record(tmp_path, "a")
    (tmp_path / "latest").symlink_to("a")
    (tmp_path / "last").symlink_to("latest")
    for _ in range(2):  # made, then asked again
        assert [(row.experiment, row.key) for row in rows(tmp_path).values()] == [("a", exp.key)]
    viewer = ExperimentViewer([tmp_path])
    assert viewer.run(exp.key).paths.folder == exp.path
    assert [run.paths.folder for run in viewer.runs()] == [exp.path]


def test_a_link_to_a_folder_elsewhere_is_an_experiment(tmp_path: Path) -> None:
    exp, moved = record(tmp_path / "root", "a"), record(tmp_path / "root", "b")
    (tmp_path / "disk").mkdir()
    moved.path.parent.rename(tmp_path / "disk" / "b")
    (tmp_path / "root" / "b").symlink_to("../disk/b")
    found = ExperimentViewer([tmp_path / "root"]).rows()
    assert [(row.experiment, row.key) for row in found] == [("a", exp.key), ("b", moved.key)]


def test_a_key_that_two_roots_have_is_told_with_both_and_no_dots(tmp_path: Path) -> None:
    exp = record(tmp_path / "one", "a")
    copy = tmp_path / "two" / "c" / exp.key
    copy.parent.mkdir(parents=True)
    shutil.copytree(exp.path, copy)
    viewer = ExperimentViewer([tmp_path / "one", tmp_path / "two"])
    places = rf"\({exp.key} in '{exp.path.parent}', {exp.key} in '{copy.parent}'\)"
    with pytest.raises(
        RecordError, match=rf"means 2 runs {places}: name one root with `--exps_dir DIR`$"
    ):
        viewer.run(exp.key)
    assert ExperimentViewer([tmp_path / "two"]).run(exp.key).paths.folder == copy


def test_a_run_seen_through_a_link_is_not_removed(thexp_pl: Typed, tmp_path: Path) -> None:
    record(tmp_path / "exp", "a")
    with Experiment(tmp_path / "out", "z", code=False, console=False) as exp:
        pass
    (tmp_path / "exp" / "zlink").symlink_to("../out/z")
    for more in ([], ["--purge", "--yes"]):
        words = ("rm", "--exps_dir", str(tmp_path / "exp"), *more, "zlink")
        assert "a link to" in thexp_pl.refused(*words)
        assert exp.paths.manifest.is_file()
        assert list((tmp_path / "exp").glob(".thexp/trash/*")) == []
