"""What a facade Trainer is made of: its parameters, data, callbacks and the parts of its run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from thexp_pl.errors import TrainerError, near_miss
from thexp_pl.params import Params
from thexp_pl.trainer.loaders import among_ranks, exactly

if TYPE_CHECKING:
    from thexp_pl.console import Logger
    from thexp_pl.record import Experiment
    from thexp_pl.report import Reporter
    from thexp_pl.rnd import RndManager
    from thexp_pl.saver import Saver
    from thexp_pl.trainer.module import TrainBatchModule
    from thexp_pl.trainer.run import Run

__all__ = ["STAGES", "TrainerParts"]

STAGES = ("train", "eval", "test", "predict")


class TrainerParts:
    """The members of a facade Trainer; the attributes of its `__dict__` belong to the user."""

    def __init__(self, params: Params, options: dict[str, Any]) -> None:
        self._params: Any = params
        self._options = options
        self._callbacks: list[pl.Callback] = []
        self._loaders: dict[str, Iterable[Any]] = {}
        self._run: Run | None = None

    @property
    def params(self) -> Any:
        """The parameters."""
        return self._params

    @property
    def experiment(self) -> Experiment:
        """The record of the run, once `initial_exp` was called."""
        return self._started().experiment

    @property
    def logger(self) -> Logger:
        """The console Logger, which also writes ``logs/`` of the run."""
        return self._started().logger

    @property
    def saver(self) -> Saver:
        """The Saver of the run's ``modules/``."""
        return self._started().saver

    @property
    def rnd(self) -> RndManager:
        """The random states of the run's ``rnd/``."""
        return self._started().rnd

    @property
    def writer(self) -> Any:
        """The `torch.utils.tensorboard.SummaryWriter` of the run's ``board/``; mute above rank 0.

        Source: thexp's ``writter``, which is another name of it.
        """
        run = self._started()
        if run.writer is None:
            from thexp_pl.trainer.writer import writer_of  # torch's own takes long to import

            run.writer = writer_of(run)
        return run.writer

    writter = writer

    @property
    def reporter(self) -> Reporter:
        """The `thexp_pl.Reporter` of the run's ``plot/``; mute above rank 0."""
        run = self._started()
        if run.reporter is None:
            from thexp_pl.trainer.reporter import reporter_of  # few trainings report

            run.reporter = reporter_of(run)
        return run.reporter

    @property
    def device(self) -> torch.device:
        """The device of the run, ``params.device``."""
        return torch.device(self.params.device)

    @property
    def module(self) -> TrainBatchModule:
        """The LightningModule that runs `train_batch`."""
        module = self._started().module
        if module is None:
            raise TrainerError("the module exists after initial_trainer, not within it")
        return module

    @property
    def lightning_module(self) -> TrainBatchModule:
        """The same, by Lightning's name for it."""
        return self.module

    @property
    def lightning_trainer(self) -> pl.Trainer:
        """The Lightning Trainer that runs the loop."""
        lightning = self._started().lightning
        if lightning is None:
            raise TrainerError("the Lightning Trainer exists after initial_trainer, not within it")
        return lightning

    @property
    def _is_being_made(self) -> bool:
        """Whether `initial_trainer` runs."""
        return self._run is not None and self._run.module is None

    def _started(self) -> Run:
        if self._run is None:
            raise TrainerError("the run has not begun; call initial_exp('./experiment') first")
        return self._run

    def _say_once(self, line: str) -> None:
        said = self._started().said
        if line not in said:
            said.add(line)
            self.logger.info(line)

    def _warn_of(self, left_out: Iterable[str]) -> None:
        """Say once of each attribute that no checkpoint will have it."""
        for name in left_out:
            line = (
                f"self.{name} holds tensors or modules and is in no checkpoint: give its class "
                f"state_dict and load_state_dict, or call it '_{name}' to leave it out"
            )
            if line not in self._started().said:
                self._started().said.add(line)
                self.logger.warn(line)

    # -- data ------------------------------------------------------------------------------------

    def regist_databundler(self, **loaders: Iterable[Any]) -> None:
        """Say which data trains, evaluates and tests.

        Args:
            **loaders: `train`, `eval`, `test` and `predict`, each an iterable of batches such as
                a `torch.utils.data.DataLoader`. Of a plain DataLoader for `train` an
                `ExactDataLoader` is made, so that a training can go on in the midst of an epoch,
                and each of several devices gets a share; so too within a DataBundler.

        Raises:
            TrainerError: For another name, or what cannot be iterated epoch by epoch.
        """
        for stage, loader in loaders.items():
            if stage not in STAGES:
                raise TrainerError(
                    f"regist_databundler knows {', '.join(STAGES)}, not {stage!r}"
                    f"{near_miss(stage, STAGES)}"
                )
            _check_loader(stage, loader)
        self._loaders.update(loaders)
        if "train" in loaders:
            self._loaders["train"] = exactly(loaders["train"])

    @property
    def train_dataloader(self) -> Iterable[Any]:
        """The loader registered as `train`; with several devices it gives each its share."""
        loader, run = self._loader("train"), self._run
        if run is not None and run.lightning is not None:
            loader = self._loaders["train"] = among_ranks(loader, run.lightning.world_size)
        return loader

    @property
    def eval_dataloader(self) -> Iterable[Any]:
        """The loader registered as `eval`."""
        return self._loader("eval")

    @property
    def test_dataloader(self) -> Iterable[Any]:
        """The loader registered as `test`."""
        return self._loader("test")

    def _loader(self, stage: str) -> Iterable[Any]:
        if stage not in self._loaders:
            raise TrainerError(
                f"no '{stage}' loader; call self.regist_databundler({stage}=...) in initial_trainer"
            )
        return self._loaders[stage]


def _check_loader(stage: str, loader: Any) -> None:
    kind = type(loader).__name__
    if not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__"):
        reason = f"a {kind} cannot be iterated"
    elif hasattr(loader, "__next__"):
        reason = f"a {kind} is at its end after one epoch"
    elif isinstance(loader, (list, tuple, Mapping)):
        reason = f"Lightning takes a {kind} for several loaders"
    else:
        return
    raise TrainerError(f"{stage}: {reason}; give a torch.utils.data.DataLoader")
