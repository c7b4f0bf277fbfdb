"""RunLogger: the journal says how a training ran and where it came from."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningCLI
from torch.utils.data import DataLoader
from trainer_helpers import PlainModule, make_loader, plain_trainer

from thexp_pl import RunLogger
from thexp_pl.callbacks import SaverCallback
from thexp_pl.record.journal import read_journal

pytestmark = pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")


@pytest.fixture
def make_logger(tmp_path: Path) -> Iterator[Any]:
    made: list[RunLogger] = []

    def make(name: str) -> RunLogger:
        made.append(RunLogger(tmp_path / "root", name, board=False, code=False, console=False))
        return made[-1]

    yield make
    for logger in made:
        logger.experiment.end_exp()


class Both(PlainModule):
    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_logged", 1.0)


def fit(logger: RunLogger, epochs: int, ckpt: Any = None, callback: Any = None) -> pl.Trainer:
    trainer = plain_trainer(
        logger=logger,
        max_epochs=epochs,
        enable_checkpointing=callback is not None,
        callbacks=[callback] if callback else [],
        gradient_clip_val=0.5,
    )
    trainer.fit(Both(), make_loader(), ckpt_path=ckpt)
    return trainer


def events(logger: RunLogger, kind: str) -> list[dict[str, Any]]:
    found = read_journal(logger.experiment.paths.journal)
    return [event for event in found if event["event"] == kind]


def parent(logger: RunLogger) -> Any:
    return json.loads(logger.experiment.paths.manifest.read_text())["parent"]


def test_each_fit_and_test_leaves_its_circumstances_in_the_journal(make_logger: Any) -> None:
    logger = make_logger("facts")

    fit(logger, 1).test(Both(), make_loader(), verbose=False)

    (fitted,), (tested,) = events(logger, "fit"), events(logger, "test")
    told = ("model", "strategy", "devices", "precision", "max_epochs", "gradient_clip_val")
    assert {name: fitted[name] for name in told} == {
        "model": "Both",
        "strategy": "SingleDeviceStrategy",
        "devices": 1,
        "precision": "32-true",
        "max_epochs": 1,
        "gradient_clip_val": 0.5,
    }
    assert tested["model"] == "Both"
    assert events(logger, "resume") == []
    assert parent(logger) is None


def test_a_checkpoint_of_another_run_makes_that_run_the_parent(make_logger: Any) -> None:
    first, second = make_logger("one"), make_logger("two")
    checkpoint = ModelCheckpoint()
    fit(first, 1, callback=checkpoint)
    path = Path(checkpoint.best_model_path)

    fit(second, 2, ckpt=path)

    assert parent(second) == {
        "key": first.version,
        "how": "resumed",
        "sha256": None,
        "checkpoint": path.relative_to(first.save_dir).as_posix(),
    }
    (event,) = events(second, "resume")
    assert (event["path"], event["run"]) == (str(path), first.version)


def test_a_sidecar_tells_the_run_wherever_its_checkpoint_lies(
    make_logger: Any, tmp_path: Path
) -> None:
    first, second = make_logger("one"), make_logger("two")
    fit(first, 1, callback=SaverCallback())
    for name in ("0000001.ckpt", "0000001.ckpt.json"):
        shutil.copy(first.experiment.path / "modules" / name, tmp_path / name)

    fit(second, 2, ckpt=tmp_path / "0000001.ckpt")

    origin = parent(second)
    assert (origin["key"], origin["how"]) == (first.version, "resumed")
    assert origin["checkpoint"].endswith("0000001.ckpt")
    content = (tmp_path / "0000001.ckpt").read_bytes()
    assert origin["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_checkpoint_of_no_run_or_of_the_same_has_no_parent(
    make_logger: Any, tmp_path: Path
) -> None:
    alone, own = make_logger("alone"), make_logger("own")
    checkpoint = ModelCheckpoint(dirpath=tmp_path / "elsewhere")
    fit(alone, 1, callback=checkpoint)
    fit(own, 1, callback=SaverCallback())

    fit(alone, 2, ckpt=checkpoint.best_model_path)
    fit(own, 2, ckpt=own.experiment.path / "modules" / "0000001.ckpt")

    assert (parent(alone), parent(own)) == (None, None)
    (event,) = events(alone, "resume")
    assert (event["path"], event["run"]) == (checkpoint.best_model_path, None)
    (event,) = events(own, "resume")
    assert (event["path"], event["run"]) == ("modules/0000001.ckpt", own.version)


def test_testing_a_checkpoint_of_another_run_loads_it_and_resumes_nothing(
    make_logger: Any,
) -> None:
    first, second = make_logger("one"), make_logger("two")
    fit(first, 1, callback=SaverCallback())
    path = first.experiment.path / "modules" / "0000001.ckpt"

    plain_trainer(logger=second).test(Both(), make_loader(), ckpt_path=path, verbose=False)

    (event,) = events(second, "load")
    assert (event["path"], event["run"]) == (str(path), first.version)
    assert parent(second) is None
    assert events(second, "resume") == []


class FromCommandLine(PlainModule):
    def __init__(self, width: int = 4, api_key: str = "") -> None:
        super().__init__()
        self.save_hyperparameters()

    def train_dataloader(self) -> DataLoader:
        return make_loader()


# Lightning 2.6 calls what jsonargparse has renamed
@pytest.mark.filterwarnings("ignore:(?s).*was deprecated in v4.49.0")
def test_a_plain_lightning_cli_builds_it_and_its_configuration_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["main.py"])
    Path("config.yaml").write_text(
        """
model:
  width: 7
  api_key: planted-12345678
trainer:
  accelerator: cpu
  max_epochs: 1
  enable_checkpointing: false
  enable_progress_bar: false
  enable_model_summary: false
  logger:
    class_path: thexp_pl.RunLogger
    init_args: {save_dir: root, name: by_yaml, code: false, board: false, console: false}
  callbacks:
    - class_path: thexp_pl.callbacks.ExperimentCallback
      init_args: {root: unused}
"""
    )
    cli = LightningCLI(
        FromCommandLine,
        args=["fit", "--config=config.yaml"],
        seed_everything_default=False,
        save_config_kwargs={"overwrite": True},
    )
    (logger,) = cli.trainer.loggers
    logger.experiment.end_exp()

    folder = Path(logger.log_dir)
    assert folder.parent == tmp_path / "root/by_yaml"
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["params"] == {"width": 7, "api_key": "<redacted>"}
    config = (folder / "config.yaml").read_text()
    assert "width: 7" in config
    assert "class_path: thexp_pl.RunLogger" in config
    assert "planted" not in config
    assert not Path("unused").exists()
