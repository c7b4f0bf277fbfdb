"""All of one run as a page's data."""

from __future__ import annotations

import json
import os
from pathlib import Path

from page_helpers import CALL, record, rows_of, run_of

from thexp_pl.record import Experiment
from thexp_pl.record.notes import add_note, add_tags, read_notes
from thexp_pl.report.page import page_data, run_data, run_id
from thexp_pl.report.page.building import parent_of
from thexp_pl.saver import Saver


def test_a_run_is_what_the_readers_say(tmp_path: Path) -> None:
    exp = record(tmp_path, optim={"lr": 0.1}, name_=CALL)
    add_tags(exp.paths, "best")
    add_note(exp.paths, "good\nbetter")
    run = run_of(exp)
    data = run_data(run)
    named = {"key": exp.key, "experiment": "digits", "root": str(tmp_path), "damage": ""}
    assert named.items() <= data.items()
    assert (data["id"], data["status"], data["cause"]) == (run_id(exp.paths), "finished", "")
    assert (data["started"], data["seconds"]) == (run.started, run.seconds)
    assert data["params"] == {"optim.lr": 0.1, "name_": CALL}
    assert data["metrics"] == run.metrics
    assert {"tags": data["tags"], "notes": data["notes"]} == read_notes(exp.paths)
    assert data["packages"] == run.manifest["packages"]
    facts, environment = dict(data["facts"]), dict(data["environment"])
    assert facts["command"] == run.manifest["command"]
    assert facts["folder"] == str(exp.path)
    assert environment["python"] == run.manifest["python"]
    assert run.manifest["environment"].items() <= environment.items()
    assert (data["code"], data["diff"], data["ranks"]) == ([], None, [])


def test_how_a_run_failed_is_told(tmp_path: Path) -> None:
    try:
        with Experiment(tmp_path, "digits", code=False, console=False) as exp:
            raise ValueError(CALL)
    except ValueError:
        data = run_data(run_of(exp))
    assert data["status"] == "failed"
    assert f"message: {CALL}" in data["cause"].splitlines()


def test_a_run_that_goes_on_has_its_page(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 3.0})
        exp.kept_rows()
        [row] = rows_of(tmp_path)
        data = page_data([row])
        assert (data["page"], data["detail"]["status"]) == ("run", "running")
        assert data["detail"]["seconds"] is None
        assert data["detail"]["metrics"]["loss"]["last"] == 3.0
        assert data["curves"][data["detail"]["id"]]["curves"]["loss"]["y"] == [3.0]


def test_a_damaged_run_has_a_page_that_says_so(tmp_path: Path) -> None:
    exp = record(tmp_path, lr=0.1)
    exp.paths.manifest.write_text('{"torn')
    data = page_data(rows_of(tmp_path))
    detail = data["detail"]
    assert (detail["status"], detail["key"]) == ("damaged", exp.key)
    assert detail["damage"].startswith("run.json cannot be used")
    assert (detail["params"], detail["code"], detail["diff"]) == ({}, [], None)
    assert data["curves"][detail["id"]]["curves"]["loss"]["points"] == 3


def test_an_empty_run_has_a_page(tmp_path: Path) -> None:
    record(tmp_path, steps=0)
    data = page_data(rows_of(tmp_path))
    assert data["curves"][data["detail"]["id"]] == {
        "rows": 0,
        "went_back": 0,
        "curves": {},
        "fault": "",
    }
    assert (data["detail"]["checkpoints"], data["detail"]["log"]) == ([], "")


# -- checkpoints ---------------------------------------------------------------------------------


def test_checkpoints_are_told_by_their_sidecars_and_those_that_are_gone_too(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.log_event("created", path="modules/0000001.ckpt", size=4000)
        exp.log_event("deleted", path="modules/0000001.ckpt")
        exp.log_event("checkpoint", path="modules/odd.ckpt")
        saver = Saver(exp.path / "modules", max_to_keep=3)
        saver.save_checkpoint(2, {"w": 1}, {"loss": 0.5, "name": CALL}, step=20)
        saver.save_keypoint(3, {"w": 1}, {"loss": float("nan")}, step=30)
        saver.save_model(3, {"w": 1}, step=30)
    found = run_data(run_of(exp))["checkpoints"]
    told = [(one["path"], one["kind"], one["epoch"], one["step"], one["there"]) for one in found]
    assert told == [
        ("modules/odd.ckpt", "checkpoint", None, None, False),
        ("modules/0000001.ckpt", "checkpoint", 1, None, False),
        ("modules/0000002.ckpt", "checkpoint", 2, 20, True),
        ("modules/keep.0000003.ckpt", "keypoint", 3, 30, True),
        ("modules/model.0000003.pth", "model", 3, 30, True),
    ]
    gone, saved = found[1], found[2]
    assert gone["size"] == 4000
    assert saved["metrics"] == {"loss": 0.5}
    assert saved["size"] == (exp.path / saved["path"]).stat().st_size
    assert saved["time"].startswith("20")


def test_checkpoints_with_torn_sidecars_spoil_nothing(tmp_path: Path) -> None:
    exp = record(tmp_path)
    folder = exp.path / "modules"
    folder.mkdir()
    (folder / "0000001.ckpt").write_bytes(b"x")
    (folder / "0000001.ckpt.json").write_text('{"_record": 3')
    assert run_data(run_of(exp))["checkpoints"] == []


# -- files, log and ranks ------------------------------------------------------------------------


def test_the_newest_changes_of_files_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        for number in range(600):
            exp.log_event("created", path=f"{number}.txt", size=number)
        exp.log_event("moved", path="599.txt", to="a.txt")
        exp.log_event("deleted", path="a.txt", size={"no": "number"})
    data = run_data(run_of(exp))
    assert len(data["files"]) == 500
    assert data["files_left"] > 100
    told = [(one["path"], one["event"]) for one in data["files"]]
    assert ("599.txt", "moved to a.txt") in told
    deleted = next(one for one in data["files"] if one["event"] == "deleted")
    assert deleted["size"] is None


def test_the_end_of_the_log_is_shown(tmp_path: Path) -> None:
    exp = record(tmp_path)
    exp.paths.console.parent.mkdir(exist_ok=True)
    lines = [f"line {number} \x1b[31m" for number in range(300)]
    exp.paths.console.write_text("\n".join([*lines, "x" * 5_000]) + "\n")
    told = run_data(run_of(exp))["log"].split("\n")
    assert told[:-1] == lines[101:]
    assert "characters left out" in told[-1]
    exp.paths.console.unlink()
    os.mkfifo(exp.paths.console)  # a plain reader would wait here for ever
    assert run_data(run_of(exp))["log"] == "(the log cannot be read: not a regular file)"


def test_what_became_of_other_ranks_is_told(tmp_path: Path) -> None:
    exp = record(tmp_path)
    (exp.paths.ranks / "1").mkdir(parents=True)
    (exp.paths.ranks / "1" / "rank.json").write_text("{}")
    assert run_data(run_of(exp))["ranks"] == [["rank 1", "damaged"]]


# -- the parent ----------------------------------------------------------------------------------


def child_of(exp: Experiment, root: Path, **params: float) -> Experiment:
    with Experiment(root, "digits", code=False, console=False) as child:
        child.params = params
        child.set_parent(exp.key, "resumed")
    return child


def test_what_differs_from_the_parent_is_told_by_category(tmp_path: Path) -> None:
    parent = record(tmp_path, lr=0.1, seed=1)
    child = child_of(parent, tmp_path, lr=0.2, seed=1)
    found = parent_of(run_of(child))
    assert found is not None
    diff = run_data(run_of(child), found)["diff"]
    assert diff["key"] == parent.key
    assert diff["categories"] == [section["category"] for section in diff["sections"]]
    [params] = [part for part in diff["sections"] if part["category"] == "params"]
    assert params["heads"] == ["name", parent.key, "this run"]
    assert params["rows"] == [["lr", "0.1", "0.2"]]


def test_a_parent_of_another_root_is_found(tmp_path: Path) -> None:
    parent = record(tmp_path / "a", lr=0.1)
    child = child_of(parent, tmp_path / "b", lr=0.2)
    found = parent_of(run_of(child))
    assert found is not None
    assert found.paths == parent.paths


def test_a_parent_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    parent = record(tmp_path)
    child = child_of(parent, tmp_path, lr=0.2)
    elsewhere = tmp_path / "no root" / "of runs"  # too deep to be seen as an experiment's run
    elsewhere.parent.mkdir()
    parent.path.rename(elsewhere)
    run = run_of(child)
    diff = run_data(run, parent_of(run))["diff"]
    assert (diff["key"], diff["sections"]) == (parent.key, [])
    assert f"the run {parent.key} is not there" in diff["remarks"][0]


def test_a_parent_that_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    parent = record(tmp_path)
    child = child_of(parent, tmp_path, lr=0.2)
    parent.paths.manifest.write_text(json.dumps({"schema": 2}))
    run = run_of(child)
    diff = run_data(run, parent_of(run))["diff"]
    assert "cannot be compared" in diff["remarks"][0]
