"""Ramps: end points, direction, bad input, and their state in a scheduler and a checkpoint."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl.calculate import CosineRamp, LinearRamp, SigmoidRamp
from thexp_pl.errors import UsageError

KINDS = (LinearRamp, CosineRamp, SigmoidRamp)
kinds = st.sampled_from(KINDS)
values = st.floats(-1e6, 1e6)
steps = st.integers(1, 10**6)


@given(kinds, steps, values, values, st.lists(st.floats(-10, 2e6), min_size=2))
def test_a_ramp_goes_one_way_and_stays_between_its_ends(
    kind: Any, length: int, first: float, last: float, at: list[float]
) -> None:
    ramp = kind(length, first, last)

    course = [ramp(step) for step in sorted(at)]

    assert course == sorted(course, reverse=last < first)
    assert all(min(first, last) <= value <= max(first, last) for value in course)


@given(kinds, steps, values, values)
def test_a_ramp_begins_and_ends_where_it_says_and_stays_there(
    kind: Any, length: int, first: float, last: float
) -> None:
    ramp = kind(length, first, last)
    ends = [ramp(step) for step in (0, length)]

    assert [ramp(step) for step in (-5, length + 1, math.inf)] == [ends[0], ends[1], ends[1]]
    if kind is not SigmoidRamp:
        assert ends[0] == first
        assert ends[1] == pytest.approx(last, abs=1e-9 * max(abs(first), abs(last), 1e-9))
    else:
        rest = abs(last - first) * math.exp(-5)
        missed = (abs(ends[0] - first), abs(ends[1] - last))
        wanted = (rest, 0) if last >= first else (0, rest)
        assert missed == pytest.approx(wanted, abs=1e-9 * max(abs(first), abs(last), 1e-9))


def test_the_curves_are_those_of_the_papers() -> None:
    for step in range(11):
        t = step / 10
        assert SigmoidRamp(10)(step) == pytest.approx(math.exp(-5 * (1 - t) ** 2))
        down = SigmoidRamp(10, start=1, end=0, sharpness=12.5)
        assert down(step) == pytest.approx(math.exp(-12.5 * t**2))
        annealed = CosineRamp(10, start=3, end=1)
        assert annealed(step) == pytest.approx(1 + (3 - 1) / 2 * (1 + math.cos(math.pi * t)))


def rates(make: Any, count: int = 10) -> list[float]:
    """The learning rates of so many epochs under a scheduler."""
    optim = SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = make(optim)
    seen = []
    for _ in range(count):
        seen.append(optim.param_groups[0]["lr"])
        optim.step()
        scheduler.step()
    return seen


def test_as_schedulers_they_agree_with_torchs_where_torch_has_them() -> None:
    linear, cosine = LinearRamp(9, 0.25, 1), CosineRamp(9, 1, 0)
    assert rates(linear.lr_scheduler) == pytest.approx(rates(lambda o: LinearLR(o, 0.25, 1, 9)))
    assert rates(cosine.lr_scheduler) == pytest.approx(rates(lambda o: CosineAnnealingLR(o, 9)))
    assert rates(SigmoidRamp(9).lr_scheduler) == pytest.approx(
        [0.3 * math.exp(-5 * (1 - step / 9) ** 2) for step in range(10)]
    )


def test_a_loaded_scheduler_goes_on_and_leaves_the_ramp_it_was_made_of_alone() -> None:
    ramp = SigmoidRamp(4)
    optim = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = ramp.lr_scheduler(optim)
    other = SigmoidRamp(8, sharpness=2.0).lr_scheduler(SGD(optim.param_groups[0]["params"], lr=1.0))

    scheduler.load_state_dict(pickle.loads(pickle.dumps(other.state_dict())))

    assert scheduler.lr_lambdas[0](4) == SigmoidRamp(8, sharpness=2.0)(4)
    assert ramp == SigmoidRamp(4)
    assert pickle.loads(pickle.dumps(ramp)) == ramp


class Scheduled(TinyTrainer):
    """Ramps its learning rate up batch by batch."""

    def initial_trainer(self, params: Any) -> None:
        super().initial_trainer(params)
        self.scheduler = CosineRamp(10).lr_scheduler(self.optim)

    def train_batch(self, *args: Any) -> Any:
        meter = super().train_batch(*args)
        self.scheduler.step()
        meter.lr = self.optim.param_groups[0]["lr"]
        return meter


def test_a_checkpoint_of_the_facade_keeps_where_the_schedule_stands(tmp_path: Path) -> None:
    whole = start(Scheduled, tmp_path, 2)
    whole.train()
    first = start(Scheduled, tmp_path, 1)
    first.train()
    again = start(Scheduled, tmp_path, 2)

    again.load_checkpoint(first.saver.find_checkpoints()[-1])
    assert again.scheduler.last_epoch == 5
    again.train()

    assert again.scheduler.state_dict() == whole.scheduler.state_dict()
    assert again.optim.param_groups[0]["lr"] == whole.optim.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: LinearRamp(0), "steps=0"),
        (lambda: CosineRamp(2.5), "steps=2.5"),  # type: ignore[arg-type]
        (lambda: CosineRamp(True), "steps=True"),
        (lambda: LinearRamp(3, start=math.nan), "start=nan"),
        (lambda: LinearRamp(3, end="1"), "end='1'"),  # type: ignore[arg-type]
        (lambda: LinearRamp(3, -1e308, 1e308), "end - start=inf"),
        (lambda: SigmoidRamp(3, sharpness=0), "sharpness=0"),
        (lambda: SigmoidRamp(3, sharpness=math.inf), "sharpness=inf"),
        (lambda: LinearRamp(3)(math.nan), "step=nan"),
        (lambda: LinearRamp(3)("1"), "step='1'"),  # type: ignore[arg-type]
    ],
)
def test_a_number_that_is_none_is_refused_in_one_line(make: Any, word: str) -> None:
    with pytest.raises(UsageError, match=word) as error:
        make()
    assert "\n" not in str(error.value)
