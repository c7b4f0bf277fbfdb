"""RunLogger: the event files beside the record, as TensorBoard reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from trainer_helpers import PlainModule, make_loader, plain_trainer

from thexp_pl import RunLogger
from thexp_pl.callbacks import MeterCallback
from thexp_pl.record.faults import RecorderWarning

SECRET = "planted-7f3a91c2"


class WithGraph(PlainModule):
    def __init__(self, width: int = 8, api_key: str = SECRET) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.example_input_array = torch.zeros(1, 6)

    def forward(self, xs: torch.Tensor) -> Any:
        return self.model(xs)


def make_logger(root: Path, **options: Any) -> RunLogger:
    return RunLogger(root, "shown", code=False, console=False, **options)


def fit(logger: RunLogger, module: Any = None) -> None:
    trainer = plain_trainer(logger=logger, max_epochs=2, callbacks=[MeterCallback()])
    trainer.fit(module or WithGraph(), make_loader())


def shown(logger: RunLogger) -> EventAccumulator:
    events = EventAccumulator(str(logger.experiment.paths.board))
    events.Reload()
    return events


def hparams(logger: RunLogger) -> dict[str, Any]:
    content = shown(logger).PluginTagToContent("hparams")["_hparams_/session_start_info"]
    info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    kinds = ("number_value", "string_value", "bool_value")
    return {
        name: next(getattr(value, kind) for kind in kinds if value.HasField(kind))
        for name, value in info.hparams.items()
    }


def test_the_board_shows_metrics_and_at_the_end_the_parameters(tmp_path: Path) -> None:
    logger = make_logger(tmp_path)

    fit(logger)
    losses = [event.value for event in shown(logger).Scalars("loss")]
    logger.experiment.end_exp()

    assert len(losses) == 2
    assert losses[-1] == pytest.approx(logger.experiment.metrics["loss"]["last"])
    assert hparams(logger) == {"width": 8, "api_key": "<redacted>"}


def test_a_run_that_goes_on_after_a_pause_shows_its_curves_as_they_are(tmp_path: Path) -> None:
    logger = make_logger(tmp_path)
    for step, loss in ((5, 0.5), (7, 0.25)):
        logger.log_metrics({"loss": loss, f"loss_{step}": loss}, step)
        logger.finalize("success")  # the run pauses, and its board is closed
    logger.experiment.log_metrics(8, None, {"late": 1.0})
    logger.log_metrics({"loss": 0.125}, None)
    logger.experiment.end_exp()

    curves = {
        name: [(one.step, one.value) for one in shown(logger).Scalars(name)]
        for name in ("loss", "loss_5", "loss_7", "late")
    }
    assert curves == {
        "loss": [(5, 0.5), (7, 0.25), (7, 0.125)],
        "loss_5": [(5, 0.5)],
        "loss_7": [(7, 0.25)],
        "late": [(7, 1.0)],
    }


def test_the_parameters_are_shown_of_a_run_that_failed_too(tmp_path: Path) -> None:
    class Raising(WithGraph):
        def on_train_epoch_end(self) -> None:
            if self.current_epoch == 1:
                raise ValueError("on purpose")

    logger = make_logger(tmp_path)

    with pytest.raises(ValueError, match="on purpose"):
        fit(logger, Raising())

    assert hparams(logger)["width"] == 8


def test_no_file_of_the_record_holds_a_secret_that_was_a_hyperparameter(tmp_path: Path) -> None:
    logger = make_logger(tmp_path)
    logger.log_hyperparams({"password": SECRET})
    logger.log_metrics({f"loss of {SECRET}": 1.0}, step=0)
    fit(logger)
    logger.experiment.end_exp()

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("tfevents" in path.name for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_the_models_graph_is_shown_where_that_is_wanted(tmp_path: Path) -> None:
    logger = make_logger(tmp_path, log_graph=True)
    module = WithGraph()

    fit(logger, module)
    logger.experiment.end_exp()

    assert b"Linear" in shown(logger).Graph().SerializeToString()
    assert module.training


def test_a_graph_that_cannot_be_shown_is_one_warning(tmp_path: Path) -> None:
    logger = make_logger(tmp_path, log_graph=True)

    with pytest.warns(RecorderWarning, match="set the module's example_input_array"):
        fit(logger, PlainModule())

    assert len(shown(logger).Scalars("loss")) == 2
    logger.experiment.end_exp()


def test_without_a_board_there_is_no_folder_for_it(tmp_path: Path) -> None:
    logger = make_logger(tmp_path, board=False)

    fit(logger)
    logger.experiment.end_exp()

    assert not logger.experiment.paths.board.exists()
    assert logger.experiment.metrics["loss"]["count"] == 2
