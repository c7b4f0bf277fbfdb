"""Trainers put together from mixins, each with its own part of the Params."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
)

from thexp_pl import Meter, Params, Trainer
from thexp_pl.errors import BoundCheckError, ParamsError, TrainerError
from thexp_pl.params import BaseParams
from thexp_pl.params.merged import merged


class DataParams(Params):
    """Which data.

    Args:
        batch_size: Samples in a batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch_size = 4
        self.arange("share", 0.5, 0, 1)


class ModelParams(Params):
    def __init__(self) -> None:
        super().__init__()
        self.epoch = 2
        self.choice("kind", "small", "large")
        self.optim = {"lr": 0.1, "momentum": 0.9}


class LossParams(Params):
    def __init__(self) -> None:
        super().__init__()
        self.smoothing = 0.1
        self.optim = {"lr": 0.2}
        self.share = 0.25


class Tuned(ModelParams):
    pass


class DataMixin:
    def initial_trainer(self, params: DataParams) -> None:
        super().initial_trainer(params)
        loader = make_loader()
        self.regist_databundler(train=loader, eval=loader)
        self.made = [*getattr(self, "made", []), f"data of {params.batch_size}"]


class ModelMixin:
    def initial_trainer(self, params: ModelParams) -> None:
        super().initial_trainer(params)
        self.model = make_model()
        self.optim = SGD(self.model.parameters(), **params.optim)
        self.made = [*getattr(self, "made", []), f"a {params.kind} model"]


class LossMixin:
    def initial_trainer(self, params: LossParams) -> None:
        super().initial_trainer(params)
        self.cross = nn.CrossEntropyLoss(label_smoothing=params.smoothing)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = Meter()
        meter.loss = self.cross(self.model(batch_data[0]), batch_data[1])
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return meter


class Composed(DataMixin, ModelMixin, LossMixin, Trainer):
    pass


def test_a_trainer_of_mixins_trains_with_the_params_of_all(tmp_path: Path) -> None:
    trainer = start(Composed, tmp_path, 1)

    trainer.train()

    assert trainer.made == ["a small model", "data of 4"]
    assert isinstance(trainer.params, DataParams | ModelParams | LossParams)
    recorded = json.loads(trainer.experiment.paths.manifest.read_text())["params"]
    assert (recorded["batch_size"], recorded["kind"], recorded["smoothing"]) == (4, "small", 0.1)
    trainer.params.optim.lr = 0.3
    assert (
        trainer.params.build_exp_name("x", "batch_size", "optim.lr")
        == "x_batch_size=4_optim.lr=0.3"
    )


def test_the_first_mixin_has_the_word_and_what_is_set_comes_before_what_is_inherited() -> None:
    params = Composed.params_class()()

    assert params.epoch == 2, "the first part has only inherited another"
    assert params.optim.to_dict() == {"lr": 0.1, "momentum": 0.9}
    assert (params.share, params.smoothing) == (0.5, 0.1)

    class Reversed(LossMixin, ModelMixin, DataMixin, Trainer):
        pass

    params = Reversed.params_class()()
    assert params.optim.to_dict() == {"lr": 0.2, "momentum": 0.9}, "groups are joined"
    assert params.share == 0.25


def test_bounds_and_choices_of_every_part_hold() -> None:
    params = Composed.params_class()()

    with pytest.raises(BoundCheckError, match="share: 2 is out of bounds"):
        params.share = 2
    with pytest.raises(BoundCheckError, match=r"kind: 'larg' is not .* did you mean 'large'"):
        params.kind = "larg"


def test_merged_params_can_be_copied_pickled_and_sent_to_another_process() -> None:
    params = Composed.params_class()()
    params.optim.lr = 0.7
    for twin in (params.copy(), copy.deepcopy(params), pickle.loads(pickle.dumps(params))):
        assert type(twin) is type(params)
        assert (twin, twin.hash()) == (params, params.hash())
        with pytest.raises(BoundCheckError):
            twin.share = 2


def test_an_initial_trainer_that_passes_nothing_on_takes_the_place_of_its_bases() -> None:
    class Alone(Composed):
        def initial_trainer(self, params: DataParams) -> None:
            self.model = make_model()

    class Passing(Composed):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)

    class Other(ModelMixin, Trainer):
        def initial_trainer(self, settings: Tuned) -> None:
            super().initial_trainer(settings)

    assert Alone.params_class() is DataParams
    assert Passing.params_class() is Composed.params_class()
    assert Other.params_class() is Tuned, "a class derived from a part takes its place"


def test_a_type_that_two_parts_disagree_about_is_an_error_that_names_both() -> None:
    class Text(Params):
        def __init__(self) -> None:
            super().__init__()
            self.batch_size = "many"

    class Single(Params):
        def __init__(self) -> None:
            super().__init__()
            self.optim = "sgd"

    message = r"^'batch_size' is 4 \(int\) in DataParams and 'many' \(str\) in Text; [^\n]*$"
    with pytest.raises(ParamsError, match=message):
        merged([DataParams, Text])()
    for parts in ([ModelParams, Single], [Single, ModelParams]):
        message = r"^'optim' is a group in ModelParams and a single value in Single; [^\n]*$"
        with pytest.raises(ParamsError, match=message):
            merged(parts)()


def test_parts_that_no_class_can_inherit_from_are_named() -> None:
    one = type("One", (DataParams, ModelParams), {})
    two = type("Two", (ModelParams, DataParams), {})

    with pytest.raises(ParamsError, match=r"^no class can inherit from One, Two in this order"):
        merged([one, two])


def test_a_trainer_without_any_initial_trainer_says_so(tmp_path: Path) -> None:
    class Bare(Trainer):
        pass

    with pytest.raises(TrainerError, match="Bare needs a method initial_trainer"):
        start(Bare, tmp_path)


def test_a_mixin_behind_the_trainer_is_told_where_it_belongs() -> None:
    class Late(Trainer, LossMixin):
        pass

    class AlsoLate(TinyTrainer, LossMixin):
        pass

    for kind in (Late, AlsoLate):
        with pytest.raises(
            TrainerError, match=rf"is never called: .* bases of {kind.__name__} put"
        ):
            kind(Params())


def test_callbacks_of_mixins_add_up_through_super(tmp_path: Path) -> None:
    class Quiet:
        def initial_callback(self) -> None:
            super().initial_callback()
            self._hooked = [type(one).__name__ for one in self._callbacks]

    class Both(Quiet, Composed):
        pass

    assert start(Both, tmp_path)._hooked == ["EvalCallback", "LoggerCallback"]


# -- the merging itself --------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "g.x", "g.y", "g.h.z"])
PARTS = st.lists(st.dictionaries(NAMES, st.integers(0, 9), max_size=4), min_size=3, max_size=3)


def part(values: dict[str, int], number: int) -> type[BaseParams]:
    def __init__(self: BaseParams) -> None:  # noqa: N807 - of the class made here
        super(kind, self).__init__()
        for name, value in values.items():
            self[name] = value

    kind: Any = type(f"Part{number}", (BaseParams,), {"__init__": __init__})
    return kind


@settings(max_examples=60)
@given(values=PARTS)
def test_of_three_parts_the_first_that_has_a_value_gives_it_however_they_are_put_together(
    values: list[dict[str, int]],
) -> None:
    one, two, three = (part(each, number) for number, each in enumerate(values))
    expected: dict[str, int] = {}
    for each in values:
        expected = {**each, **expected}

    ways = [
        merged([one, two, three])(),
        merged([merged([one, two]), three])(),
        merged([one, merged([two, three])])(),
        merged([one, one, two, three, two])(),
    ]
    assert [way.flat() for way in ways] == [expected] * 4
    assert len({way.hash() for way in ways}) == 1


# -- the command line ----------------------------------------------------------------------------


def test_the_command_line_takes_the_flags_of_all_parts(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "thexp_pl", "fit", "--exps_dir", "root", "--device=cpu"]
    command += ["--trainer_class=test_trainer_mixins:Composed", "--epoch=1", "--smoothing=0.2"]
    command += ["--optim.lr=0.05", "--batch_size=2", "--kind=large", "--record.console=false"]

    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )

    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "root").glob("*/*/run.json")
    params = json.loads(path.read_text())["params"]
    assert (params["smoothing"], params["batch_size"], params["kind"]) == (0.2, 2, "large")
    assert params["optim"] == {"lr": 0.05, "momentum": 0.9}
