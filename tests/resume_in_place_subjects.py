"""Trainings that are killed, and gone on with in the folder of their run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import resume_commands
import resume_subjects
from pytorch_lightning.callbacks import ModelCheckpoint
from resume_subjects import newest

from thexp_pl import RunLogger
from thexp_pl.callbacks import RndCallback
from thexp_pl.record.folders import run_folders
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.rerun import Rerun


def only_run(root: Path) -> RunPaths:
    """The one run of a root."""
    (paths,) = run_folders(root)
    return paths


def tell(root: Path, checkpoint: Path | None = None, **told: Any) -> None:
    """Have this process be the one run of a root again, from its newest checkpoint."""
    paths = only_run(root)
    path = checkpoint or newest(paths.folder / "modules")
    told = {"how": "resumed", "in_place": True, "checkpoint": str(path or ""), **told}
    rerun = Rerun(runs=(paths.key,), root=root, **told)
    os.environ.update(rerun.write(root.parent / "rerun.json"))


def train(
    kind: str,
    folder: str,
    kill: list[Any] | None = None,
    again: bool = False,
    in_place: bool = True,
    options: dict[str, Any] | None = None,
    **given: Any,
) -> None:
    """Train as `resume_subjects.train` does, recorded; `again` goes on with the run."""
    root = Path(folder) / "runs"
    os.environ["THEXP_HOME"] = str(Path(folder) / "home")
    os.chdir(folder)
    if again:
        tell(root, in_place=in_place)
    options = {"log_every_n_steps": 1, **(options or {})}
    if kind != "facade":
        options["logger"] = RunLogger(root, "resumed", code=False, console=False, board=False)
    resume_subjects.train(kind, str(root), kill=kill, options=options, **given)


def command(words: list[str], folder: str, stop: str = "", again: bool = False) -> None:
    """Run a command in a folder; `again` goes on with the run of the one before."""
    os.environ["THEXP_HOME"] = str(Path(folder) / "home")
    if again:
        tell(Path(folder) / "experiment")
    resume_commands.command(words, folder, stop)


class Failing(pl.Callback):
    """Raises at the end of a batch."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.fit_loop.total_batch_idx == self.at:
            raise RuntimeError("as was asked for")


def train_by_lightning(
    folder: str, at: int | None = None, again: bool = False, board: bool = False
) -> None:
    """Train with a ModelCheckpoint of Lightning's, whose files have no sidecar, every 4 batches."""
    root = Path(folder) / "runs"
    os.environ["THEXP_HOME"] = str(Path(folder) / "home")
    os.chdir(folder)
    if again:
        (checkpoint,) = (only_run(root).folder / "checkpoints").iterdir()
        tell(root, checkpoint)
    pl.seed_everything(11)
    trainer = pl.Trainer(
        max_epochs=resume_subjects.EPOCHS,
        accelerator="cpu",
        logger=RunLogger(root, "resumed", code=False, console=False, board=board),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[RndCallback(), ModelCheckpoint(every_n_train_steps=3), Failing(at)],
    )
    module = resume_subjects.Automatic(root / "losses", 0.1)
    with contextlib.suppress(RuntimeError):
        trainer.fit(module, resume_subjects.make_loader())
