"""Running a facade Trainer's `test_eval_logic` on its device, in eval mode, without gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.utilities.data import sized_len
from pytorch_lightning.trainer.connectors.data_connector import _parse_num_batches
from pytorch_lightning.trainer.states import RunningStage
from torch import nn
from torchmetrics import Metric

from thexp_pl.callbacks.gather import has_failed
from thexp_pl.callbacks.meter import batch_size
from thexp_pl.data.order import rank_and_world
from thexp_pl.meter import Meter
from thexp_pl.rnd import isolate
from thexp_pl.trainer.loaders import to_evaluate
from thexp_pl.trainer.results import as_meter, of_all_ranks, own_metrics

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from thexp_pl.trainer.evaluating import TrainerEvaluation
    from thexp_pl.trainer.module import TrainBatchModule

__all__ = ["AsGiven", "evaluate"]


class AsGiven:
    """A loader that Lightning iterates as it stands.

    To predict, Lightning makes a DataLoader anew from the arguments it remembers, and trips over a
    batch size that was given by position.
    """

    def __init__(self, loader: Iterable[Any]) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Any]:
        return iter(self._loader)

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]  # no length: the TypeError it expects


class _Batches:
    """A loader whose batches arrive on the module's device, as many as Lightning's limit allows."""

    def __init__(self, loader: Iterable[Any], module: TrainBatchModule, count: int | float) -> None:
        self._loader = loader
        self._module = module
        self._count = count
        self.samples = 0  # that were handed out

    def __iter__(self) -> Iterator[Any]:
        stop = None if self._count == float("inf") else int(self._count)
        for batch in islice(self._loader, stop):
            self.samples += batch_size(batch) or 1
            moved = self._module.transfer_batch_to_device(batch, self._module.device, 0)
            yield self._module.facade.lightning_trainer.precision_plugin.convert_input(moved)

    def __len__(self) -> int:
        if self._count == float("inf"):
            raise TypeError("this loader has no length")  # what a DataLoader without one raises
        return int(self._count)

    def __getattr__(self, name: str) -> Any:  # .dataset, .batch_size and the like
        return getattr(self._loader, name)


def evaluate(trainer: TrainerEvaluation, stage: str) -> Meter:
    """Call `test_eval_logic` with all modules in eval mode and no gradients.

    What it draws is not missing from the training: the random states are put back after it. Where
    several processes train, it has to be called in all of them. Those of a loader that gives shares
    evaluate a share each, and all get the joined values; otherwise each evaluates the whole, and
    all get the values of rank 0.

    Args:
        trainer: The facade Trainer, after `initial_exp`.
        stage: ``"eval"`` or ``"test"``, for the loader, and for Lightning's `limit_val_batches` or
            `limit_test_batches`.

    Returns:
        The values, the same bits in every process.

    Raises:
        UsageError: The loader gives a share of some of its parts, and all of others.
    """
    module, lightning = trainer.module, trainer.lightning_trainer
    module.adopt()
    module.to(lightning.strategy.root_device)
    lightning.precision_plugin.convert_module(module)  # what is new since the run began
    rank, world = rank_and_world()
    loaders = trainer._loaders
    loader, is_shared = to_evaluate(loaders[stage], loaders.get("train"), rank, world)
    batches = _Batches(loader, module, _limit(lightning, loader, stage))
    alone: AbstractContextManager[None] = nullcontext()
    if world > 1:
        module.share_state()  # statistics that each rank has gathered of its own
        if not is_shared:
            alone = own_metrics(one for one in module.modules() if isinstance(one, Metric))
    # the precision plugin's context, so that bf16-mixed evaluates as it trains
    precision = lightning.precision_plugin.forward_context()
    with isolate(), _eval_mode(module), torch.no_grad(), precision, alone:
        meter = as_meter(trainer.test_eval_logic(batches, trainer.params), "test_eval_logic")
        if world == 1 or has_failed(lightning):  # then the others are gone
            return meter
        return of_all_ranks(meter, rank, batches.samples, is_shared=is_shared)


def _limit(lightning: pl.Trainer, loader: Iterable[Any], stage: str) -> int | float:
    limits: Any = lightning
    length = sized_len(loader)
    count: int | float = _parse_num_batches(
        RunningStage.VALIDATING if stage == "eval" else RunningStage.TESTING,
        float("inf") if length is None else length,
        limits.limit_val_batches if stage == "eval" else limits.limit_test_batches,
    )
    return count


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    """Put a module and all below it into eval mode, and each back into its own mode after."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training
