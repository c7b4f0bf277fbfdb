"""One run of a facade Trainer: its record, its logger, its saver, and how far it is set up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_only

from thexp_pl.console import Logger
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.loggers import RunLogger
from thexp_pl.params import Params
from thexp_pl.record import Experiment
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.following import FollowedRun
from thexp_pl.rnd import RndManager
from thexp_pl.saver import Saver
from thexp_pl.trainer.processes.world import run_of_all

if TYPE_CHECKING:
    from thexp_pl.loggers.lineage import Origin
    from thexp_pl.report import Reporter
    from thexp_pl.trainer.module import TrainBatchModule

__all__ = ["Run", "start_run"]

_OF_EXPERIMENT = [name for name in signature(Experiment).parameters if name not in ("root", "name")]
_RECORD_OPTIONS = [*_OF_EXPERIMENT, "board"]


@dataclass
class Run:
    """What `initial_exp` makes.

    Args:
        experiment: The record of the run.
        logger: The console Logger, which also writes the run's log file.
        saver: The Saver of the run's folder `modules`.
        rnd: The random states kept in the run's folder `rnd`.
        run_logger: What Lightning logs to, into the same record.
        module: The LightningModule that runs `train_batch`; None until `initial_trainer` is done.
        lightning: The Lightning Trainer; None until then.
        loaded: A loaded checkpoint whose callbacks' states the next fit restores.
        origin: Where it comes from, which the next fit records.
        in_batch: Whether `train_batch` is running.
        waiting: Saves that it asked for.
        writer: The TensorBoard writer, once it was asked for.
        reporter: The Reporter, once it was asked for.
        said: What is said once only.
    """

    experiment: Experiment
    logger: Logger
    saver: Saver
    rnd: RndManager
    run_logger: RunLogger
    module: TrainBatchModule | None = None
    lightning: pl.Trainer | None = None
    loaded: dict[str, Any] | None = None
    origin: Origin | None = None
    in_batch: bool = False
    waiting: list[Callable[[], object]] = field(default_factory=list)
    writer: Any = None
    reporter: Reporter | None = None
    said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._tolerant = Tolerant(f"the run {self.experiment.key}")

    @property
    def is_recorded_here(self) -> bool:
        """Whether this is the process that writes."""
        return not isinstance(self.experiment, FollowedRun)

    def enter_copy(self, rank: int) -> None:
        """Go on in a process that was spawned or forked to train; as rank 0 writing, else not.

        Args:
            rank: The process's rank.
        """
        self.writer = None  # its thread is in the other process
        self.reporter = None  # the other process's has a folder of its own
        if rank == 0:
            self.logger.add_log_dir(self.experiment.path / "logs")
            return
        place = (self.experiment.root, self.experiment.name, self.experiment.key)
        self.experiment = FollowedRun(*place)
        vars(self).update(_silent(self.experiment, rank))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "writer": None}

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Have saves wait while `train_batch` runs: saved in its midst, a batch would be lost."""
        self.in_batch = True
        try:
            yield
        except BaseException:
            self.waiting.clear()
            raise
        finally:
            self.in_batch = False

    def save_waiting(self) -> None:
        """Carry out the saves that `train_batch` asked for; one that fails is a warning."""
        while self.waiting:
            self._tolerant(self.waiting.pop(0))


def _silent(experiment: Experiment, rank: int) -> dict[str, Any]:
    """Give the parts of a run for a rank that writes nothing but random states, of its own."""
    modules = experiment.hold_exp_part("modules", [".ckpt", ".pth"])
    states = experiment.hold_exp_part("rnd", [".rnd"])
    return {
        "logger": Logger(stdout=False),
        "saver": ReadingSaver(modules),
        "rnd": RndManager(states / f"rank{rank}"),
    }


def start_run(
    params: Params,
    root: str | Path,
    name: str,
    record: dict[str, Any],
    devices: Mapping[str, Any],
) -> Run:
    """Start the record of a run and open what writes into it; on ranks above 0, find it.

    Args:
        params: The parameters to record.
        root: The root folder of the experiments.
        name: The experiment.
        record: Options of `Experiment`, and ``board`` as in `RunLogger`.
        devices: What Lightning is asked for.

    Returns:
        The run, with neither module nor Lightning Trainer yet. On ranks above 0 its parts write
        nothing but random states, into a folder of the rank.

    Raises:
        RecordError: The record cannot be made.
        UsageError: There is no such option.
    """
    for option in record:
        if option not in _RECORD_OPTIONS:
            raise UsageError(
                f"no option {option!r} of a record{near_miss(option, _RECORD_OPTIONS)}: it takes "
                f"{', '.join(_RECORD_OPTIONS)}"
            )
    options = {option: value for option, value in record.items() if option != "board"}
    experiment = run_of_all(lambda: _begun(params, Experiment(root, name, **options)), devices)
    run_logger = RunLogger(experiment=experiment, board=record.get("board", True))
    if isinstance(experiment, FollowedRun):
        rank = int(getattr(rank_zero_only, "rank", 0))
        return Run(experiment, run_logger=run_logger, **_silent(experiment, rank))
    logs = experiment.hold_exp_part("logs", [".log"])
    modules = experiment.hold_exp_part("modules", [".ckpt", ".pth"])
    states = experiment.hold_exp_part("rnd", [".rnd"])
    logger = Logger()
    logger.add_log_dir(logs)
    saver = Saver(modules, run_key=experiment.key, rows=experiment.kept_rows)
    return Run(experiment, logger, saver, RndManager(states), run_logger)


def _begun(params: Params, experiment: Experiment) -> Experiment:
    experiment.params = params.settings()
    experiment.start_exp()
    return experiment


class ReadingSaver(Saver):
    """The Saver of a rank that writes nothing: rank 0 does. Its `save_*` give the folder."""

    def _save(self, *args: Any) -> Path:
        return self.dir
