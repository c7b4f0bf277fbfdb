"""A training of a search that prunes: it asks the study by itself, and is told as pruned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from search_helpers import SECONDS, digest, settings_of, trials_of

from thexp_pl.record.journal import read_journal
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.search import SearchSettings, StudySource
from thexp_pl.sweeps.search.study import open_study
from thexp_pl.sweeps.search.trial import SweptTrial, swept_trial
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.submission import held, submit
from thexp_pl.sweeps.sweep import Sweep, read_points

FACADE = """
import torch
from torch.utils.data import DataLoader, TensorDataset
from thexp_pl import Params, Trainer

torch.set_num_threads(1)


class MyTrainer(Trainer):
    def initial_trainer(self, params):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(2, 1)
        self.optim = torch.optim.SGD(self.model.parameters(), lr=params.get("lr", 0.1))
        data = DataLoader(TensorDataset(torch.ones(8, 2)), batch_size=4)
        self.regist_databundler(train=data, eval=data)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        loss = self.model(batch_data[0]).square().mean()
        loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return {"loss": loss}

    def test_eval_logic(self, dataloader, params):
        return {"loss": torch.tensor(10.0 + params.eidx)}


if __name__ == "__main__":
    params = Params()
    params.epoch, params.device, params.lr = 6, "cpu", 0.1
    params.from_args()
    trainer = MyTrainer(params)
    trainer.initial_exp("./experiment")
    trainer.train()
"""
MODULE = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

torch.set_num_threads(1)


class Module(pl.LightningModule):
    def __init__(self, lr: float = 0.1):
        super().__init__()
        self.lr = lr
        self.layer = torch.nn.Linear(2, 1)

    def train_dataloader(self):
        return DataLoader(torch.ones(8, 2), batch_size=4)

    val_dataloader = train_dataloader

    def training_step(self, batch, batch_idx):
        return self.layer(batch).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", 11.0 + self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)
"""
SETTINGS = settings_of(metric="eval_loss", ranges={"lr": "0.001..0.1"}, pruner="median")


def submitted_after_better_ones(
    settings: SearchSettings = SETTINGS, words: Sequence[str] = ("train.py",), better: int = 5
) -> Sweep:
    """Submit a search over a training, in whose study some trials have done better."""
    Path("train.py").write_text(FACADE)
    Path("lit.py").write_text(MODULE)
    (name,) = settings.ranges
    sweep = submit("./experiment", words, [name], [], command="a test", study=settings.told())
    study = open_study(sweep.paths, settings)
    for _ in range(better):
        trial = create_trial(
            params={name: 0.01},
            distributions={name: FloatDistribution(0.001, 0.1)},
            intermediate_values={epoch: 20.0 if epoch < 2 else 1.0 for epoch in range(6)},
            system_attrs={"completed_rung_0": 1.0},  # where hyperband looked at it first
            value=1.0,
        )
        study.add_trial(trial)
    return sweep


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("threads")
def test_a_facade_run_of_a_search_is_pruned_and_told_so() -> None:
    sweep = submitted_after_better_ones()
    with held(sweep):
        source = StudySource(sweep, SETTINGS, 1, digest)
        point = source.next()
        assert begin_attempt(sweep, point).wait(SECONDS) == 0
        state = state_of(sweep, point)
        source.told(point, state)
    assert state.status == "pruned"
    assert state.run.status == "finished"
    (event,) = [one for one in read_journal(state.run.paths.journal) if one["event"] == "pruned"]
    assert (event["epoch"], event["value"]) == (2, 13.0)
    trial = trials_of(sweep, SETTINGS)[point.trial]
    assert (trial.state, trial.value) == (TrialState.PRUNED, 13.0)
    assert trial.intermediate_values == {0: 11.0, 1: 12.0, 2: 13.0}
    assert source.is_over()
    # to another sweep of the code it is no run that has finished
    grid = submit("./experiment", ["train.py"], ["lr"], [point], command="a test")
    (own,) = read_points(grid)
    assert own.digest == point.digest
    assert state_of(grid, own).status == "waiting"


@pytest.mark.slow  # a training in a process of its own
@pytest.mark.usefixtures("threads")
def test_hyperband_prunes_a_run_where_its_bracket_looks_at_it() -> None:
    settings = settings_of(metric="eval_loss", ranges={"lr": "0.001..0.1"}, pruner="hyperband")
    sweep = submitted_after_better_ones(settings, better=60)  # some of them in either bracket
    with held(sweep):
        point = StudySource(sweep, settings, 61, digest).next()
        assert begin_attempt(sweep, point).wait(SECONDS) == 0
    state = state_of(sweep, point)
    assert state.status == "pruned"
    (event,) = [one for one in read_journal(state.run.paths.journal) if one["event"] == "pruned"]
    assert event["epoch"] in (1, 3)  # by the bracket, which follows from the sweep's key
    told = trials_of(sweep, settings)[point.trial].intermediate_values
    assert told == {epoch: 11.0 + epoch for epoch in range(event["epoch"] + 1)}


@pytest.mark.slow  # Lightning's command line in a process of its own
@pytest.mark.usefixtures("threads")
def test_a_lightning_module_that_fit_trains_for_a_search_is_pruned() -> None:
    settings = settings_of(metric="val_loss", ranges={"model.lr": "0.001..0.1"}, pruner="median")
    words = ["fit", "--model=lit.Module", "--trainer.max_epochs=6", "--trainer.accelerator=cpu"]
    sweep = submitted_after_better_ones(settings, words)
    with held(sweep):
        source = StudySource(sweep, settings, 6, digest)
        point = source.next()
        assert begin_attempt(sweep, point).wait(SECONDS) == 0
        state = state_of(sweep, point)
        source.told(point, state)
    assert state.status == "pruned"
    (event,) = [one for one in read_journal(state.run.paths.journal) if one["event"] == "pruned"]
    assert (event["epoch"], event["value"]) == (2, 13.0)
    assert trials_of(sweep, settings)[point.trial].state == TrialState.PRUNED


def test_a_run_that_is_gone_on_with_reports_its_later_epochs_alone() -> None:
    sweep = submitted_after_better_ones()
    point = StudySource(sweep, SETTINGS, 1, digest).next()
    SweptTrial(sweep.paths, SETTINGS, point.trial).report(3.0, 0)
    again = SweptTrial(sweep.paths, SETTINGS, point.trial)  # another process, from a checkpoint
    again.report(4.0, 0)
    again.report(2.0, 1)
    assert trials_of(sweep, SETTINGS)[point.trial].intermediate_values == {0: 3.0, 1: 2.0}
    assert not again.should_prune()
    again.report(9.0, 2)
    assert again.should_prune()


def test_no_process_but_that_of_a_search_with_a_pruner_prunes() -> None:
    assert swept_trial() is None
