"""A training killed anywhere goes on in its folder, and leaves the rows of one never stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from resume_in_place_subjects import only_run
from resume_nursery import Nursery, nursery
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_cli_resume import FACADE, MODULE, make_project

from thexp_pl.record import read_history, read_metrics
from thexp_pl.record.journal import read_journal
from thexp_pl.runs import read_run

Rows = list[tuple[int | None, int | None, str, str]]


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("resume_in_place_subjects") as opened:
        yield opened


def rows_of(root: Path) -> Rows:
    """The rows that readers see: step, epoch, name, and the value's bits."""
    found = read_history(only_run(root)).rows()
    return [(step, epoch, name, value.hex()) for step, epoch, _, name, value in found]


def manifest_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(only_run(root).manifest.read_text())
    return found


def trained(children: Nursery, folder: Path, kills: list[list[Any]], **how: Any) -> Path:
    """Train, be killed at each of some moments and go on in place, until the end: the root."""
    (folder / "runs").mkdir(parents=True)
    for number, kill in enumerate(kills):
        code = children.call("train", folder=str(folder), kill=kill, again=number > 0, **how)
        assert code == -signal.SIGKILL, f"it was over before {kill}"
    assert children.call("train", folder=str(folder), again=bool(kills), **how) == 0
    return folder / "runs"


WAYS: dict[str, dict[str, Any]] = {
    "facade": {"kind": "facade"},
    "lightning": {"kind": "automatic"},
    "lightning-accumulates": {
        "kind": "automatic",
        "every": 3,
        "background": False,
        "options": {"log_every_n_steps": 2},
    },
    "lightning-validates-inside": {"kind": "automatic", "options": {"val_check_interval": 2}},
    "manual": {"kind": "gan", "background": False},
}

KILLS: list[list[list[Any]]] = [
    [["on_train_batch_start", 1]],
    [["on_train_batch_end", 5]],
    [["on_train_epoch_end", 1]],
    [["on_train_end", 0]],
    [["on_train_batch_end", 6], ["on_train_batch_start", 0], ["on_train_epoch_end", 0]],
]


@pytest.fixture(scope="module")
def references(children: Nursery, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("at once")
    return {name: trained(children, folder / name, [], **way) for name, way in WAYS.items()}


# each moment in the two doors, and the hardest in the other ways
MET = [(way, kills) for way in ("facade", "lightning") for kills in KILLS]
MET += [(way, KILLS[-1]) for way in WAYS if way not in ("facade", "lightning")]


@pytest.mark.parametrize(("way", "kills"), MET, ids=str)
def test_a_killed_training_leaves_the_rows_of_one_that_was_never_stopped(
    children: Nursery,
    references: dict[str, Path],
    tmp_path: Path,
    way: str,
    kills: list[list[Any]],
) -> None:
    root = trained(children, tmp_path / "killed", kills, **WAYS[way])
    assert rows_of(root) == rows_of(references[way])
    one, other = manifest_of(root), manifest_of(references[way])
    assert one["metrics"] == other["metrics"]
    assert (one["status"], one["parent"]) == ("finished", None)
    events = [event["event"] for event in read_journal(only_run(root).journal)]
    assert events.count("resumed") == events.count("resume") == len(kills)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "hook", ["on_train_batch_start", "on_train_batch_end", "on_validation_end"]
)
def test_so_it_is_at_every_moment(
    children: Nursery, references: dict[str, Path], tmp_path: Path, way: str, hook: str
) -> None:
    for count in range(12):
        folder = tmp_path / str(count)
        (folder / "runs").mkdir(parents=True)
        kill = [hook, count]
        if children.call("train", folder=str(folder), kill=kill, **WAYS[way]) == 0:
            break
        assert children.call("train", folder=str(folder), again=True, **WAYS[way]) == 0
        assert rows_of(folder / "runs") == rows_of(references[way])


@pytest.mark.parametrize("kind", ["automatic", "facade"])
def test_so_it_is_on_two_ranks(children: Nursery, tmp_path: Path, kind: str) -> None:
    how = {"kind": kind, "options": {"strategy": "ddp_fork", "devices": 2}}
    once = trained(children, tmp_path / "once", [], **how)
    killed = trained(children, tmp_path / "killed", [["on_train_batch_start", 4]], **how)
    assert rows_of(killed) == rows_of(once)
    assert manifest_of(killed)["metrics"] == manifest_of(once)["metrics"]
    run = read_run(only_run(killed))
    assert [(rank["rank"], rank["status"]) for rank in run.ranks] == [
        (0, "finished"),
        (1, "finished"),
    ]


STOPS = {f"{int(signal.SIGKILL)}@8": -signal.SIGKILL, f"{int(signal.SIGTERM)}@9": 143}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("words", [FACADE, MODULE], ids=["facade", "module"])
def test_a_stopped_command_goes_on_in_place_to_the_same_rows(
    children: Nursery, tmp_path: Path, words: list[str], stop: str
) -> None:
    words = ["fit", *words, "--trainer.log_every_n_steps=2", "--record.code=false"]
    once, stopped = make_project(tmp_path / "once"), make_project(tmp_path / "stopped")
    assert children.call("command", words=words, folder=once) == 0
    assert children.call("command", words=words, folder=stopped, stop=stop) == STOPS[stop]
    # the recorded command may have named a checkpoint itself
    words = [*words, "--ckpt_path=last"]
    assert children.call("command", words=words, folder=stopped, again=True) == 0
    roots = [Path(folder) / "experiment" for folder in (stopped, once)]
    assert rows_of(roots[0]) == rows_of(roots[1])
    assert manifest_of(roots[0])["metrics"] == manifest_of(roots[1])["metrics"]


def test_a_new_run_from_a_checkpoint_names_the_file_that_it_needs(
    children: Nursery, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    (tmp_path / "runs").mkdir()
    children.call("train", kind="automatic", folder=folder, kill=["on_train_batch_end", 6])
    old = only_run(tmp_path / "runs")
    assert children.call("train", kind="automatic", folder=folder, again=True, in_place=False) == 0
    (new,) = set((tmp_path / "runs" / "resumed").iterdir()) - {old.folder}
    origin = json.loads((new / "run.json").read_text())["parent"]
    assert (origin["key"], origin["how"]) == (old.key, "resumed")
    sidecar = json.loads((tmp_path / "runs" / f"{origin['checkpoint']}.json").read_text())
    assert origin["sha256"] == sidecar["_record"]["sha256"]
    assert json.loads(old.manifest.read_text())["status"] == "running"  # as it was left


def test_the_board_of_a_training_that_goes_on_shows_the_rows_that_count(
    children: Nursery, tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    for how in ({"at": 7}, {"again": True}):
        children.call("train_by_lightning", folder=str(tmp_path), board=True, **how)
    paths = only_run(tmp_path / "runs")
    board = EventAccumulator(os.fspath(paths.board)).Reload()
    shown = [(event.step, event.value) for event in board.Scalars("loss_step")]
    found = [row for row in read_history(paths).rows() if row[3] == "loss_step"]
    assert shown == [(row[0], pytest.approx(row[4])) for row in found]
    assert len(list(paths.board.iterdir())) == 2


def test_a_checkpoint_of_lightnings_own_goes_on_by_its_step(
    children: Nursery, tmp_path: Path
) -> None:
    def call(name: str, **how: Any) -> Path:
        (tmp_path / name / "runs").mkdir(parents=True, exist_ok=True)
        children.call("train_by_lightning", folder=str(tmp_path / name), **how)
        return tmp_path / name / "runs"

    once = call("once")
    call("killed", at=7)
    killed = call("killed", again=True)
    # Lightning itself forgets the means of an epoch that has begun
    assert [row[:3] for row in rows_of(killed)] == [row[:3] for row in rows_of(once)]
    steps = [[row for row in rows_of(root) if row[2] == "loss_step"] for root in (killed, once)]
    assert steps[0] == steps[1]
    assert len(read_metrics(only_run(killed).metrics)) == len(rows_of(once)) + 1
