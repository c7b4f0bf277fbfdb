"""LoggerCallback: the line of a training, in a pipe, on a terminal and in the log file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader, IterableDataset
from trainer_helpers import (
    EvalTrainer,
    PlainModule,
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    lightnings_own_warnings,
    make_data,
    make_loader,
    plain_trainer,
    start,
)

from thexp_pl import Params
from thexp_pl.callbacks import LoggerCallback, MeterCallback

STAMP = r"\d\d-\d\d-\d\d \d\d:\d\d:\d\d - "
VALUE = r"\d+\.\d{4}"


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_in_a_pipe_each_epoch_is_one_line_with_the_last_values_and_the_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Percent(TinyTrainer):
        def measure(self, batch_data: Any) -> Any:
            meter = super().measure(batch_data)
            meter.acc = (self.model(batch_data[0]).argmax(1) == batch_data[1]).float().mean()
            meter.percent(meter.acc_)
            return meter

    trainer = start(Percent, tmp_path, 2)

    trainer.train()

    shown = [line for line in lines(capsys) if " | " in line]
    percentage = r"\d+\.\d\d%"
    for epoch, line in zip((1, 2), shown, strict=True):
        assert re.fullmatch(
            rf"{STAMP}{epoch}/2 \| 5/5 \| "
            rf"@loss={VALUE}\({VALUE}\)  @acc={percentage}\({percentage}\)",
            line,
        )
    mean = trainer.experiment.metrics["loss"]["last"]
    assert f"({mean:.4f})" in shown[1]


def test_the_log_file_holds_the_last_state_of_each_line_and_nothing_else_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = start(EvalTrainer, tmp_path, 3)

    trainer.train()

    (log,) = (trainer.experiment.path / "logs").glob("[0-9]*.log")
    logged = log.read_text().splitlines()
    heads = [re.sub(STAMP, "", line).split("@")[0] for line in logged]
    assert heads == [
        *("1/3 | 5/5 | ", "eval - ", "2/3 | 5/5 | ", "eval - ", "3/3 | 5/5 | ", "eval - "),
        "test - ",
    ]
    assert logged == lines(capsys)


def test_a_loader_without_length_shows_no_number_of_batches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([make_data()[index] for index in range(6)])

    class Streaming(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.regist_databundler(train=DataLoader(Stream(), 4))

    trainer = start(Streaming, tmp_path, -1, max_steps=4)

    trainer.train()

    shown = [line for line in lines(capsys) if " | " in line]
    assert [re.sub(STAMP, "", line).split("@")[0] for line in shown] == ["1 | 2 | ", "2 | 2 | "]


def test_a_line_cut_off_by_max_steps_is_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(TinyTrainer, tmp_path, 2, max_steps=2).train()

    assert "1/2 | 2/5 | @loss=" in lines(capsys)[0]


@lightnings_own_warnings
def test_in_a_plain_trainer_it_shows_lightnings_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Logging(PlainModule):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.log("shown", float(batch_idx), prog_bar=True)
            self.log("hidden", 1.0)
            return super().training_step(batch, batch_idx)["loss"]

    trainer = plain_trainer(callbacks=[LoggerCallback()], max_epochs=1, default_root_dir=tmp_path)
    trainer.fit(Logging(), make_loader())

    (line,) = lines(capsys)
    assert re.fullmatch(rf"{STAMP}1/1 \| 5/5 \| @shown=4\.0000", line)


@lightnings_own_warnings
def test_the_means_are_whole_wherever_the_callback_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = [LoggerCallback(), MeterCallback()]
    trainer = plain_trainer(callbacks=callbacks, max_epochs=1, default_root_dir=tmp_path)

    trainer.fit(PlainModule(), make_loader())

    (line,) = lines(capsys)
    assert f"({trainer.callback_metrics['loss'].item():.4f})" in line


def test_without_the_callback_nothing_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Silent(TinyTrainer):
        def initial_callback(self) -> None:
            pass

    start(Silent, tmp_path, 1).train()

    assert lines(capsys) == []


# -- on a terminal -------------------------------------------------------------------------------

FAILING = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from trainer_helpers import TinyTrainer, start

class Failing(TinyTrainer):
    def train_batch(self, eidx, idx, *rest):
        if (eidx, idx) == (2, 3):
            raise RuntimeError("on purpose")
        return super().train_batch(eidx, idx, *rest)

start(Failing, Path("root")).train()
"""


def run_on_terminal(code: str, folder: Path) -> tuple[str, int]:
    """Run a script whose stdout and stderr are one pseudo-terminal; give what it wrote."""
    master, slave = os.openpty()
    # Python 3.13 would colour the traceback
    environment = {**os.environ, "TERM": "xterm", "PYTHON_COLORS": "0"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=slave, stderr=slave
    )
    os.close(slave)
    written = b""
    try:
        while piece := os.read(master, 65536):
            written += piece
    except OSError:  # EIO: the process has ended
        pass
    os.close(master)
    return written.decode().replace("\r\n", "\n"), process.wait()


def test_on_a_terminal_the_line_is_redrawn_and_a_traceback_begins_on_its_own(
    tmp_path: Path,
) -> None:
    code = FAILING.format(tests=str(Path(__file__).parent))

    written, status = run_on_terminal(code, tmp_path)

    assert status == 1
    assert "\r" in written, "nothing was drawn in place"
    # what stands on the screen: of each row, what follows the last return to its beginning
    rows = [row.rpartition("\r")[2].replace("\x1b[K", "") for row in written.split("\n")]
    shown = [row for row in rows if " | " in row]
    assert [re.sub(STAMP, "", row).split("@")[0] for row in shown] == [
        "1/3 | 5/5 | ",
        "2/3 | 3/5 | ",
    ]
    after = rows[rows.index(shown[-1]) + 1 :]
    assert after[0].startswith("what this rank held when it failed is kept in ")
    assert after[1] == "Traceback (most recent call last):"
    assert "RuntimeError: on purpose" in after
