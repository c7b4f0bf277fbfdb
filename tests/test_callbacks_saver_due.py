"""SaverCallback: after which batches and epochs it saves, and that training goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning.callbacks import Callback
from saving_helpers import BATCHES, At, Module, fit, keep_all, loader, make_trainer, saved_at, steps

from thexp_pl.callbacks.due import Schedule
from thexp_pl.saver import Saver


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"every_n_epochs": None}, [10]),
        ({"every_n_epochs": 1}, [5, 10]),
        ({"every_n_epochs": None, "every_n_batches": 3}, [3, 6, 9, 10]),
        ({"every_n_epochs": 1, "every_n_batches": 5}, [5, 10]),
        ({"every_n_epochs": 2, "every_n_batches": 4}, [4, 8, 10]),
    ],
)
def test_batches_are_counted_over_all_epochs_and_a_place_is_saved_once(
    options: dict[str, Any], expected: list[int], tmp_path: Path
) -> None:
    fit(tmp_path, keep_all(**options))

    assert steps(tmp_path) == expected


def test_a_save_in_the_midst_of_an_accumulation_waits_for_its_end(tmp_path: Path) -> None:
    saver = keep_all(every_n_epochs=None, every_n_batches=3)

    fit(tmp_path, saver, accumulate_grad_batches=2)

    assert steps(tmp_path) == [4, 7, 9, 10]


def test_what_the_module_does_after_a_batch_is_in_the_checkpoint(tmp_path: Path) -> None:
    fit(tmp_path, keep_all(every_n_batches=3))

    for step in (3, 6, 9):
        state = torch.load(saved_at(tmp_path, step), weights_only=True)
        assert state["state_dict"]["seen"] == step


def test_a_save_before_a_validation_waits_until_it_has_ended(tmp_path: Path) -> None:
    saver = keep_all(every_n_epochs=None, every_n_batches=2)
    options = {"validate": True, "val_check_interval": 2}
    whole = fit(tmp_path, saver, **options)
    assert steps(tmp_path) == [2, 4, 6, 8, 10]

    for step, validations in {2: 1, 4: 2, 6: 2, 8: 3, 10: 4}.items():
        state = torch.load(saved_at(tmp_path, step), weights_only=True)
        assert state["state_dict"]["validated"] == validations
    resumed = fit(tmp_path, ckpt_path=saved_at(tmp_path, 2), **options)

    # the validation after the second batch is neither left out nor done once more
    assert resumed.events == whole.events[whole.events.index("train 0.2") :]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_a_save_at_an_epochs_last_batch_waits_for_what_the_epochs_end_does(tmp_path: Path) -> None:
    fit(tmp_path, keep_all(every_n_epochs=None, every_n_batches=5), validate=True)

    state = torch.load(tmp_path / "modules" / "0000001.ckpt", weights_only=True)["state_dict"]
    assert (state["seen"], state["validated"], state["epochs"]) == (5, 1, 1)


@pytest.mark.parametrize("step", [1, 4, 5, 6, 10, 12])
def test_training_goes_on_from_any_checkpoint_with_the_same_bits(step: int, tmp_path: Path) -> None:
    whole = fit(tmp_path, keep_all(every_n_batches=1), max_epochs=3)

    resumed = fit(tmp_path, keep_all(), max_epochs=3, ckpt_path=saved_at(tmp_path, step))

    assert resumed.seen == 3 * BATCHES
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_keypoints_come_besides_the_checkpoints(tmp_path: Path) -> None:
    fit(tmp_path, keep_all(every_n_epochs=3, keypoint_every=2), max_epochs=4)

    saver = Saver(tmp_path / "modules")
    assert [path.name for path in saver.find_keypoints()] == [
        "keep.0000002.ckpt",
        "keep.0000004.ckpt",
    ]
    assert steps(tmp_path) == [15, 20]


def test_a_limit_of_steps_saves_the_place_in_the_epoch_and_training_goes_on(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", keep_all(), max_epochs=-1, max_steps=9)
    fit(tmp_path, keep_all(), max_epochs=-1, max_steps=7)
    assert steps(tmp_path) == [5, 7]

    resumed = fit(tmp_path, keep_all(), max_epochs=-1, max_steps=9, ckpt_path=saved_at(tmp_path, 7))

    assert torch.equal(resumed.layer.weight, whole.layer.weight)
    assert resumed.events == whole.events[7:]


def test_a_training_that_is_stopped_within_an_epoch_is_saved_where_it_stops(tmp_path: Path) -> None:
    class Stop(Callback):
        def on_validation_end(self, trainer, pl_module):
            trainer.should_stop = True

    fit(tmp_path, Stop(), keep_all(), validate=True, val_check_interval=3)

    assert steps(tmp_path) == [3]


def test_a_fit_with_nothing_left_to_do_saves_nothing(tmp_path: Path) -> None:
    fit(tmp_path, keep_all())

    fit(tmp_path / "again", keep_all(), ckpt_path=saved_at(tmp_path, 10))

    assert steps(tmp_path / "again") == []


def test_with_fast_dev_run_nothing_is_saved(tmp_path: Path) -> None:
    fit(tmp_path, keep_all(), fast_dev_run=True)

    assert not (tmp_path / "modules").exists()


def test_the_modules_own_hooks_are_put_back_after_the_fit(tmp_path: Path) -> None:
    module = fit(tmp_path, keep_all())
    failed = Module()
    folder = tmp_path / "failed"
    trainer = make_trainer(folder, keep_all(emergency=False), At(2, lambda: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        trainer.fit(failed, loader())

    for one in (module, failed):
        assert not {"on_train_batch_end", "on_validation_end"} & vars(one).keys()


@given(
    every=st.integers(1, 7),
    places=st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_every_batch_that_is_due_is_saved_at_the_next_place_and_none_twice(
    every: int, places: list[bool]
) -> None:
    schedule = Schedule(None, every)
    schedule.begin(0)
    saved = []
    for batch, is_place in enumerate(places, 1):
        schedule.count_batch(batch)
        if is_place and schedule.take(batch):
            saved.append(batch)

    open_places = [batch for batch, is_place in enumerate(places, 1) if is_place]
    due = range(every, len(places) + 1, every)
    wanted = {next((at for at in open_places if at >= batch), None) for batch in due}
    assert saved == sorted(wanted - {None})
