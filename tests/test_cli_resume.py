"""A training that was stopped goes on by one flag, and leaves the model that it would have left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from resume_commands import PROJECT
from resume_nursery import Nursery, nursery

from thexp_pl import ExperimentViewer

FACADE = ["--trainer_class=project:MyTrainer", "--epoch=3"]
MODULE = [
    *("--model=project.MyModule", "--data=project.MyData", "--trainer.max_epochs=3"),
    *("--trainer.enable_progress_bar=false", "--trainer.logger=true"),
]


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery("resume_commands") as opened:
        yield opened


def make_project(folder: Path) -> str:
    folder.mkdir()
    (folder / "project.py").write_text(PROJECT)
    return str(folder)


def model_of(folder: str) -> dict[str, Any]:
    """The weights that the newest run left."""
    newest = ExperimentViewer(roots=[Path(folder) / "experiment"]).runs()[-1]
    assert newest.status == "finished"
    (path,) = (newest.paths.folder / "modules").glob("model.*.pth")
    state: dict[str, Any] = torch.load(path, weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize("words", [FACADE, MODULE], ids=["facade", "module"])
@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (f"{int(signal.SIGTERM)}@8", 143),  # saved in the midst of the second epoch
        (f"{int(signal.SIGKILL)}@14", -signal.SIGKILL),  # goes on from the second epoch's end
    ],
    ids=["SIGTERM", "SIGKILL"],
)
def test_a_stopped_training_goes_on_to_the_same_model(
    children: Nursery, tmp_path: Path, words: list[str], stop: str, code: int
) -> None:
    at_once, stopped = make_project(tmp_path / "once"), make_project(tmp_path / "stopped")
    assert children.call("command", words=["fit", *words], folder=at_once) == 0
    assert children.call("command", words=["fit", *words], folder=stopped, stop=stop) == code

    again = ["fit", *words, "--ckpt_path=last"]
    assert children.call("command", words=again, folder=stopped) == 0

    torch.testing.assert_close(model_of(stopped), model_of(at_once), rtol=0, atol=0)
    first, second = ExperimentViewer(roots=[Path(stopped) / "experiment"]).runs()
    assert first.status == ("interrupted" if code == 143 else "killed")
    assert first.cause is not None
    if code == 143:
        assert first.cause["message"] == "SIGTERM: training ended with a checkpoint"
    assert second.to_dict()["parent"]["key"] == first.key
