"""A training on several ranks is one run, however its processes were started and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from port_helpers import kept_port

from thexp_pl import ExperimentViewer
from thexp_pl.record.metrics import read_metrics
from thexp_pl.record.rank_reading import read_ranks

SCRIPT = """
import os, signal, sys
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import ClusterEnvironment
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from torch.utils.data import DataLoader, TensorDataset

from thexp_pl import RunLogger
from thexp_pl.callbacks import ExperimentCallback, SaverCallback

strategy, recorder, deed, rank, port = sys.argv[1:]
# Lightning looks for ranks that have died every 5 s, and sends SIGKILL to the others: where that
# falls into the moment in which rank 0 writes how it ended, it is luck what the record says
_ChildProcessObserver.__init__.__defaults__ = (3600,)


class ByHand(ClusterEnvironment):
    '''Two processes that know of each other from their arguments alone.'''

    creates_processes_externally = True
    main_address = "127.0.0.1"
    main_port = int(port)
    detect = staticmethod(lambda: True)
    world_size = lambda self: 2
    global_rank = local_rank = lambda self: int(rank)
    node_rank = lambda self: 0
    set_world_size = set_global_rank = lambda self, value: None


class Module(pl.LightningModule):
    def __init__(self, width=4):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        if self.global_rank == 1 and batch_idx == 1:
            if deed == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if deed == "raise":
                raise ValueError("rank one on purpose")
        loss = self.layer(batch[0]).mean()
        self.log("loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def test_step(self, batch, batch_idx):
        self.log("test_loss", self.layer(batch[0]).mean(), sync_dist=True)

    def on_train_end(self):
        sys.stdout.write(f"rank {self.global_rank} is through\\n")
        sys.stdout.flush()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    logger, callbacks = RunLogger("exp", "ranks"), []
    if deed == "early":
        logger.log_hyperparams({"early": True})
    if recorder == "callback":
        logger, callbacks = False, [ExperimentCallback("exp", "ranks")]
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy=strategy,
        plugins=[] if rank == "" else [ByHand()],
        max_epochs=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=logger,
        callbacks=[*callbacks, SaverCallback()],
    )
    module = Module()
    loader = DataLoader(TensorDataset(torch.arange(32.0).reshape(16, 2)), 2)
    trainer.fit(module, loader)
    if recorder == "logger":
        logger.log_metrics({"after": 1.0})
    trainer.test(module, loader, verbose=False)
"""


@dataclass
class Ran:
    code: int
    output: str
    runs: list[Any]
    ranks: list[dict[str, Any]]

    @property
    def run(self) -> Any:
        (run,) = self.runs
        return run


def ended(folder: Path, *commands: list[str]) -> Ran:
    """Run processes to their end and read what they left."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in names},
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore,default::RuntimeWarning",
        "PYTHONFAULTHANDLER": "1",
    }
    (folder / "train.py").write_text(SCRIPT)
    with (folder / "output").open("w") as output:
        processes = [
            subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            for command in commands
        ]
        try:
            codes = [process.wait(timeout=300) for process in processes]
        finally:
            for process in processes:
                process.kill()
    runs = ExperimentViewer([folder / "exp"]).runs()
    ranks = [rank for run in runs for rank in read_ranks(run.paths)]
    return Ran(max(codes), (folder / "output").read_text(), runs, ranks)


def train(
    folder: Path, launch: str, recorder: str = "logger", deed: str = "train", rank: str = ""
) -> Ran:
    """Train on two ranks, launched in one of the ways there are."""
    if launch == "by hand":
        with kept_port() as port:
            hands = [["train.py", "ddp", recorder, deed, rank, str(port)] for rank in "01"]
            return ended(folder, *hands)
    if launch == "torchrun":
        options = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        return ended(folder, [*options, "train.py", "ddp", recorder, deed, "", "0"])
    return ended(folder, ["train.py", launch, recorder, deed, "", "0"])


def names_of_metrics(run: Any) -> dict[str, int]:
    names = read_metrics(run.paths.metrics).name
    return {name: names.count(name) for name in sorted(set(names))}


@pytest.mark.parametrize(
    ("launch", "recorder"),
    [
        ("ddp", "logger"),
        ("torchrun", "callback"),
        pytest.param("by hand", "logger", marks=pytest.mark.slow),
        pytest.param("ddp_spawn", "callback", marks=pytest.mark.slow),
        ("ddp_fork", "logger"),
    ],
)
def test_one_run_is_recorded_however_two_ranks_are_launched(
    launch: str, recorder: str, tmp_path: Path
) -> None:
    ran = train(tmp_path, launch, recorder)

    assert ran.code == 0, ran.output
    manifest = ran.run.manifest
    assert (ran.run.status, manifest["cause"]) == ("finished", None)
    expected = {"loss": 2, "test_loss": 1} | ({"after": 1} if recorder == "logger" else {})
    assert names_of_metrics(ran.run) == expected
    assert {name: numbers["count"] for name, numbers in manifest["metrics"].items()} == expected
    assert manifest["params"] == {"width": 4}
    assert manifest["world_size"] == 2
    modules = ran.run.paths.folder / "modules"
    assert sorted(path.name for path in modules.glob("*[ht]")) == [
        "0000001.ckpt",
        "0000002.ckpt",
        "model.0000002.pth",
    ]
    others = [0, 1] if launch in ("ddp_spawn", "ddp_fork") else [1]
    assert [rank["rank"] for rank in ran.ranks] == others
    for rank in ran.ranks:
        assert (rank["status"], rank["cause"]) == ("finished", None)
        assert rank["process"]["pid"] != manifest["process"]["pid"]
        facts = rank["facts"]
        assert (facts["local_rank"], facts["strategy"]) == (rank["rank"], "DDPStrategy")
    places = ["ranks/0" if 0 in others else "logs", "ranks/1"]
    for number, place in enumerate(places):
        text = (ran.run.paths.folder / place / "console.log").read_text()
        assert f"rank {number} is through" in text
        assert f"rank {1 - number} is through" not in text


def test_a_run_that_a_rank_began_before_it_knew_its_rank_ends_with_a_warning(
    tmp_path: Path,
) -> None:
    ran = train(tmp_path, "by hand", deed="early")

    assert ran.code == 0, ran.output
    run, stray = sorted(ran.runs, key=lambda run: run.manifest["world_size"] or 0, reverse=True)
    assert (run.manifest["world_size"], stray.manifest["world_size"]) == (2, None)
    assert run.manifest["params"] == {"early": True, "width": 4}
    assert (run.status, stray.status) == ("finished", "finished")
    assert names_of_metrics(stray) == {}
    assert f"rank 1 had begun the run {stray.key} before its rank was known" in ran.output


@pytest.mark.parametrize("launch", ["ddp", pytest.param("ddp_fork", marks=pytest.mark.slow)])
def test_a_rank_that_was_killed_is_told_with_its_signal(launch: str, tmp_path: Path) -> None:
    ran = train(tmp_path, launch, deed="kill")

    assert ran.code != 0
    rank = ran.ranks[-1]
    assert (rank["rank"], rank["status"], rank["cause"]) == (1, "killed", {"signal": "SIGKILL"})
    assert ran.run.status == "failed"


@pytest.mark.parametrize("launch", ["ddp", pytest.param("ddp_fork", marks=pytest.mark.slow)])
def test_a_rank_that_failed_keeps_its_own_exception(launch: str, tmp_path: Path) -> None:
    ran = train(tmp_path, launch, deed="raise")

    assert ran.code != 0
    rank = ran.ranks[-1]
    assert (rank["rank"], rank["status"]) == (1, "failed")
    assert rank["cause"]["type"] == "ValueError"
    trace = (ran.run.paths.folder / "ranks/1/traceback.txt").read_text()
    assert "in training_step" in trace
    assert ran.run.status == "failed"
    assert json.loads(ran.run.paths.manifest.read_text())["cause"]["type"] != "ValueError"
