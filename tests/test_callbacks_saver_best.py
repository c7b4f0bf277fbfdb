"""SaverCallback: the best checkpoints by a metric, and what Lightning's "best" loads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from saving_helpers import Validated, fit, keep_all, loader, make_trainer, record_of, steps

from thexp_pl.callbacks import SaverCallback
from thexp_pl.saver import Saver


class Measured(Validated):
    """Logs a metric as a script gives it, one value a validation."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = iter(values)

    def on_validation_epoch_end(self) -> None:
        self.log("score", next(self.values))


def train(folder: Path, saver: SaverCallback, values: list[float], **options: object) -> Measured:
    module = Measured(values)
    trainer = make_trainer(folder, saver, **options)
    trainer.fit(module, loader(), loader(2, shuffle=False))
    return module


@pytest.mark.parametrize(
    ("mode", "keep", "kept"),
    [("min", 1, [15, 30]), ("max", 1, [10, 30]), ("max", 2, [10, 25, 30])],
)
def test_the_best_stay_besides_the_newest(
    mode: str, keep: int, kept: list[int], tmp_path: Path
) -> None:
    saver = SaverCallback(1, monitor="score", mode=mode, keep_best=keep)

    train(tmp_path, saver, [0.5, 0.9, 0.1, 0.4, 0.6, 0.3], max_epochs=6)

    assert steps(tmp_path) == kept
    assert saver.best_model_path == str(Saver(tmp_path / "modules").best_checkpoint())


def test_best_loads_the_best_checkpoint_in_a_plain_trainer(tmp_path: Path) -> None:
    saver = SaverCallback(1, monitor="score", mode="max")
    module = Measured([0.5, 0.9, 0.1])
    trainer = make_trainer(tmp_path, saver, max_epochs=3)
    trainer.fit(module, loader(), loader(2, shuffle=False))
    assert module.seen == 15

    module.values = iter([0.0])
    trainer.validate(module, loader(2, shuffle=False), ckpt_path="best", verbose=False)

    assert module.seen == 10


def test_without_a_monitor_best_is_the_newest(tmp_path: Path) -> None:
    saver = keep_all(every_n_batches=2)

    fit(tmp_path, saver)

    assert record_of(Path(saver.best_model_path))["step"] == 10


def test_the_path_of_the_best_is_that_of_a_file_that_is_written(tmp_path: Path) -> None:
    sizes = []

    class Curious(SaverCallback):
        def on_train_epoch_end(self, trainer, pl_module):
            super().on_train_epoch_end(trainer, pl_module)
            sizes.append(Path(self.best_model_path).stat().st_size)
            torch.load(self.best_model_path, weights_only=True)

    fit(tmp_path, Curious())

    assert len(sizes) == 2


def test_a_checkpoint_is_judged_by_no_metric_of_another_moment(tmp_path: Path) -> None:
    saver = keep_all(every_n_batches=2, monitor="score", mode="max")

    train(tmp_path, saver, [0.5, 0.9])

    found = {record_of(path)["step"]: path for path in (tmp_path / "modules").glob("[0-9]*.ckpt")}
    infos = {step: Saver(path.parent).load_state_dict(path)[1] for step, path in found.items()}
    assert {step for step, info in infos.items() if "score" in info} == {5, 10}
    assert sorted(infos) == [2, 4, 5, 6, 8, 10]


def test_a_metric_that_nothing_logs_is_told_once_with_the_near_miss(tmp_path: Path) -> None:
    saver = SaverCallback(monitor="val_los")

    with pytest.warns(UserWarning, match="did you mean 'val_loss'") as caught:
        fit(tmp_path, saver, validate=True)

    assert len([one for one in caught if "val_los" in str(one.message)]) == 1
    assert record_of(Path(saver.best_model_path))["step"] == 10


def test_a_metric_that_only_a_later_validation_logs_is_not_missed(tmp_path: Path) -> None:
    saver = SaverCallback(monitor="score")

    train(tmp_path, saver, [0.5], check_val_every_n_epoch=2)  # here a warning is an error

    assert record_of(Path(saver.best_model_path))["step"] == 10
