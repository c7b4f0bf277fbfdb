"""RunLogger: parts that are left out, faults that are raised, runs that are given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from trainer_helpers import PlainModule, make_loader, metrics_of, plain_trainer

from thexp_pl import Experiment, ExperimentViewer, RunLogger
from thexp_pl.callbacks import ExperimentCallback, MeterCallback
from thexp_pl.errors import RecordError


def fit(logger: RunLogger, **options: Any) -> None:
    trainer = plain_trainer(logger=logger, max_epochs=1, callbacks=[MeterCallback()], **options)
    trainer.fit(PlainModule(), make_loader())


@pytest.mark.parametrize("door", ["logger", "callback"])
@pytest.mark.parametrize("wanted", [True, False])
def test_code_console_and_board_are_kept_as_wanted(
    door: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "train.py").write_text("print()")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr("sys.argv", ["train.py"])
    parts = {"board": wanted, "code": wanted, "console": wanted}
    root = tmp_path / "root"
    if door == "logger":
        logger = RunLogger(root, "parts", **parts)
    else:
        logger = ExperimentCallback(root, "parts", **parts).run_logger

    fit(logger)
    logger.experiment.end_exp()

    paths = logger.experiment.paths
    assert paths.board.exists() is wanted
    assert paths.console.exists() is wanted
    assert (json.loads(paths.manifest.read_text())["code"] is not None) is wanted


def test_strict_raises_what_is_otherwise_one_warning(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "strict", strict=True, code=False, console=False)
    logger.log_metrics({"loss": 0.5}, step=0)
    shutil.rmtree(logger.experiment.path)

    with pytest.raises(RecordError, match="not recorded in full"):
        fit(logger)

    logger.experiment.end_exp()  # it has ended, and says nothing again


def test_a_run_that_is_given_is_begun_where_it_was_not(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, "given", code=False, console=False)
    experiment.params = {"lr": 0.1}
    logger = RunLogger(experiment=experiment)
    assert (logger.name, logger.save_dir) == ("given", str(tmp_path))
    assert not (tmp_path / "given").exists()

    fit(logger)

    assert "loss" in metrics_of(experiment)
    (run,) = ExperimentViewer([tmp_path]).runs()
    assert (run.key, run.status) == (experiment.key, "finished")
    assert run.manifest["params"] == {"lr": 0.1}
