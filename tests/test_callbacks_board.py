"""BoardCallback: which values of which batches TensorBoard shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trainer_helpers import (
    BATCHES,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    metrics_of,
    plain_trainer,
    start,
)

from thexp_pl import Meter, RunLogger
from thexp_pl.callbacks import BoardCallback
from thexp_pl.errors import UsageError


class Watched(TinyTrainer):
    def train_batch(self, eidx, idx, *args):
        meter = super().train_batch(eidx, idx, *args)
        meter.half = meter.loss.detach() / 2
        meter.place, meter.word, meter.many = idx, "text", torch.zeros(3)
        return meter


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    known = tag in events.Tags()["scalars"]
    return [(one.step, one.value) for one in events.Scalars(tag)] if known else []


def shown(trainer: Any, tag: str) -> list[tuple[int, float]]:
    trainer.experiment.end_exp()
    return scalars(trainer.experiment.paths.board, tag)


def trained(root: Path, callback: BoardCallback, **options: Any) -> Any:
    trainer = start(Watched, root, 2, callbacks=[callback], **options)
    trainer.train()
    return trainer


def test_every_nth_batch_is_shown_at_its_step_counted_over_all_epochs(tmp_path: Path) -> None:
    trainer = trained(tmp_path, BoardCallback(3).watch_scalar("place"))

    assert shown(trainer, "batch/place") == [(2, 2.0), (5, 0.0), (8, 3.0)]


def test_by_default_as_often_as_lightning_logs(tmp_path: Path) -> None:
    callback = BoardCallback().watch_scalar("place")
    trainer = trained(tmp_path, callback, log_every_n_steps=4)

    assert [step for step, _ in shown(trainer, "batch/place")] == [3, 7]


def test_a_tensor_is_shown_as_it_was_in_its_batch(tmp_path: Path) -> None:
    trainer = trained(tmp_path, BoardCallback(1).watch_scalar("loss").watch_scalar("half", "h"))

    losses, halves = shown(trainer, "batch/loss"), shown(trainer, "h")
    assert len({value for _, value in losses}) == 2 * BATCHES
    assert [value for _, value in halves] == pytest.approx([value / 2 for _, value in losses])


def test_values_beside_each_other_share_the_main_tag(tmp_path: Path) -> None:
    trainer = trained(tmp_path, BoardCallback(5).watch_scalars("parts", ["half", "place"]))

    assert len(shown(trainer, "parts/half")) == len(shown(trainer, "parts/place")) == 2


def test_what_is_watched_goes_to_the_board_alone(tmp_path: Path) -> None:
    trainer = trained(tmp_path, BoardCallback(1).watch_scalar("place"))

    assert not any("batch/" in name for name in metrics_of(trainer.experiment))


def test_what_is_no_number_is_left_out_and_the_others_are_shown(tmp_path: Path) -> None:
    trainer = trained(tmp_path, BoardCallback(5).watch_scalars("x", ["word", "many", "place"]))

    assert [step for step, _ in shown(trainer, "x/place")] == [4, 9]
    assert shown(trainer, "x/word") == shown(trainer, "x/many") == []


def test_a_misspelt_name_is_told_once_with_the_near_miss(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"watches 'hafl', which no batch has .*mean 'half'"
    ) as got:
        trained(tmp_path, BoardCallback(1).watch_scalar("hafl"))

    assert len([one for one in got if "hafl" in str(one.message)]) == 1


@lightnings_own_warnings
@pytest.mark.parametrize("kind", ["meter", "dict", "loss"])
def test_it_works_in_a_plain_lightning_trainer(kind: str, tmp_path: Path) -> None:
    class Module(PlainModule):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = super().training_step(batch, batch_idx)["loss"]
            meter = Meter()
            meter.loss = loss
            return {"meter": {"loss": loss, "meter": meter}, "dict": {"loss": loss}}.get(kind, loss)

    logger = RunLogger(tmp_path, "plain", code=False, console=False)
    callback = BoardCallback(2).watch_scalar("loss")
    trainer = plain_trainer(logger=logger, callbacks=[callback], max_epochs=1)

    trainer.fit(Module(), make_loader())

    logger.experiment.end_exp()
    found = scalars(logger.experiment.paths.board, "batch/loss")
    assert [step for step, _ in found] == [1, 3]
    assert all(value > 0 for _, value in found)


@lightnings_own_warnings
def test_without_a_board_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing records: add a RunLogger"):
        plain_trainer(callbacks=[BoardCallback()], max_epochs=1).fit(PlainModule(), make_loader())
    logger = RunLogger(tmp_path, "plain", code=False, console=False, board=False)
    trainer = plain_trainer(logger=logger, callbacks=[BoardCallback()], max_epochs=1)
    with pytest.raises(UsageError, match="the run has no board; leave board=False out"):
        trainer.fit(PlainModule(), make_loader())


@pytest.mark.parametrize("every", [0, -2, 1.0, True])
def test_what_is_no_number_of_batches_is_refused(every: Any) -> None:
    with pytest.raises(UsageError, match=r"^every_n_steps must be 1 or more, or None, not"):
        BoardCallback(every)
