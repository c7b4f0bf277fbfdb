"""What the facade's users write and call, and how their slips are answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader
from trainer_helpers import (
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
)

from thexp_pl import BaseParams, Experiment, Logger, Meter, Params, RndManager, Saver, Trainer
from thexp_pl.callbacks import EvalCallback, LoggerCallback, MeterCallback, SaverCallback
from thexp_pl.errors import ExperimentNameError, TrainerError, UsageError

ONE_LINE = r"\A[^\n]*{}[^\n]*\Z"


def one_line(pattern: str) -> str:
    return ONE_LINE.format(pattern)


# -- the order of things -------------------------------------------------------------------------


def test_initial_exp_calls_initial_callback_then_initial_trainer(tmp_path: Path) -> None:
    class Ordered(TinyTrainer):
        def initial_callback(self) -> None:
            self._called = ["callback"]
            assert self.experiment.running

        def initial_trainer(self, params: Params) -> None:
            assert params is self.params
            self._called.append("trainer")
            super().initial_trainer(params)

    assert start(Ordered, tmp_path)._called == ["callback", "trainer"]


def test_the_parts_of_the_run_exist_after_initial_exp(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)

    assert isinstance(trainer.experiment, Experiment)
    assert isinstance(trainer.logger, Logger)
    assert isinstance(trainer.saver, Saver)
    assert isinstance(trainer.rnd, RndManager)
    assert isinstance(trainer.lightning_trainer, pl.Trainer)
    assert trainer.module.model is trainer.model
    assert trainer.eval_dataloader is trainer.test_dataloader
    assert trainer.train_dataloader.dataset is trainer.eval_dataloader.dataset


@pytest.mark.parametrize(
    "use",
    [
        lambda trainer: trainer.train(),
        lambda trainer: trainer.eval(),
        lambda trainer: trainer.test(),
        lambda trainer: trainer.save_checkpoint(),
        lambda trainer: trainer.load_model(1),
        lambda trainer: trainer.predict_all(),
        lambda trainer: trainer.logger,
        lambda trainer: trainer.saver,
        lambda trainer: trainer.experiment,
        lambda trainer: trainer.rnd,
        lambda trainer: trainer.module,
    ],
)
def test_what_needs_a_run_says_so_before_there_is_one(use: Any) -> None:
    with pytest.raises(TrainerError, match=one_line("call initial_exp")):
        use(EvalTrainer(Params()))


def test_the_lightning_trainer_does_not_exist_within_initial_trainer(tmp_path: Path) -> None:
    class Early(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            for name in ("lightning_trainer", "module"):
                with pytest.raises(TrainerError, match="after initial_trainer, not within it"):
                    getattr(self, name)
            super().initial_trainer(params)

    start(Early, tmp_path)


def test_a_trainer_records_one_run(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)

    with pytest.raises(TrainerError, match=one_line("initial_exp was already called")):
        trainer.initial_exp(tmp_path)


def test_a_name_that_no_folder_can_have_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExperimentNameError):
        TinyTrainer(Params()).initial_exp(tmp_path / "root", "a/b")
    assert list(tmp_path.iterdir()) == []


# -- what a subclass writes ----------------------------------------------------------------------


class Returning(TinyTrainer):
    value: Any = None

    def train_batch(self, *args: Any) -> Any:
        super().train_batch(*args)
        return type(self).value


def returning(value: Any) -> type[Returning]:
    return type("Returned", (Returning,), {"value": value})


def test_train_batch_may_return_nothing_or_a_dict(tmp_path: Path) -> None:
    start(returning(None), tmp_path, 1).train()
    trainer = start(returning({"n": 3, "array": np.float32(2), "text": "x"}), tmp_path, 1)

    trainer.train()

    recorded = {name: values["last"] for name, values in trainer.experiment.metrics.items()}
    assert recorded == {"n": 3, "array": 2}


@pytest.mark.parametrize(
    ("value", "kind"), [(torch.tensor(1.0), "Tensor"), (3.0, "float"), ([Meter()], "list")]
)
def test_train_batch_must_not_return_another_kind(value: Any, kind: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=one_line(f"train_batch returned a {kind}; return a")):
        start(returning(value), tmp_path, 1).train()


def test_a_train_batch_with_a_yield_is_refused_by_name(tmp_path: Path) -> None:
    class Yielding(TinyTrainer):
        def train_batch(self, *args: Any) -> Any:
            yield super().train_batch(*args)

    with pytest.raises(TrainerError, match=one_line("train_batch returned a generator, .*`yield`")):
        start(Yielding, tmp_path, 1).train()


def test_test_eval_logic_may_return_a_dict_but_no_other_kind(tmp_path: Path) -> None:
    results: list[Any] = [(1, 2), {"acc": 0.5}]

    class Evaluating(TinyTrainer):
        def test_eval_logic(self, dataloader: Any, params: Params) -> Any:
            return results.pop()

    trainer = start(Evaluating, tmp_path)
    assert trainer.eval().acc == 0.5
    assert trainer.experiment.metrics["eval_acc"]["last"] == 0.5

    with pytest.raises(TrainerError, match=one_line("test_eval_logic returned a tuple")):
        trainer.test()


@pytest.mark.parametrize("method", ["initial_trainer", "train_batch", "predict"])
def test_a_method_that_is_missing_is_named(method: str, tmp_path: Path) -> None:
    class Part(TinyTrainer):
        pass

    setattr(Part, method, getattr(Trainer, method))

    def use() -> None:
        trainer = start(Part, tmp_path, 1)
        trainer.train()
        trainer.predict_all()

    with pytest.raises(TrainerError, match=one_line(rf"Part needs a method {method}\(self, ")):
        use()


def test_predict_all_gives_every_batch_in_eval_mode(tmp_path: Path) -> None:
    class Predicting(TinyTrainer):
        def predict(self, batch_data: Any) -> Any:
            assert not self.model.training
            assert not torch.is_grad_enabled()
            return self.model(batch_data[0]).argmax(1)

    trainer = start(Predicting, tmp_path)
    assert [len(batch) for batch in trainer.predict_all()] == [4] * 5  # of the test loader

    trainer._loaders["predict"] = make_loader(samples=6)
    predicted = torch.cat(trainer.predict_all())

    trainer.model.eval()
    expected = torch.cat([trainer.model(xs).argmax(1) for xs, _ in make_loader(samples=6)])
    assert torch.equal(predicted, expected)


class Width(Params):
    def __init__(self) -> None:
        super().__init__()
        self.width = 5
        self.device = "cpu"


def test_the_params_are_those_that_initial_trainer_names(tmp_path: Path) -> None:
    class Sized(TinyTrainer):
        def initial_trainer(self, params: Width) -> None:
            super().initial_trainer(params)

    class Unsized(TinyTrainer):
        def initial_trainer(self, params):
            super().initial_trainer(params)

    assert Sized.params_class() is Width
    assert Sized().params.width == 5
    assert Unsized.params_class() is Params


def test_an_annotation_that_cannot_be_read_is_told() -> None:
    class Unreadable(TinyTrainer):
        def initial_trainer(self, params: Missing) -> None:  # noqa: F821
            pass

    with pytest.raises(UsageError, match=one_line("'Missing' is not defined; import it")):
        Unreadable()


@pytest.mark.parametrize("params", [{"lr": 0.1}, BaseParams()])
def test_parameters_without_epoch_and_device_are_refused(params: Any) -> None:
    with pytest.raises(TrainerError, match=one_line("give a thexp_pl.Params")):
        TinyTrainer(params)


@pytest.mark.parametrize("name", ["trainer", "forward", "facade"])
def test_a_module_under_a_name_of_lightnings_own_is_refused(name: str, tmp_path: Path) -> None:
    class Clashing(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            setattr(self, name, make_model())

    with pytest.raises(TrainerError, match=one_line(rf"a module cannot be called self\.{name}")):
        start(Clashing, tmp_path)


# -- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loaders", "reason"),
    [
        ({"trian": make_loader()}, "knows train, eval, test, predict, not 'trian'; did you mean"),
        ({"train": 5}, "train: a int cannot be iterated; give a torch.utils.data.DataLoader"),
        ({"train": (batch for batch in make_loader())}, "a generator is at its end after one"),
        ({"eval": list(make_loader())}, "eval: Lightning takes a list for several loaders"),
        ({"test": {"a": make_loader()}}, "test: Lightning takes a dict for several loaders"),
    ],
)
def test_data_that_cannot_be_meant_is_refused(loaders: Any, reason: str) -> None:
    with pytest.raises(TrainerError, match=one_line(reason)):
        TinyTrainer(Params()).regist_databundler(**loaders)


def test_training_without_data_says_how_to_register_it(tmp_path: Path) -> None:
    class Bare(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            self.model = make_model()

    with pytest.raises(TrainerError, match=one_line(r"call self\.regist_databundler\(train=")):
        start(Bare, tmp_path).train()


def test_a_loader_registered_later_takes_the_place_of_the_first(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path, 1)
    other = DataLoader(trainer.train_dataloader.dataset, 10)

    trainer.regist_databundler(train=other)
    trainer.train()

    assert trainer.lightning_trainer.global_step == 2


# -- callbacks -----------------------------------------------------------------------------------


def test_overriding_initial_callback_replaces_the_two_and_neither_recording_nor_saving(
    tmp_path: Path,
) -> None:
    class Silent(EvalTrainer):
        def initial_callback(self) -> None:
            pass

    def kinds(trainer: Any) -> set[type]:
        shown = (EvalCallback, LoggerCallback, MeterCallback, SaverCallback)
        return {type(one) for one in trainer.lightning_trainer.callbacks} & set(shown)

    assert kinds(start(EvalTrainer, tmp_path)) == {
        *(EvalCallback, LoggerCallback, MeterCallback, SaverCallback)
    }
    assert kinds(start(Silent, tmp_path)) == {MeterCallback, SaverCallback}


def test_of_each_class_of_callback_there_is_one_the_newest(tmp_path: Path) -> None:
    newest = EvalCallback(3, 3)

    class Twice(TinyTrainer):
        def initial_callback(self) -> None:
            super().initial_callback()
            newest.hook(self)

    trainer = start(Twice, tmp_path)

    found = [one for one in trainer.lightning_trainer.callbacks if isinstance(one, EvalCallback)]
    assert found == [newest]


def test_callbacks_of_the_constructor_replace_hooked_ones_but_not_each_other(
    tmp_path: Path,
) -> None:
    best, last = ModelCheckpoint(monitor="loss"), ModelCheckpoint(filename="last")
    given = [EvalCallback(3, 3), best, last]
    trainer = start(EvalTrainer, tmp_path, callbacks=given)

    kinds = (EvalCallback, ModelCheckpoint)
    assert [one for one in trainer.lightning_trainer.callbacks if isinstance(one, kinds)] == given


def test_what_is_no_callback_is_refused(tmp_path: Path) -> None:
    trainer = start(TinyTrainer, tmp_path)

    with pytest.raises(TrainerError, match=one_line("a Meter is no callback")):
        trainer.add_callback(Meter())


# -- options and devices -------------------------------------------------------------------------


def test_keyword_arguments_reach_the_lightning_trainer(tmp_path: Path) -> None:
    class Own(pl.Callback):
        pass

    own = Own()
    trainer = start(TinyTrainer, tmp_path, callbacks=own, log_every_n_steps=3, min_epochs=2)

    lightning = trainer.lightning_trainer
    assert own in lightning.callbacks
    assert (lightning.log_every_n_steps, lightning.min_epochs) == (3, 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_step": 3}, "'max_step' is no option of the Lightning Trainer; did you mean"),
        ({"logger": False}, "logger=False: the facade Trainer always records its run"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_refused_at_once(
    options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=one_line(reason)):
        TinyTrainer(Params(), **options)


def device_of(tmp_path: Path, device: str | None = None, **options: Any) -> str:
    params = Params()
    if device is not None:
        params.device = device
    trainer = TinyTrainer(params, **options)
    trainer.initial_exp(tmp_path / "root")
    written = json.loads(trainer.experiment.paths.manifest.read_text())["params"]["device"]
    trainer.experiment.end_exp()
    assert str(trainer.lightning_trainer.strategy.root_device) == params.device == written
    return str(params.device)


def test_a_device_that_was_not_chosen_follows_the_accelerator(tmp_path: Path) -> None:
    assert device_of(tmp_path, accelerator="cpu") == "cpu"
    assert device_of(tmp_path, "cpu", accelerator="auto", devices=1) == "cpu"


@pytest.mark.parametrize(
    ("device", "options", "reason"),
    [
        ("cuda:97", {}, "device 'cuda:97' is not on this machine; there is cpu"),
        ("gpu", {}, "device 'gpu' is unknown; use 'cpu', 'cuda:0' or 'mps'"),
        (0.5, {}, "device 0.5 is unknown"),
        ("meta", {}, "device 'meta' is not supported"),
        ("cpu", {"accelerator": "gpu"}, "accelerator 'gpu' contradicts device 'cpu'"),
        (None, {"accelerator": "tpu"}, "accelerator 'tpu' is not supported"),
    ],
)
def test_a_device_that_cannot_be_had_is_refused_and_leaves_nothing(
    device: Any, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=one_line(reason)):
        device_of(tmp_path, device, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="shows what is said where there is none")
def test_cuda_without_a_cuda_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=one_line("device 'cuda:0' is not on this machine")):
        device_of(tmp_path, None, accelerator="gpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_device_follows_a_gpu_by_name_or_index(tmp_path: Path) -> None:
    assert device_of(tmp_path, accelerator="gpu") == "cuda:0"
    assert device_of(tmp_path, accelerator="gpu", devices=[0]) == "cuda:0"
    with pytest.raises(UsageError, match=r"devices .* contradicts device 'cuda:0'"):
        device_of(tmp_path, "cuda:0", devices=[1])


# -- a plain Lightning program can use the facade's module -----------------------------------------


def test_the_module_is_a_lightning_module_of_the_facades_modules(tmp_path: Path) -> None:
    class Two(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.head = nn.Linear(3, 2)

    trainer = start(Two, tmp_path)
    plain = PlainModule()

    assert list(trainer.module.state_dict()) == [
        *plain.state_dict(),
        "head.weight",
        "head.bias",
    ]
