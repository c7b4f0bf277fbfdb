"""What thexp 1.1.10 has left on a disk, and the page that leads from it to here.

The fixtures are files that thexp itself has written.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from docs_helpers import run_page
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl import ExperimentViewer, Params, globs
from thexp_pl.errors import CheckpointError

PAGE = Path(__file__).parents[1] / "docs" / "from-thexp.md"
OLD = Path(__file__).parent / "fixtures" / "thexp-1.1.10"
CHECKPOINT, KEYPOINT = OLD / "modules" / "0000004.ckpt", OLD / "modules" / "keep.0000004.ckpt"
MODEL = OLD / "modules" / "model.0000003.pth"


class Linear(TinyTrainer):
    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.model = nn.Linear(6, 3)
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)


def test_states_that_thexp_saved_are_read_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = start(Linear, tmp_path, 1)

    for load, path in (("load_checkpoint", CHECKPOINT), ("load_keypoint", KEYPOINT)):
        old = getattr(trainer.saver, load)(path)
        trainer.model.load_state_dict(old["model"])
        trainer.optim.load_state_dict(old["optim"])
        assert (old["_eidx"], old["_idx"], old["_global_step"]) == (4, 1, 4)
    model = trainer.saver.load_model(MODEL)["model"]

    assert torch.equal(trainer.model.weight, model["weight"])
    assert len(trainer.optim.state) == 2
    notes = [one.message for one in caplog.records if "was saved by thexp" in one.message]
    assert len(notes) == 3
    trainer.train()


def test_the_values_beside_old_files_are_read(tmp_path: Path) -> None:
    saver = start(Linear, tmp_path).saver

    assert saver.checkpoint_info(CHECKPOINT) == {"loss": 0.5}
    assert saver.model_info(MODEL) == {"acc": 0.75}
    assert saver.keypoint_info(KEYPOINT) == {}, "thexp writes null where nothing was given"


def test_an_old_checkpoint_is_none_that_a_trainer_goes_on_from(tmp_path: Path) -> None:
    trainer = start(Linear, tmp_path)

    for load, path in ((trainer.load_checkpoint, CHECKPOINT), (trainer.load_model, MODEL)):
        with pytest.raises(
            CheckpointError,
            match=r"\A[^\n]* is not a [^\n]* of a Trainer[^\n]*from-thexp.md[^\n]*\Z",
        ):
            load(path)


def test_the_users_old_variables_are_there_and_stay_readable(own_home: Path) -> None:
    shutil.copy(OLD / "home" / "config.json", own_home)

    assert (globs["datasets"], globs["batch"]) == ("/data/all", 32)
    globs.update("global", "more", 1)

    written = json.loads((own_home / "config.json").read_text())
    assert written == {"datasets": "/data/all", "batch": 32, "more": 1}


# -- the page ------------------------------------------------------------------------------------


def renames() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    pairs = [re.findall(r"`from (\S+) import ([^`]+)`", new) for _, new in rows]
    return [
        (module, name) for found in pairs for module, names in found for name in names.split(", ")
    ]


@pytest.mark.parametrize(("module", "name"), renames())
def test_every_import_that_the_page_names_is_there(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_every_member_that_the_page_names_is_there(tmp_path: Path) -> None:
    trainer: Any = start(TinyTrainer, tmp_path, 1)
    table = PAGE.read_text().partition("## Names")[2].partition("## What is the same")[0]
    new = [row.split("|")[2] for row in table.splitlines() if row.startswith("| `trainer.")]

    members = [name for cell in new for name in re.findall(r"trainer\.(\w+)", cell)]

    assert len(members) >= 4
    assert [name for name in members if not hasattr(trainer, name)] == []


def test_every_block_of_the_page_runs(tmp_path: Path, own_home: Path) -> None:
    shutil.copytree(OLD / "modules", tmp_path / "old" / "modules")
    shutil.copy(OLD / "home" / "config.json", own_home)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

    done = run_page("".join(blocks), tmp_path, PYTHONWARNINGS="ignore")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "/data/all"
    runs = ExperimentViewer([tmp_path / "experiment"]).runs()
    names = {run.paths.experiment: run.status for run in runs}
    assert names == dict.fromkeys(["mytrainer_epoch=3", "pieces", "taken_over"], "finished")
