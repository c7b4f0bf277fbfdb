"""A training in pieces, a few batches at a time, is the training at once."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    metrics_of,
    start,
    weights_of,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError, UsageError


class Drawing(EvalTrainer):
    """Shuffles, drops out, accumulates over two batches, and evaluates: all that can go astray."""

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(5)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.regist_databundler(train=make_loader(shuffle=True), eval=make_loader())
        self._seen: list[tuple[int, int, int]] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self._seen.append((eidx, idx, global_step))
        meter = self.measure(batch_data)
        meter.loss.backward()
        if global_step % 2:
            self.optim.step()
            self.optim.zero_grad()
        return meter


def expected(batches: int, of_epoch: int = BATCHES) -> list[tuple[int, int, int]]:
    return [(step // of_epoch + 1, step % of_epoch, step) for step in range(batches)]


def facts(trainer: Any) -> dict[str, Any]:
    """Give what a training leaves: weights, optimizer, progress, draws to come, epochs' values."""
    return {
        "weights": weights_of(trainer),
        "momenta": [state["momentum_buffer"].clone() for state in trainer.optim.state.values()],
        "progress": [trainer.params[name] for name in ("eidx", "idx", "global_step")],
        "draw": torch.rand(3),
        "metrics": metrics_of(trainer.experiment),
    }


def trained_at_once(root: Path, epoch: int) -> dict[str, Any]:
    trainer = start(Drawing, root, epoch)
    trainer.train()
    return facts(trainer)


def assert_same(one: dict[str, Any], two: dict[str, Any]) -> None:
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@settings(max_examples=6)
@given(pieces=st.lists(st.integers(1, 2 * BATCHES), max_size=4), evaluates=st.booleans())
def test_a_training_in_pieces_is_the_training_at_once(
    tmp_path_factory: Any, pieces: list[int], evaluates: bool
) -> None:
    at_once = trained_at_once(tmp_path_factory.mktemp("at_once"), 3)
    trainer = start(Drawing, tmp_path_factory.mktemp("pieces"), 3)

    for piece in pieces:
        before = len(trainer._seen)
        if before + piece < 3 * BATCHES:  # what is drawn after the end is nobody's
            trainer.train_step(piece)
            assert len(trainer._seen) == before + piece
            torch.rand(7)  # what is drawn meanwhile is nothing to it
            if evaluates:
                trainer.evaluate("eval")
    trainer.train()

    assert_same(facts(trainer), at_once)
    assert trainer._seen == expected(3 * BATCHES)


def test_single_steps_over_two_epochs_are_the_training_at_once(tmp_path: Path) -> None:
    at_once = trained_at_once(tmp_path / "1", 2)
    trainer = start(Drawing, tmp_path / "2", 2)

    for _ in range(2 * BATCHES):
        trainer.train_step(1)

    assert_same(facts(trainer), at_once)


def test_after_a_step_the_parameters_say_where_training_stands(tmp_path: Path) -> None:
    trainer = start(Drawing, tmp_path, 3)

    trainer.train_step(BATCHES + 2)

    assert [trainer.params[name] for name in ("eidx", "idx", "global_step")] == [2, 1, 6]
    assert trainer.lightning_trainer.global_step == BATCHES + 2
    trainer.train_step(BATCHES - 2)
    assert trainer.params.eidx == 3


def test_steps_go_beyond_the_epochs_as_long_as_they_are_asked_for(tmp_path: Path) -> None:
    trainer = start(Drawing, tmp_path, 1)

    trainer.train_step(2 * BATCHES + 3)
    trainer.train_step(1)

    assert trainer._seen == expected(2 * BATCHES + 4)
    assert trainer.params.epoch == 1


def test_a_step_that_pauses_ends_nothing_and_takes_no_signals_with_it(tmp_path: Path) -> None:
    class Ends(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_train_epoch_end(self, *args: Any) -> None:
            self.seen.append("epoch")

        def on_train_end(self, *args: Any) -> None:
            self.seen.append("training")

    ends, handlers = Ends(), [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    trainer = start(Drawing, tmp_path, 2, callbacks=[ends])

    trainer.train_step(BATCHES - 1)
    assert (ends.seen, trainer.saver.find_models()) == ([], [])
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    trainer.train_step(1)
    assert ends.seen == ["epoch"]
    trainer.train()

    assert ends.seen == ["epoch", "epoch", "training"]
    assert [path.name for path in trainer.saver.find_models()] == ["model.0000002.pth"]


def test_a_checkpoint_saved_between_two_steps_goes_on_from_there(tmp_path: Path) -> None:
    at_once = trained_at_once(tmp_path / "1", 3)
    first = start(Drawing, tmp_path / "2", 3)
    first.train_step(BATCHES + 3)
    torch.rand(5)
    path = first.save_checkpoint()
    second = start(Drawing, tmp_path / "3", 3)

    second.load_checkpoint(path)
    again = second.save_checkpoint()  # nothing of it is lost on the way
    second.load_checkpoint(again)
    second.train()

    ours = facts(second)
    assert second._seen == expected(3 * BATCHES)[BATCHES + 3 :]
    assert ours.pop("metrics")["loss"] == at_once.pop("metrics")["loss"][1:]
    assert_same(ours, at_once)


def test_going_back_while_a_training_pauses_forgets_the_pause(tmp_path: Path) -> None:
    trainer = start(Drawing, tmp_path, 2)
    beginning = trainer.save_checkpoint()
    trainer.train_step(3)

    trainer.load_checkpoint(beginning)
    trainer.train_step(1)

    assert trainer._seen == [*expected(3), (1, 0, 0)]


def test_max_steps_ends_a_step_too(tmp_path: Path) -> None:
    trainer = start(Drawing, tmp_path, 3, max_steps=BATCHES + 1)

    trainer.train_step(BATCHES + 4)

    assert trainer._seen == expected(BATCHES + 1)


@pytest.mark.parametrize("steps", [0, -1, 2.0, "3", True, None])
def test_what_is_no_number_of_batches_is_refused(steps: Any, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^train_step\(.*\): give a number of batches, 1 or more$"
    ):
        start(TinyTrainer, tmp_path).train_step(steps)


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork"])
def test_a_pause_in_processes_that_end_with_it_is_refused(strategy: str, tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, devices=2, strategy=strategy)

    with pytest.raises(TrainerError, match=r"\Atrain_step: [^\n]* strategy='ddp'\Z"):
        trainer.train_step(1)


def test_training_again_with_nothing_left_says_so_in_one_line(tmp_path: Path, capsys: Any) -> None:
    trainer = start(Drawing, tmp_path, 1)
    trainer.train()
    capsys.readouterr()

    trainer.train()

    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("nothing is left to train: 1 of 1 epochs are done")
