"""Going on in the facade, in the midst of an epoch, from the experiment's newest checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from torch.utils.data import DataLoader, TensorDataset
from trainer_helpers import (
    BATCH,
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    manifest,
    same_weights,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.callbacks import RndCallback, SaverCallback
from thexp_pl.data import ExactDataLoader
from thexp_pl.errors import CheckpointError, RecordError


class Shuffled(TinyTrainer):
    """Draws for its order and for its dropout; keeps what it was given."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.drop = torch.nn.Dropout(0.4)
        self.regist_databundler(train=make_loader(shuffle=True))
        self._seen: list[Any] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        self._seen.append((eidx, idx, batch_data[0].clone()))
        return super().train_batch(
            eidx, idx, global_step, (self.drop(batch_data[0]), batch_data[1]), params, device
        )


class FailsAt(Callback):
    """Fails before a batch of all epochs."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.fit_loop.total_batch_idx == self.batch:
            raise ValueError("no such luck")


def cut_off(root: Path, batch: int, kind: Any = Shuffled) -> Any:
    """Train until a failure; every batch is saved."""
    torch.manual_seed(5)
    saver = SaverCallback(every_n_batches=1, emergency=False)
    trainer = start(kind, root, callbacks=[saver, FailsAt(batch)])
    with pytest.raises(ValueError, match="no such luck"):
        trainer.train()
    return trainer


@pytest.mark.parametrize("name", ["load_latest_checkpoint", "load_latast_checkpoint"])
def test_the_newest_checkpoint_of_the_experiment_goes_on_in_mid_epoch(
    tmp_path: Path, name: str
) -> None:
    torch.manual_seed(5)
    at_once = start(Shuffled, tmp_path / "once")
    at_once.train()
    failed = cut_off(tmp_path / "twice", BATCHES + 2)
    torch.manual_seed(99)  # what the new process is seeded with does not matter
    resumed = start(Shuffled, tmp_path / "twice")

    info = getattr(resumed, name)()

    assert info is not None
    assert info["eidx"] == 1
    assert (resumed.params.eidx, resumed.params.idx) == (2, 1)
    resumed.train()
    assert same_weights(weights_of(resumed), weights_of(at_once))
    assert [place[:2] for place in resumed._seen] == [
        (2, 2), (2, 3), (2, 4), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4)
    ]  # fmt: skip
    assert manifest(resumed)["parent"]["key"] == failed.experiment.key


def test_words_name_checkpoints_of_this_experiment_and_of_other_runs(tmp_path: Path) -> None:
    failed = cut_off(tmp_path, BATCHES + 2)
    key = failed.experiment.key
    for which in ("last", f"{key}@last", f"{key}@1000001.ckpt"):
        trainer = start(Shuffled, tmp_path)
        trainer.load_checkpoint(which)
        assert trainer.params.eidx == 2
    with pytest.raises(CheckpointError, match="no checkpoint 'best'"):
        trainer.load_checkpoint("best")
    with pytest.raises(RecordError, match="nosuchrun"):
        trainer.load_keypoint("nosuchrun@1")


def test_without_any_checkpoint_it_says_so_and_training_starts_at_nothing(tmp_path: Path) -> None:
    trainer = start(Shuffled, tmp_path)
    with pytest.warns(UserWarning, match="nothing is restored"):
        assert trainer.load_latest_checkpoint() is None
    trainer.train()
    assert len(trainer._seen) == 3 * BATCHES


def test_another_experiment_of_the_root_is_not_taken_up(tmp_path: Path) -> None:
    cut_off(tmp_path, 3)
    other = start(EvalTrainer, tmp_path)
    with pytest.warns(UserWarning, match="EvalTrainer"):
        assert other.load_latest_checkpoint() is None


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path: Path) -> None:
    failed = cut_off(tmp_path, 4)
    newest = failed.saver.find_checkpoints()[-1]
    newest.write_bytes(newest.read_bytes()[:-9])
    trainer = start(Shuffled, tmp_path)
    with pytest.warns(UserWarning, match=newest.name):
        trainer.load_latest_checkpoint()
    assert trainer.params.idx == 2


def test_after_a_failure_the_same_trainer_begins_the_epoch_anew(tmp_path: Path) -> None:
    trainer = cut_off(tmp_path, 2)
    trainer._callbacks[-1].batch = -1
    trainer._seen.clear()
    trainer.train()
    first = torch.cat([xs for eidx, _, xs in trainer._seen if eidx == 1])
    assert len(first.unique(dim=0)) == BATCH * BATCHES


def test_evaluating_changes_nothing_of_the_training(tmp_path: Path) -> None:
    class Draws(Shuffled):
        def initial_callback(self) -> None:
            pass

        def test_eval_logic(self, dataloader: Any, params: Params) -> Any:
            return {"noise": torch.rand(len(list(dataloader)))[0]}

    class Evaluates(Draws):
        def initial_callback(self) -> None:
            EvalTrainer.initial_callback(self)  # type: ignore[arg-type]

    trained = []
    for kind in (Draws, Evaluates):
        torch.manual_seed(5)
        trained.append(start(kind, tmp_path))
        trained[-1].train()
    assert same_weights(*map(weights_of, trained))


def test_a_plain_train_loader_becomes_exact_and_the_others_stay(tmp_path: Path) -> None:
    class OneForAll(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self._loader_given = DataLoader(TensorDataset(torch.rand(6, 6)), 2)
            self.regist_databundler(train=self._loader_given, eval=self._loader_given)

    trainer = start(OneForAll, tmp_path)
    assert isinstance(trainer.train_dataloader, ExactDataLoader)
    assert trainer.eval_dataloader is trainer._loader_given
    assert [b[0].tolist() for b in trainer.train_dataloader] == [
        b[0].tolist() for b in trainer.eval_dataloader
    ]


class OneLoader(Shuffled):
    """Evaluates on the very loader that trains, in the midst of an epoch."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        loader = ExactDataLoader(make_loader().dataset, BATCH, shuffle=True)
        self.regist_databundler(train=loader, eval=loader)

    def train_batch(self, eidx, idx, *more):  # type: ignore[no-untyped-def]
        if idx == 1:
            self.eval()
        return super().train_batch(eidx, idx, *more)

    def test_eval_logic(self, dataloader: Any, params: Params) -> Any:
        return {"first": next(iter(dataloader))[0].sum()}  # leaves it half-way


def test_an_exact_loader_may_train_and_evaluate(tmp_path: Path) -> None:
    torch.manual_seed(5)
    at_once = start(OneLoader, tmp_path / "once")
    at_once.train()
    for eidx in (1, 2, 3):
        xs = torch.cat([xs for at, _, xs in at_once._seen if at == eidx])
        assert len(xs.unique(dim=0)) == BATCH * BATCHES
    cut_off(tmp_path / "twice", BATCHES + 3, OneLoader)
    resumed = start(OneLoader, tmp_path / "twice")
    resumed.load_latest_checkpoint()
    resumed.train()
    assert same_weights(weights_of(resumed), weights_of(at_once))


def test_a_callback_of_the_users_own_takes_the_place_of_ours(tmp_path: Path) -> None:
    mine = RndCallback()
    trainer = start(TinyTrainer, tmp_path, callbacks=[mine])
    found = [one for one in trainer.lightning_trainer.callbacks if isinstance(one, RndCallback)]
    assert found == [mine]
