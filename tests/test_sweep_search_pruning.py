"""A training of a search that prunes: it asks the study by itself, and is told as pruned."""

from __future__ import annotations

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
SETTINGS = settings_of(metric="eval_loss", ranges={"lr": "0.001..0.1"}, pruner="median")


def submitted_after_better_ones(settings: SearchSettings = SETTINGS) -> Sweep:
    """Submit a search over a facade, in whose study five trials have done better."""
    Path("train.py").write_text(FACADE)
    sweep = submit(
        "./experiment", ["train.py"], ["lr"], [], command="a test", study=settings.told()
    )
    study = open_study(sweep.paths, settings)
    for _ in range(5):
        trial = create_trial(
            params={"lr": 0.01},
            distributions={"lr": FloatDistribution(0.001, 0.1)},
            intermediate_values={epoch: 20.0 if epoch < 2 else 1.0 for epoch in range(6)},
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
