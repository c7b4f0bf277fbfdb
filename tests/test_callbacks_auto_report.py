"""AutoReport: the report in the run's folder, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainer_helpers import (
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
from thexp_pl.errors import UsageError
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.record.journal import read_journal
from thexp_pl.record.paths import RunPaths
from thexp_pl.report import run_report
from thexp_pl.runs.run import Run, read_run


def report_of(trainer: Any) -> str:
    return (trainer.experiment.path / "plot" / "report.md").read_text()


def rows_of(report: str, heading: str) -> dict[str, list[str]]:
    """Give the rows of the table below a heading, by their first cells."""
    table = report.split(f"## {heading}\n\n")[1].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    return {row[0]: row[1:] for row in rows}


class Scored(EvalTrainer):
    scores = (3.0, 1.0, 2.0)

    def initial_callback(self) -> None:
        EvalCallback(1, 0).hook(self)
        AutoReport().hook(self)

    def test_eval_logic(self, dataloader: Any, params: Params) -> dict[str, float]:
        return {"score": self.scores[params.eidx - 1]}


def test_the_report_says_what_was_asked_for_and_what_came_of_it(tmp_path: Path) -> None:
    params = Params()
    params.epoch, params.device, params.optim = 3, "cpu", {"lr": 0.125, "name": "a|b"}
    trainer = Scored(params)
    trainer.initial_exp(tmp_path, "first try")
    trainer.train()

    report = report_of(trainer)

    assert report.startswith(f"# first try {trainer.experiment.key}\n")
    assert "| status | finished |" in report
    told = rows_of(report, "Parameters")
    assert (told["optim.lr"], told["optim.name"]) == (["0.125"], [r"a\|b"])
    assert rows_of(report, "Metrics")[r"eval\_score"] == ["2", "1", "2", "3", "1"]
    names = {f"{epoch:07}.ckpt" for epoch in (1, 2, 3)} | {"model.0000003.pth"}
    assert set(rows_of(report, "Checkpoints")) == names
    assert rows_of(report, "Environment")["packages"][0].startswith("thexp-pl ")
    trainer.experiment.end_exp()


def test_only_checkpoints_that_are_still_there_are_named(tmp_path: Path) -> None:
    trainer = start(type("Long", (Scored,), {"scores": (1.0,) * 5}), tmp_path, 5)
    trainer.train()

    names = set(rows_of(report_of(trainer), "Checkpoints"))

    files = {path.name for path in trainer.saver.dir.iterdir() if path.suffix != ".json"}
    assert names == {name for name in files if not name.startswith(".")}


def test_the_journal_names_the_report(tmp_path: Path) -> None:
    trainer = start(Scored, tmp_path, 1)
    trainer.train()
    trainer.experiment.end_exp()

    paths = [event.get("path") for event in read_journal(trainer.experiment.paths.journal)]

    assert "plot/report.md" in paths


def test_every_nth_epoch_has_a_report_of_its_moment(tmp_path: Path) -> None:
    seen: list[tuple[int, bool]] = []

    class Looking(TinyTrainer):
        def initial_callback(self) -> None:
            AutoReport(2).hook(self)

        def train_batch(self, eidx, idx, *args):
            path = self.experiment.path / "plot" / "report.md"
            if idx == 0:
                seen.append((eidx, path.exists() and "| status | running |" in path.read_text()))
            return super().train_batch(eidx, idx, *args)

    trainer = start(Looking, tmp_path, 4)
    trainer.train()

    assert seen == [(1, False), (2, False), (3, True), (4, True)]
    assert "| status | finished |" in report_of(trainer)


def test_a_training_that_fails_has_its_report_too(tmp_path: Path) -> None:
    class Failing(Scored):
        def train_batch(self, eidx, idx, *args):
            if eidx == 2:
                raise ValueError("on purpose\nand more")
            return super().train_batch(eidx, idx, *args)

    trainer = start(Failing, tmp_path, 3)
    with pytest.raises(ValueError, match="on purpose"):
        trainer.train()

    report = report_of(trainer)
    assert "| status | failed: ValueError: on purpose |" in report
    assert rows_of(report, "Metrics")[r"eval\_score"][0] == "3"


def test_secrets_stay_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "planted-7f3a91c2"
    monkeypatch.setenv("SERVICE_TOKEN", secret)

    class Telling(Scored):
        def train_batch(self, *args):
            raise ValueError(f"refused: {secret}")

    params = Params()
    params.epoch, params.device, params.api_key = 1, "cpu", secret
    trainer = Telling(params)
    trainer.initial_exp(tmp_path)
    with pytest.raises(ValueError, match="refused"):
        trainer.train()

    report = report_of(trainer)
    assert secret not in report
    assert "failed: ValueError: refused: " in report
    assert r"api\_key" in report


def test_a_report_that_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    class Blocked(TinyTrainer):
        def initial_callback(self) -> None:
            AutoReport(1).hook(self)
            (self.experiment.path / "plot").write_text("in the way")

    trainer = start(Blocked, tmp_path, 3)

    with pytest.warns(RecorderWarning, match="the report of .* is not recorded in full") as told:
        trainer.train()

    assert len(told) == 1


def test_a_link_in_the_place_of_its_folder_leads_no_report_out_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()

    class Linked(TinyTrainer):
        def initial_callback(self) -> None:
            AutoReport().hook(self)
            (self.experiment.path / "plot").symlink_to(tmp_path / "outside")

    trainer = start(Linked, tmp_path, 1)

    with pytest.warns(RecorderWarning, match="by a link: nothing is written there"):
        trainer.train()

    assert not list((tmp_path / "outside").iterdir())


@lightnings_own_warnings
def test_it_works_in_a_plain_lightning_trainer_with_a_record(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "plain", code=False, console=False)
    callbacks = [MeterCallback(), AutoReport()]
    plain_trainer(logger=logger, callbacks=callbacks, max_epochs=2).fit(
        PlainModule(), make_loader()
    )

    report = (logger.experiment.path / "plot" / "report.md").read_text()
    assert set(rows_of(report, "Metrics")) == {"loss"}

    with pytest.raises(UsageError, match="nothing records: add a RunLogger"):
        plain_trainer(callbacks=[AutoReport()], max_epochs=1).fit(PlainModule(), make_loader())


@pytest.mark.parametrize("every", [0, -2, 1.0, True])
def test_what_is_no_number_of_epochs_is_refused(every: Any) -> None:
    with pytest.raises(UsageError, match=r"^every_n_epochs must be 1 or more, or None, not"):
        AutoReport(every)


# -- from the record alone -----------------------------------------------------------------------

texts = st.text(max_size=30)
numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(
    params=st.dictionaries(texts, texts | numbers | st.dictionaries(texts, texts), max_size=4),
    values=st.lists(st.tuples(st.sampled_from("ab"), numbers), max_size=9),
)
def test_whatever_was_recorded_makes_tables_of_whole_lines(
    params: dict[str, Any], values: list[tuple[str, float]], tmp_path_factory: Any
) -> None:
    root = tmp_path_factory.mktemp("report")
    with Experiment(root, "any", code=False, console=False) as run:
        run.params = params
        for step, (name, value) in enumerate(values):
            run.log_metrics(step, step, {name: value})

    report = run_report(read_run(run.paths))

    lines = [line for line in report.splitlines() if line]
    assert all(line.startswith(("#", "| ", "None.")) for line in lines)
    for line in lines:
        if line.startswith("| "):
            assert line.replace("\\\\", "").replace("\\|", "").count("|") in (3, 4, 7)
    metrics = rows_of(report, "Metrics") if values else {}
    assert set(metrics) == {name for name, _ in values}


def test_a_damaged_record_has_a_report_that_says_so(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "any", "26-11-22-061138-k3f9")
    paths.folder.mkdir(parents=True)
    paths.manifest.write_text("{")
    paths.metrics.write_text("step,epoch,time,name,value\n1,0,1.0,loss,0.5\n2,0,")
    paths.journal.write_text('{"event": "checkpoint", "path": "a\\u0000b"}\n{"event": "checkp')

    report = run_report(read_run(paths))

    assert "| status | damaged |" in report
    assert rows_of(report, "Metrics") == {"loss": ["0.5", "0.5", "1", "0.5", "1"]}


def test_a_hostile_manifest_makes_no_error(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "any", "26-11-22-061138-k3f9")
    odd = {"params": {"a": []}, "gpus": [3, {}], "packages": {"torch": ["x"]}, "git": {"commit": 1}}
    manifest = {"start": "1", "seconds": 1e300, "status": "finished", "metrics": {}, **odd}

    report = run_report(Run(paths, {**manifest, "process": {}, "cpu": {}}))

    assert rows_of(report, "Parameters") == {"a": ["\\[\\]"]}


def test_a_report_needs_neither_torch_nor_lightning(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys, thexp_pl.report.album\n"
        "from thexp_pl.report import Reporter, run_report\n"
        "heavy = ('torch', 'pytorch_lightning', 'numpy', 'matplotlib', 'PIL')\n"
        "print([one for one in heavy if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=180
    )
    assert done.stdout.strip() == "[]"
