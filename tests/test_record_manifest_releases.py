"""The records of every release open in this one; `fixtures/records/make.py` made them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from thexp_pl import ExperimentViewer, RndManager
from thexp_pl.record import read_metrics
from thexp_pl.record.folders import run_folders
from thexp_pl.record.journal import read_journal
from thexp_pl.record.manifest import SCHEMA, SCHEMA_FILE
from thexp_pl.runs.run import Run

RECORDS = Path(__file__).parent / "fixtures" / "records"
EMPTY: dict[str, Any] = {
    "platform": {}, "cpu": {}, "gpus": [], "environment": {}, "editable": {}, "git": None,
    "code": None, "seeds": {}, "random_states": None, "uses": [], "parent": None,
    "world_size": None,
}  # fmt: skip


@pytest.fixture(params=sorted(path.name for path in RECORDS.glob("schema-*")))
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the records of one release, as if they had been moved here."""
    return Path(shutil.copytree(RECORDS / request.param, tmp_path / request.param))


@pytest.fixture
def runs(root: Path) -> dict[str, Run]:
    return {run.status: run for run in ExperimentViewer([root]).runs()}


def test_there_is_a_record_of_each_schema() -> None:
    kept = {path.name for path in RECORDS.glob("schema-*")}
    assert kept == {f"schema-{number}" for number in range(1, SCHEMA + 1)}


def test_the_status_of_the_runs_is_told_on_another_machine(runs: dict[str, Run]) -> None:
    assert runs.keys() == {"finished", "failed"}
    cause = runs["failed"].manifest["cause"]
    assert (cause["type"], cause["message"]) == ("ValueError", "no data")
    assert "no data" in (runs["failed"].paths.folder / cause["traceback"]).read_text()


def test_all_that_was_recorded_is_read(runs: dict[str, Run], root: Path) -> None:
    for run in runs.values():
        assert run.params == {"lr": 0.1, "optim": {"name": "SGD"}, "名": "数字"}
        assert run.metrics["loss"] == {
            "last": 1.0, "min": 1.0, "max": 3.0, "mean": 2.0, "count": 3, "nonfinite": 0,
        }  # fmt: skip
        told = run.to_dict()
        assert told["tags"] == ["baseline", "kept"]
        assert [note["text"] for note in told["notes"]] == ["第一次"]
        assert told["command"].startswith("python train.py")
        rows = list(read_metrics(run.paths.metrics).rows())
        assert [value for *_, name, value in rows if name == "loss"] == [3.0, 2.0, 1.0]
        events = [(event["event"], event.get("path")) for event in read_journal(run.paths.journal)]
        assert ("checkpoint", "modules/0000001.ckpt") in events
        assert ("created", "logs/train.log") in events
        sources = ExperimentViewer([root]).exp_code(run.key)
        assert sources["__main__.train"].startswith("def train")


def test_what_a_release_did_not_record_yet_is_empty(runs: dict[str, Run]) -> None:
    for run in runs.values():
        stored = json.loads(run.paths.manifest.read_text())
        for name, empty in EMPTY.items():
            assert run.manifest[name] == stored.get(name, empty)


def test_manifests_of_this_schema_are_as_it_says(runs: dict[str, Run]) -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    for run in runs.values():
        stored = json.loads(run.paths.manifest.read_text())
        if stored["schema"] == SCHEMA:
            jsonschema.Draft202012Validator(schema).validate(stored)


def test_the_starting_random_states_can_be_set_where_they_were_kept(runs: dict[str, Run]) -> None:
    import random

    for run in runs.values():
        if run.manifest["random_states"] is None:
            continue
        before = random.getstate()
        with pytest.warns(UserWarning, match="holds nothing for numpy, torch"):
            RndManager(run.paths.start_state.parent).load("start")
        assert random.getstate() != before


def test_the_kept_records_name_nothing_of_the_machine_that_made_them(root: Path) -> None:
    texts = [path.read_text() for path in root.rglob("*") if path.is_file()]
    assert len(texts) > 10
    for text in texts:
        assert re.findall(r"/(?:tmp|root|work|usr|home/(?!someone/digits))[^\s\"]*", text) == []


def test_reading_a_record_changes_nothing_of_it(root: Path) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    before = content()
    viewer = ExperimentViewer([root])
    for key in viewer.list():
        viewer.exp_info(key)
        viewer.exp_code(key)
    viewer.backtracking("log")
    assert content() == before
    assert len(run_folders(root)) == 2
