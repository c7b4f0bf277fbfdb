"""A training that SLURM takes from its node, and that goes on as if nothing had been."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_helpers import FACADE, metrics
from slurm_helpers import OPTIONS, opened, run_out, start_slurm, until

from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.submission import submit
from thexp_pl.sweeps.sweep import Sweep, read_points

# In its 11th batch, the third of its second epoch, it waits where the shared folder says so.
HELD = """
import os
import time
from pathlib import Path
from mine import MyTrainer

shared = Path(os.environ["SHARED"])


class Held(MyTrainer):
    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        if global_step == 10 and (shared / "hold").exists():
            (shared / "held").touch()
            while (shared / "hold").exists():
                time.sleep(0.02)
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)
"""


def training_sweep(folder: Path) -> Sweep:
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "mine.py").write_text(FACADE)
    (project / "held.py").write_text(HELD)
    return submit(
        folder / "experiment",
        ["fit", "--trainer_class=held:Held", "--epoch=3", "--seed_everything=3"],
        ["optim.lr"],
        [Point(0, {"optim.lr": "0.02"}, digest="a")],
        command="thexp-pl sweep",
        project=project,
        folder=project,
    )


@pytest.mark.slow
def test_a_preempted_training_goes_on_from_its_checkpoint_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = start_slurm(tmp_path, monkeypatch)
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("SHARED", str(shared))
    whole, taken = training_sweep(tmp_path / "whole"), training_sweep(tmp_path / "taken")
    reference = opened(whole, options=OPTIONS)
    reference.start(0)
    assert run_out(reference, 1)[0].code == 0
    (shared / "hold").touch()
    engine = opened(taken, options=OPTIONS)
    engine.start(0)
    engine.wait(0)
    log = taken.paths.log(0)
    until((shared / "held").exists, "the training comes to its eleventh batch")
    slurm.call("scancel", "101", "--signal=TERM")
    slurm.call("scancel", "101", "--signal=USR2")
    until(lambda: "ends with a checkpoint" in log.read_text(), "the training has heard it")
    assert slurm.calls("scontrol")[2:] == []  # it is not taken away before it is saved
    (shared / "hold").unlink()
    assert run_out(engine, 1)[0].code == 0
    assert slurm.calls("scontrol")[2:] == ["scontrol requeue 101"]
    runs = [state_of(sweep, read_points(sweep)[0]).run for sweep in (whole, taken)]
    assert runs[0] is not None
    assert runs[1] is not None
    assert runs[1].status == "finished"
    events = [json.loads(line)["event"] for line in runs[1].paths.journal.read_text().splitlines()]
    assert "resumed" in events
    assert metrics(runs[1].paths.folder) == metrics(runs[0].paths.folder)
