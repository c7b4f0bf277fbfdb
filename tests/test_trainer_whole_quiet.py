"""What Lightning says, and is not so on a facade run, is not said."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytorch_lightning.callbacks import OnExceptionCheckpoint
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)


class Failing(TinyTrainer):
    def train_batch(self, eidx, idx, global_step, *args):  # type: ignore[no-untyped-def]
        if global_step == 7:
            raise ValueError("on purpose")
        return super().train_batch(eidx, idx, global_step, *args)


def test_a_checkpoint_on_an_exception_is_written_and_nothing_is_said_of_others(
    tmp_path: Path,
) -> None:
    trainer = start(Failing, tmp_path / "root", callbacks=[OnExceptionCheckpoint(tmp_path / "own")])

    with pytest.raises(ValueError, match="on purpose"):
        trainer.train()  # a warning would be an error of its own

    again = start(TinyTrainer, tmp_path / "root")
    again.load_checkpoint(tmp_path / "own" / "on_exception.ckpt")
    assert again.params.eidx == 2
