"""A facade step does not wait for the device, whatever it records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from precision_helpers import start_half
from torch.utils._python_dispatch import TorchDispatchMode
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    start,
)

from thexp_pl import Meter, Params

FIRST, LAST = 3, 23  # past what a first batch sets up
SELDOM = {"log_every_n_steps": 1000}  # not once between the two


class Reads(TorchDispatchMode):
    """Counts what would wait for a GPU: a number that is read out of a tensor."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default):
            self.count += 1
        return func(*args, **(kwargs or {}))


class Watched(TinyTrainer):
    """Records ten values a batch, and watches twenty batches and all between them."""

    def initial_trainer(self, params: Params) -> None:
        super().initial_trainer(params)
        self.regist_databundler(train=make_loader(samples=4 * (LAST + 2)))

    def initial_callback(self) -> None:
        pass  # the console's line reads what it shows

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        if idx == FIRST:
            self.begin()
        elif idx == LAST:
            self.end()
        loss = super().train_batch(eidx, idx, global_step, batch_data, params, device).loss
        meter = Meter()
        for number in range(10):
            setattr(meter, f"value{number}", loss.detach() * number)
        return meter

    def begin(self) -> None:
        self._reads = Reads()
        self._reads.__enter__()

    def end(self) -> None:
        self._reads.__exit__(None, None, None)
        self.reads = self._reads.count


class Reading(Watched):
    """Reads one value a batch, as nothing should."""

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        meter.read = float(meter.value3)
        return meter


def test_nothing_is_read_out_of_tensors_between_two_logged_steps(tmp_path: Path) -> None:
    trainer = start(Watched, tmp_path, 1, **SELDOM)

    trainer.train()

    assert trainer.reads == 0


def test_under_a_scaler_one_read_a_step_decides_whether_it_is_taken(tmp_path: Path) -> None:
    trainer = start_half(Watched, tmp_path, 1, **SELDOM)

    trainer.train()

    assert trainer.reads == LAST - FIRST


def test_a_value_that_is_read_in_each_batch_would_be_counted(tmp_path: Path) -> None:
    trainer = start(Reading, tmp_path, 1, **SELDOM)

    trainer.train()

    assert trainer.reads == LAST - FIRST


class WatchedOnGpu(Watched):
    """The same by CUDA's own watch."""

    def begin(self) -> None:
        torch.cuda.set_sync_debug_mode("error")

    def end(self) -> None:
        torch.cuda.set_sync_debug_mode("default")
        self.reads = 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_sees_no_wait_between_two_logged_steps(tmp_path: Path) -> None:
    params = Params()
    params.epoch, params.device = 1, "cuda:0"
    trainer = WatchedOnGpu(params, **SELDOM)
    trainer.initial_exp(tmp_path)
    try:
        trainer.train()
    finally:
        torch.cuda.set_sync_debug_mode("default")
        trainer.experiment.end_exp()

    assert trainer.reads == 0
