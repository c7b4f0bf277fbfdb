"""RunLogger: a plain Lightning training leaves a run."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from trainer_helpers import (
    PlainModule,
    lightnings_own_warnings,
    make_loader,
    metrics_of,
    plain_trainer,
)

from thexp_pl import ExperimentViewer, Params, RunLogger
from thexp_pl.callbacks import MeterCallback
from thexp_pl.errors import ExperimentNameError, RecordError, UsageError
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.record.journal import read_journal

pytestmark = pytest.mark.usefixtures("logger")


@pytest.fixture
def logger(tmp_path: Path):
    run_logger = RunLogger(tmp_path / "root", "plain", board=False, code=False, console=False)
    yield run_logger
    if (tmp_path / "root").exists():
        run_logger.experiment.end_exp()


class Logging(PlainModule):
    """Logs a value in training and one in testing."""

    def __init__(self, width: int = 8, options: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        output = super().training_step(batch, batch_idx)
        self.log("logged", float(batch_idx), on_step=False, on_epoch=True)
        return output

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_logged", 1.0)


def fit(logger: Any, module: Any = None, **options: Any) -> pl.Trainer:
    trainer = plain_trainer(logger=logger, max_epochs=2, **options)
    trainer.fit(module or PlainModule(), make_loader())
    return trainer


def manifest(logger: RunLogger) -> dict[str, Any]:
    return json.loads(logger.experiment.paths.manifest.read_text())


# -- what is recorded ----------------------------------------------------------------------------


@lightnings_own_warnings
def test_a_plain_training_leaves_its_metrics_and_hyperparameters(logger: RunLogger) -> None:
    fit(logger, Logging(16, {"lr": 0.1, "betas": (0.9, 0.99)}), callbacks=[MeterCallback()])

    rows = metrics_of(logger.experiment)
    assert rows["logged"] == [(4, 0, 2.0), (9, 1, 2.0)]
    assert [row[:2] for row in rows["loss"]] == [(4, 0), (9, 1)]
    written = manifest(logger)
    assert written["params"] == {"width": 16, "options": {"lr": 0.1, "betas": [0.9, 0.99]}}
    assert written["metrics"]["logged"]["last"] == 2.0


@lightnings_own_warnings
def test_testing_after_training_goes_into_the_same_run(logger: RunLogger, tmp_path: Path) -> None:
    module = Logging()
    trainer = fit(logger, module)
    assert logger.experiment.is_open

    trainer.test(module, make_loader(), verbose=False)

    assert metrics_of(logger.experiment)["test_logged"][0][2] == 1.0
    assert len(ExperimentViewer([tmp_path / "root"]).list()) == 1
    assert manifest(logger)["status"] == "finished"


@lightnings_own_warnings
def test_two_trainers_may_share_a_run(logger: RunLogger, tmp_path: Path) -> None:
    for name in ("one", "two"):
        trainer = fit(logger)
        assert trainer.loggers == [logger]
        logger.log_metrics({name: 1.0})

    assert {"one", "two"} <= metrics_of(logger.experiment).keys()
    assert len(ExperimentViewer([tmp_path / "root"]).list()) == 1


@lightnings_own_warnings
def test_it_stands_beside_another_logger(logger: RunLogger, tmp_path: Path) -> None:
    other = CSVLogger(tmp_path / "csv")

    fit([other, logger], Logging(), callbacks=[MeterCallback()])

    assert metrics_of(logger.experiment)["logged"] == [(4, 0, 2.0), (9, 1, 2.0)]
    assert "logged" in (Path(other.log_dir) / "metrics.csv").read_text()


@lightnings_own_warnings
def test_the_checkpoints_of_lightnings_own_callback_lie_in_the_run(logger: RunLogger) -> None:
    fit(logger, enable_checkpointing=True, callbacks=[ModelCheckpoint()])

    folder = logger.experiment.path / "checkpoints"
    assert [path.name for path in folder.iterdir()] == ["epoch=1-step=10.ckpt"]
    events = read_journal(logger.experiment.paths.journal)
    saved = [event["path"] for event in events if event["event"] == "checkpoint"]
    assert saved == ["checkpoints/epoch=0-step=5.ckpt", "checkpoints/epoch=1-step=10.ckpt"]


@dataclass
class Settings:
    lr: float = 0.1
    sizes: tuple[int, ...] = (3, 4)


class Sizes(Sequence[int]):
    """A list of its own kind, as configuration packages have them."""

    def __init__(self, items: tuple[int, ...]) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


def some_params() -> Params:
    params = Params()
    params.device = "cpu"
    params.optim_option(lr=0.1)
    return params


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"optim": {"lr": 0.1, "betas": [1, 2]}}, {"optim": {"lr": 0.1, "betas": [1, 2]}}),
        (Namespace(lr=0.1, optim=Namespace(beta=0.9)), {"lr": 0.1, "optim": {"beta": 0.9}}),
        ({"sizes": Sizes((1, 2)), "own": [Namespace(a=1)]}, {"sizes": [1, 2], "own": [{"a": 1}]}),
        ({"lr": 0.1, "_instantiator": "a.LightningCLI's own"}, {"lr": 0.1}),
        (None, {}),
        (Settings(), {"lr": 0.1, "sizes": [3, 4]}),
        (some_params(), {"epoch": 10, "device": "cpu", "optim": {"lr": 0.1}}),
    ],
)
def test_hyperparameters_come_in_many_kinds_and_add_up(
    given: Any, written: dict[str, Any], logger: RunLogger
) -> None:
    logger.log_hyperparams({"first": 1})
    logger.log_hyperparams(given)

    assert manifest(logger)["params"] == {"first": 1, **written}


def test_hyperparameters_and_metrics_of_another_kind_are_refused(logger: RunLogger) -> None:
    with pytest.raises(UsageError, match="params cannot be a list"):
        logger.log_hyperparams([1])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'loss' is 'high', a str"):
        logger.log_metrics({"loss": "high"})  # type: ignore[dict-item]


# -- names ---------------------------------------------------------------------------------------


def test_its_names_are_those_of_the_run(logger: RunLogger, tmp_path: Path) -> None:
    assert (logger.name, logger.save_dir) == ("plain", str(tmp_path / "root"))
    assert not (tmp_path / "root").exists(), "making a logger starts nothing"

    assert logger.version == logger.experiment.key
    assert logger.log_dir == str(tmp_path / "root" / "plain" / logger.version)
    assert Path(logger.log_dir, "run.json").is_file()


def test_other_ranks_start_nothing(
    logger: RunLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    logger.log_hyperparams({"lr": 0.1})
    logger.log_metrics({"loss": 0.5}, step=0)
    logger.log_checkpoint("a.ckpt")
    logger.experiment.log_metrics(0, 0, {"loss": 0.5})
    logger.finalize("failed")

    assert (logger.version, logger.log_dir) == (None, None)
    assert logger.name == "plain"
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("name", ["a/b", "..", "", "a\0b", "x" * 300])
def test_a_name_that_no_folder_can_have_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExperimentNameError):
        RunLogger(tmp_path / "root", name)
    assert not (tmp_path / "root").exists()


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordError):
        RunLogger(tmp_path / "file", "plain").log_metrics({"loss": 0.5})


# -- the end -------------------------------------------------------------------------------------


class Raising(PlainModule):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if batch_idx == 2:
            raise self.error
        return super().training_step(batch, batch_idx)


@lightnings_own_warnings
@pytest.mark.parametrize(
    ("error", "out", "status"),
    [
        (ValueError("on purpose"), ValueError, "failed"),
        (KeyboardInterrupt(), SystemExit, "interrupted"),  # Lightning exits in its place
        (SystemExit(3), SystemExit, "failed"),
        (SystemExit(0), SystemExit, "finished"),
    ],
)
def test_what_ends_a_training_ends_the_run(
    error: BaseException, out: type[BaseException], status: str, logger: RunLogger
) -> None:
    with pytest.raises(out) as caught:
        fit(logger, Raising(error))

    assert caught.value is error or isinstance(error, KeyboardInterrupt)
    assert not logger.experiment.running
    written = manifest(logger)
    assert written["status"] == status
    assert written["cause"]["type"] == type(error).__name__
    trace = logger.experiment.paths.traceback.read_text()
    assert "in training_step" in trace


@lightnings_own_warnings
def test_what_comes_after_the_end_is_one_warning(logger: RunLogger) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        fit(logger, Raising(ValueError("on purpose")))

    with pytest.warns(RecorderWarning) as caught:
        fit(logger, PlainModule(), callbacks=[MeterCallback()])

    told = [str(one.message) for one in caught if one.category is RecorderWarning]
    assert len(told) == 1
    assert "has ended: what comes now is not recorded" in told[0]
    assert manifest(logger)["status"] == "failed"


def test_a_logger_that_recorded_nothing_ends_nothing(logger: RunLogger, tmp_path: Path) -> None:
    logger.finalize("failed")

    assert not (tmp_path / "root").exists()
