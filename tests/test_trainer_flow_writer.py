"""thexp's `writter`: what a user writes to TensorBoard, beside what the run shows there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trainer_helpers import (
    BATCHES,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl import Params
from thexp_pl.errors import TrainerError


def test_there_is_no_writer_before_there_is_a_run() -> None:
    with pytest.raises(TrainerError, match="call initial_exp"):
        _ = TinyTrainer(Params()).writter


def board_of(trainer: Any) -> EventAccumulator:
    accumulator = EventAccumulator(str(trainer.experiment.paths.board))
    accumulator.Reload()
    return accumulator


class Writing(TinyTrainer):
    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self.writter.add_scalar("mine/step", global_step, global_step)
        if (eidx, idx) == (2, BATCHES - 1):
            self.writter.flush()
            # of two that grow, TensorBoard would show the newest alone
            assert len(list(self.experiment.paths.board.glob("events.out.*"))) == 1
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)


@pytest.mark.parametrize("board", [True, False])
def test_the_writer_writes_into_the_board_that_there_is(board: bool, tmp_path: Path) -> None:
    params = Params()
    params.epoch, params.device = 2, "cpu"
    trainer = Writing(params)
    trainer.initial_exp(tmp_path, board=board)
    assert trainer.writter is trainer.writer

    trainer.train()
    trainer.writer.add_histogram("weights", trainer.model[0].weight, 9)
    trainer.writer.add_text("note", "good", 9)
    trainer.experiment.end_exp()

    shown = board_of(trainer)
    mine = [(one.step, one.value) for one in shown.Scalars("mine/step")]
    assert mine == [(step, step) for step in range(2 * BATCHES)]
    assert shown.Tags()["histograms"] == ["weights"]
    steps = {one.step for one in shown.Scalars("loss")}  # the last value comes with the parameters
    assert ({BATCHES - 1, 2 * BATCHES - 1} <= steps) is board


def test_several_curves_of_one_name_lie_in_folders_below_and_are_there_in_the_end(
    tmp_path: Path,
) -> None:
    trainer = start(TinyTrainer, tmp_path)

    trainer.writer.add_scalars("both", {"one": 1.0, "two": 2.0}, 0)
    trainer.experiment.pause()
    trainer.writer.add_scalars("both", {"one": 3.0, "two": 4.0}, 1)
    trainer.experiment.end_exp()

    for name, values in (("one", [1, 3]), ("two", [2, 4])):
        shown = EventAccumulator(str(trainer.experiment.paths.board / f"both_{name}"))
        shown.Reload()
        # two files of one second are read in the order of their names' counters, as texts
        scalars = sorted(shown.Scalars("both"), key=lambda one: one.step)
        assert [one.value for one in scalars] == values


def test_no_board_is_made_for_a_writer_that_is_not_used(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)

    trainer.experiment.end_exp()

    assert list(trainer.experiment.paths.board.glob("*")) == []


def test_after_the_run_the_writer_takes_nothing(tmp_path: Path) -> None:
    trainer = start(Writing, tmp_path, 1)
    trainer.train()
    trainer.experiment.end_exp()
    before = board_of(trainer).Scalars("mine/step")

    trainer.writer.add_scalar("mine/step", 7.0, 7)
    trainer.writer.close()

    assert board_of(trainer).Scalars("mine/step") == before
