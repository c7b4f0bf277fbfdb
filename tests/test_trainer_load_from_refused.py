"""What no trainer can be made from is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_trainer_load_from import Learner, Sizes, checkpoint, trained
from trainer_helpers import ended_runs  # noqa: F401 - a fixture of every test here

from thexp_pl import Params
from thexp_pl.errors import CheckpointError, UsageError

# what is frozen on purpose: Lightning says so when a training starts
pytestmark = pytest.mark.filterwarnings("ignore:Found 4 module")


class Other(Learner):
    def initial_trainer(self, params: Sizes) -> None:
        super().initial_trainer(params)
        self.ema = torch.nn.Linear(6, 3)


class Needy(Learner):
    def initial_trainer(self, params: Sizes) -> None:
        super().initial_trainer(params)
        del self.center


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        (Other, {}, CheckpointError, "does not fit Other: it has no 'ema.weight'"),
        (Needy, {}, CheckpointError, "a state for the attribute 'center', which Needy does not"),
        (Learner, {"wdth": 3}, UsageError, "no parameter 'wdth'; did you mean 'width'"),
        (Learner, {"optim": {"rl": 3}}, UsageError, "there is no parameter 'optim.rl'"),
        (Learner, {"map_location": "cuda:97"}, UsageError, "'cuda:97' is not on this machine"),
        (Learner, {"map_location": {}}, UsageError, "map_location={} is no device; give one"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    kind: Any, options: Any, error: Any, message: str, tmp_path: Path
) -> None:
    path = checkpoint(trained(tmp_path))

    with pytest.raises(error, match=rf"\A[^\n]*{message}[^\n]*\Z"):
        kind.load_from_checkpoint(path, **options)


def torn(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


def without_params(path: Path) -> Path:
    other = path.with_name("other.pt")
    torch.save({"state_dict": {}}, other)
    return other


def no_checkpoint(path: Path) -> Path:
    other = path.with_name("other.pt")
    torch.save([1, 2], other)
    return other


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: "last", "'last' is that of an experiment, and here is none yet: give a path"),
        (lambda path: "best", "'best' is that of an experiment"),
        (lambda path: path.with_name("9.ckpt"), "9.ckpt"),
        (lambda path: path.parent, "modules"),
        (torn, "is damaged"),
        (without_params, "other.pt holds no parameters of a thexp_pl.Trainer"),
        (no_checkpoint, "other.pt is neither a checkpoint nor a model of a Trainer"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(
    make: Any, message: str, tmp_path: Path
) -> None:
    which = make(checkpoint(trained(tmp_path)))

    with pytest.raises((CheckpointError, UsageError), match=rf"\A[^\n]*{message}[^\n]*\Z"):
        Learner.load_from_checkpoint(which)


def test_on_an_instance_it_is_refused_for_it_would_leave_it_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot be called on an instance"):
        Learner(Params()).load_from_checkpoint("x.ckpt")
