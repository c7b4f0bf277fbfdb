"""What is trained in the kernel of a notebook."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import SGD
from trainer_helpers import TinyTrainer, make_loader, start, weights_of

from thexp_pl import Params
from thexp_pl.meter import Meter
from thexp_pl.record import Experiment
from thexp_pl.record.metrics import read_history


class Drawing(TinyTrainer):
    """Shuffles, drops out, and accumulates over two batches: all that can go astray."""

    stops: tuple[int, ...] = ()  # the batches in which the kernel is interrupted
    times = 1  # how often
    pause = 0.0  # seconds a batch

    def initial_trainer(self, params: Params) -> None:
        torch.manual_seed(5)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.regist_databundler(train=make_loader(shuffle=True), eval=make_loader())
        self._seen: list[int] = []

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        self._seen.append(global_step)
        meter = self.measure(batch_data)
        meter.loss.backward()
        if global_step in self.stops:
            type(self).stops = tuple(one for one in self.stops if one != global_step)
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0)  # lets Python call the handler
        if global_step % 2:
            self.optim.step()
            self.optim.zero_grad()
        time.sleep(self.pause)
        return meter

    def test_eval_logic(self, dataloader: Any, params: Params) -> Meter:
        meter = Meter()
        meter.loss = torch.stack([self.measure(batch).loss for batch in dataloader]).mean()
        return meter


def begin(
    root: str, epoch: int, stops: tuple[int, ...] = (), *, times: int = 1, pause: float = 0.0,
    **options: Any,
) -> Any:  # fmt: skip
    """Make a trainer, and begin its run."""
    Drawing.stops, Drawing.times, Drawing.pause = stops, times, pause
    return start(Drawing, Path(root), epoch, **options)


def rows_of(run: Experiment) -> dict[str, list[tuple[Any, ...]]]:
    """End a run and give its metrics that count: (step, epoch, value) by name."""
    run.end_exp()
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for step, epoch, _, name, value in read_history(run.paths).rows():
        rows.setdefault(name, []).append((step, epoch, value))
    return rows


def went_as(trainer: Any, other: Any) -> bool:
    """Say whether two trainings came to the same: weights, optimizers, draws, values."""
    one, two = (
        {
            "weights": weights_of(each),
            "momenta": [state["momentum_buffer"] for state in each.optim.state.values()],
            "progress": [each.params[name] for name in ("eidx", "idx", "global_step")],
            "metrics": rows_of(each.experiment),
            "seen": each._seen,
        }
        for each in (trainer, other)
    )
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    return True
