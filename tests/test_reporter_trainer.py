"""The facade's reporter, and the pictures of AutoReport."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from markdown_helpers import Shown, shown
from PIL import Image
from resume_nursery import nursery
from trainer_helpers import (
    BATCHES,
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_loader,
    plain_trainer,
    start,
)

from thexp_pl import Experiment, Params, RunLogger
from thexp_pl.callbacks import AutoReport, EvalCallback, MeterCallback
from thexp_pl.errors import TrainerError
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.record.journal import read_journal
from thexp_pl.report.album import curve_sections, picture_sections


def report_of(trainer: Any) -> Shown:
    return shown(trainer.experiment.path / "plot" / "report.md")


class Reporting(TinyTrainer):
    """Reports in its batches, and of the whole run."""

    def initial_callback(self) -> None:
        AutoReport().hook(self)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self.reporter.add_scalar(torch.tensor(global_step), global_step, "steps | done")
        if (eidx, idx) == (2, 0):
            self.reporter.add_figure(batch_data[0].sigmoid(), "first <batch>", global_step)
        return super().train_batch(eidx, idx, global_step, batch_data, params, device)


def test_there_is_no_reporter_before_there_is_a_run() -> None:
    with pytest.raises(TrainerError, match="call initial_exp"):
        _ = TinyTrainer(Params()).reporter


def test_the_report_of_a_run_has_its_curves_its_pictures_and_what_the_reporter_was_given(
    tmp_path: Path,
) -> None:
    trainer = start(Reporting, tmp_path, 2)
    trainer.reporter.add_tag("a first try")
    mine = trainer.experiment.hold_exp_part("plot", [".png"]) / "deep" / "a (1).png"
    mine.parent.mkdir()
    Image.new("RGB", (4, 4)).save(mine)
    (mine.parent / "leads-out.png").symlink_to(mine)
    trainer.train()
    trainer.experiment.end_exp()

    report = report_of(trainer)

    plot = trainer.experiment.path / "plot"
    assert report.headings == [
        f"{trainer.experiment.name} {trainer.experiment.key}",
        *("Parameters", "Metrics", "Curves", "loss"),
        *("Tags", "Scalars", "steps | done", "Figures", "first <batch>"),
        *("Pictures", "deep/a (1).png", "Checkpoints", "Environment"),
    ]
    assert report.rows("steps | done") == [["0", "0"], ["9", "9"]]
    assert report.picture_files(plot) == [
        plot / "curves" / "loss.png",
        plot / "0001" / "steps---done.png",
        plot / "0001" / f"first--batch-{BATCHES}.png",
        mine,
    ]
    for file in report.picture_files(plot):
        with Image.open(file) as image:
            image.load()
    changed = {event.get("path") for event in read_journal(trainer.experiment.paths.journal)}
    assert {"plot/curves/loss.png", "plot/0001/steps---done.png"} <= changed


def test_a_reporter_of_the_run_goes_on_after_its_report(tmp_path: Path) -> None:
    trainer = start(Reporting, tmp_path, 1)
    assert trainer.reporter is trainer.reporter
    trainer.train()
    trainer.reporter.add_scalar(7, 7, "later")

    path = trainer.reporter.report()

    assert path == trainer.experiment.path / "plot" / "0001" / "report.md"
    assert shown(path).headings[1:] == ["Scalars", "steps | done", "later"]


class Scored(EvalTrainer):
    def initial_callback(self) -> None:
        EvalCallback(1, 0).hook(self)
        AutoReport(1).hook(self)


def test_without_matplotlib_the_report_has_its_tables_and_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start(Scored, tmp_path, 1)
    trainer.reporter.add_scalar(3, 0, "mine")
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    trainer.train()

    report = report_of(trainer)
    told = [text for text in report.paragraphs if "pip install 'thexp-pl[report]'" in text]
    assert len(told) == 2  # below Curves, and below Scalars
    assert report.rows("mine") == [["0", "3"]]
    assert {row[0] for row in report.rows("Metrics")} == {"loss", "eval_loss"}
    assert report.pictures == []


def test_curves_that_cannot_be_drawn_leave_the_tables(tmp_path: Path) -> None:
    trainer = start(Scored, tmp_path, 2)
    folder = trainer.experiment.hold_exp_part("plot")
    (folder / "curves").write_text("in the way")

    with pytest.warns(RecorderWarning, match="the report of .* is not recorded in full") as told:
        trainer.train()

    assert len(told) == 1
    assert {row[0] for row in report_of(trainer).rows("Metrics")} == {"loss", "eval_loss"}


def test_a_secret_with_letters_that_markdown_escapes_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "planted_7f3a_91c2"
    monkeypatch.setenv("SERVICE_TOKEN", secret)

    class Telling(Scored):
        def train_batch(self, *args):
            raise ValueError(f"refused: {secret}")

    trainer = start(Telling, tmp_path, 1)
    with pytest.raises(ValueError, match="refused"):
        trainer.train()

    text = (trainer.experiment.path / "plot" / "report.md").read_text()
    assert "failed: ValueError: refused: " in text
    assert secret not in text.replace("\\", "")


@lightnings_own_warnings
def test_a_plain_lightning_trainer_has_the_curves_too(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "plain", code=False, console=False)
    callbacks = [MeterCallback(), AutoReport()]
    plain_trainer(logger=logger, callbacks=callbacks, max_epochs=2).fit(
        PlainModule(), make_loader()
    )

    plot = logger.experiment.path / "plot"
    assert shown(plot / "report.md").picture_files(plot) == [plot / "curves" / "loss.png"]


# -- ranks ---------------------------------------------------------------------------------------


class OnRanks(Reporting):
    """Reports on every rank."""

    def train_batch(self, *args):
        self.reporter.add_figure(torch.zeros(2, 2), "mine")
        self.reporter.add_ftag("file", "there")
        self.reporter.savefig()
        self.reporter.savearr()
        writes = torch.distributed.get_rank() == 0
        assert (self.reporter.report().name == "report.md") is writes
        return super().train_batch(*args)


def train(folder: str) -> None:
    trainer = start(OnRanks, Path(folder), 1, devices=2, strategy="ddp_fork")
    trainer.reporter.add_scalar(1, 0, "before")
    trainer.reporter.report()
    trainer.train()
    trainer.reporter.add_tag("after")
    trainer.reporter.report()
    trainer.experiment.end_exp()


def test_rank_0_reports_for_all_and_keeps_apart_from_the_process_that_was_copied(
    tmp_path: Path,
) -> None:
    with nursery("test_reporter_trainer") as opened:
        assert opened.call("train", folder=str(tmp_path)) == 0

    (plot,) = tmp_path.glob("*/*/plot")
    steps = 3  # of 20 samples, 4 on each of two ranks
    assert sorted(path.name for path in plot.iterdir()) == ["0001", "0002", "curves", "report.md"]
    assert shown(plot / "0001" / "report.md").headings[1:] == ["Tags", "Scalars", "before"]
    assert len(list((plot / "0002").glob("mine*.png"))) == steps
    told = ["Scalars", "steps | done", "Figures", "mine", "Files"]
    assert shown(plot / "0002" / "report.md").headings[1:] == told
    report = shown(plot / "report.md").headings
    assert [heading for heading in report if heading in told] == told


# -- from the record alone -----------------------------------------------------------------------


def test_of_many_metrics_and_pictures_the_report_shows_some_and_says_how_many(
    tmp_path: Path,
) -> None:
    with Experiment(tmp_path, "any", code=False, console=False) as run:
        run.log_metrics(0, 0, {f"m/{number:03}": number for number in range(53)})
        folder = run.hold_exp_part("plot", observe=False)
    for number in range(203):
        (folder / f"{number:03}.svg").write_text("<svg/>")

    curves = Shown("\n\n".join(curve_sections(run.paths, folder)))
    pictures = Shown("\n\n".join(picture_sections(folder)))

    assert len(set(curves.picture_files(folder))) == len(list(folder.glob("curves/*.png"))) == 30
    assert "Of 53 metrics the first 30 are drawn." in curves.paragraphs
    assert len(pictures.pictures) == 200
    assert "3 older ones are not shown." in pictures.paragraphs
