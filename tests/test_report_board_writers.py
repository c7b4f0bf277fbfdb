"""BoardPlotter reads what real writers write: thexp_pl's board and torch's SummaryWriter."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard.writer import SummaryWriter

from thexp_pl import RunLogger
from thexp_pl.loggers.board import Board
from thexp_pl.report.board import BoardPlotter


def raise_it(error: Exception) -> None:
    raise error


def test_a_run_of_our_own_is_read_by_its_key(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "shown", code=False, console=False)
    for step, loss in enumerate((0.5, math.inf, 0.25)):
        logger.log_metrics({"loss": loss}, step)
    logger.finalize("success")
    board = BoardPlotter(logger.experiment.key)
    assert board.scalars("loss").values.tolist() == [0.5, math.inf, 0.25]
    assert board.scalars("loss").steps.tolist() == [0, 1, 2]


def test_a_run_that_went_on_in_its_folder_reads_as_tensorboard_shows_it(tmp_path: Path) -> None:
    for first, last, value, goes_back in ((0, 6, 1.0, False), (3, 5, 2.0, True)):
        opened = Board(tmp_path, report=raise_it, goes_back=goes_back)
        for step in range(first, last):
            opened.add_scalars(step, {"loss": value})
        opened.close()
    curve = BoardPlotter(tmp_path).scalars("loss")
    shown = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    found = list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))
    assert found == [(event.step, event.value) for event in shown]
    assert found == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch")
    for purge_step in (None, 2):
        with SummaryWriter(
            str(folder), purge_step=purge_step, filename_suffix=f"{purge_step}"
        ) as w:
            for step in range(purge_step or 0, 4):
                w.add_scalar("train/loss", step + (purge_step or 0) * 10, step)
                w.add_scalar("acc", step / 4, step, new_style=True)
            pixels = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
            w.add_image("samples", pixels, 3)
            w.add_images("batch", pixels[None].repeat(2, 1, 1, 1), 3)
            w.add_histogram("weights", torch.arange(100.0), 3)
            w.add_text("note", "*hello*", 3)
            w.add_hparams({"lr": 0.1}, {"best": 0.9}, run_name="hparams")
            w.add_scalars("both", {"one": 1.0, "two": 2.0}, 3)
    return folder


def test_what_torch_writes_is_read(written: Path) -> None:
    board = BoardPlotter(written)
    assert board.tags() == {
        "scalars": ["acc", "both_one/both", "both_two/both", "hparams/best", "train/loss"],
        "images": ["batch", "samples"],
        "histograms": ["weights"],
        "texts": ["note/text_summary"],
    }
    assert board.scalars("train/loss").values.tolist() == [0, 1, 22, 23]
    assert board.scalars("acc").values.tolist() == [0, 0.25, 0.5, 0.75]
    assert board.scalars("both_two/both").values.tolist() == [2]
    [picture] = board.images("samples")
    expected = np.arange(48, dtype=np.uint8).reshape(3, 4, 4).transpose(1, 2, 0)
    np.testing.assert_array_equal(picture.pixels, expected)
    [histogram] = board.histograms("weights")
    assert histogram.counts.sum() == 100
    assert (histogram.limits[0], histogram.limits[-1]) == (0, 99)
    assert [text.text for text in board.texts("note/text_summary")] == ["*hello*"]


def test_what_torch_writes_is_saved(written: Path, tmp_path: Path) -> None:
    saved = BoardPlotter(written).save(tmp_path, formats=("pdf", "csv"))
    assert {path.relative_to(tmp_path).as_posix() for path in saved} == {
        *(
            f"{name}.{form}"
            for name in (
                "acc",
                "both_one_both",
                "both_two_both",
                "hparams_best",
                "train_loss",
                "weights",
            )
            for form in ("pdf", "csv")
        ),
        "batch/0000003.png",
        "samples/0000003.png",
        "note_text_summary/0000003.md",
    }
