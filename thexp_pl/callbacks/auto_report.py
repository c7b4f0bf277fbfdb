"""A report of the run, in its own folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from thexp_pl.atomic import write_text
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.progress import completed_epochs
from thexp_pl.errors import UsageError
from thexp_pl.loggers import find_run_logger
from thexp_pl.record import Experiment
from thexp_pl.record.ending import status_of
from thexp_pl.record.faults import Tolerant
from thexp_pl.report import run_report
from thexp_pl.report.album import curve_sections, picture_sections
from thexp_pl.report.reporter.folder import check_inside
from thexp_pl.runs.run import read_run

if TYPE_CHECKING:
    from thexp_pl.report import Reporter

__all__ = ["AutoReport"]

_SUFFIXES = (".md", ".png")
_FILE = "report.md"


class AutoReport(Hookable, pl.Callback):
    """Writes ``plot/report.md`` into the run's folder at the end of a training.

    Parameters, the last, lowest and highest value of each metric and its curve, checkpoints,
    environment: what the record holds by then; the pictures that lie in ``plot/``, and what the
    facade's `reporter` was given. A training that fails or is interrupted has its report too. A
    report that cannot be written is one warning; without matplotlib it has tables alone.

    Args:
        every_n_epochs: Write it after every n-th epoch too, over the one before; None: at the end.

    Raises:
        UsageError: It is no number of epochs; when a fit begins, that nothing records the run.

    Source: thexp's ``AutoReport``.
    """

    def __init__(self, every_n_epochs: int | None = None) -> None:
        if every_n_epochs is not None and (type(every_n_epochs) is not int or every_n_epochs < 1):
            raise UsageError(f"every_n_epochs must be 1 or more, or None, not {every_n_epochs!r}")
        self.every_n_epochs = every_n_epochs
        self._run: Experiment | None = None
        self._reporter: Reporter | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the run."""
        self._run = None
        if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        logger = find_run_logger(trainer)
        if logger is None:
            raise UsageError(
                "AutoReport reports on a recorded run, and nothing records: add a RunLogger to the "
                "Trainer's loggers"
            )
        self._run = logger.experiment
        facade: Any = getattr(pl_module, "facade", None)  # a plain LightningModule has none
        self._reporter = facade.reporter if facade is not None else None
        self._tolerant = Tolerant(f"the report of {self._run.key}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the report of an epoch that is due."""
        if self.every_n_epochs and completed_epochs(trainer) % self.every_n_epochs == 0:
            self._report("running")

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write the report of a training that is through, with its last checkpoint."""
        self._report("finished")
        self._run = None

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Write the report of a training that has failed."""
        reason = str(exception).partition("\n")[0]
        self._report(f"{status_of(exception)}: {type(exception).__name__}: {reason}")
        self._run = None

    def _report(self, ending: str) -> None:
        if self._run is not None and self._run.is_open:
            self._tolerant(self._write, self._run, ending)

    def _write(self, run: Experiment, ending: str) -> None:
        folder = run.hold_exp_part("plot", _SUFFIXES)
        check_inside(folder, run.path)
        run.flush()
        pictures = self._tolerant(self._pictures, run, folder) or ()  # what fails leaves the tables
        report = run_report(read_run(run.paths), run.redact(ending), pictures)
        write_text(folder / _FILE, run.redact(report))

    def _pictures(self, run: Experiment, folder: Path) -> list[str]:
        reporter, reported = self._reporter, []
        if reporter is not None:
            reported = reporter.sections(folder)
        own = reporter.savedir if reporter is not None and reported else None
        return [*curve_sections(run.paths, folder), *reported, *picture_sections(folder, own)]

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_run": None, "_reporter": None}
