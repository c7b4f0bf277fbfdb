"""Random states and positions in the data, in every checkpoint and restored in time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_warn

from thexp_pl import rnd
from thexp_pl.callbacks.after import after_module_hook
from thexp_pl.callbacks.empty_hooks import call_again, pass_over
from thexp_pl.callbacks.exactness import tell_inexactness
from thexp_pl.callbacks.gather import gathered, has_failed
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.positions import (
    kept_places,
    load_train_places,
    load_validation_places,
    make_iterators,
    train_places,
    validation_places,
)
from thexp_pl.callbacks.progress import settle_loaded
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import CheckpointError
from thexp_pl.saver.sidecar import world_size

__all__ = ["RndCallback"]

# what asks a validation loader for an iterator, which draws from the global generators
_VALIDATING = ("run", "increment_progress_to_evaluation_end")

_Method = Callable[..., Any]


class RndCallback(Hookable, pl.Callback):
    """Puts the random states of every rank, and its place in the data, into each checkpoint.

    A training that goes on from a checkpoint draws the numbers and reads the batches that it would
    have without a break. The generators are those of `thexp_pl.rnd`; the train loaders those with a
    `state_dict` and a `load_state_dict`, such as `thexp_pl.data.ExactDataLoader`.

    Validation draws from the same streams, and training goes on as if it had not: neither
    `val_check_interval` nor the workers of a validation loader change a training.

    Lightning seeds all ranks alike, so that the dropout of one would be that of all: ranks above 0
    that stand where rank 0 stands when a training begins are seeded apart, from that common state
    and their number. With another number of ranks than was saved, as many go on as there are.

    Source: Lightning saves no random state, and drops a loader's where `configure_optimizers` reads
    `estimated_stepping_batches`.
    """

    def __init__(self) -> None:
        self._trainer: pl.Trainer | None = None
        self._loaded: Mapping[str, Any] | None = None
        self._aside: dict[str, Any] | None = None  # where training stands, while it validates
        self._awaits: list[Any] = []  # the places of validation loaders that are still to be made
        self._undo: list[Callable[[], object]] = []

    # -- saving ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Give the states of every rank; where an error ends the training, of this one only.

        Returns:
            ``world_size`` and ``ranks``: by rank ``rnd``, as `thexp_pl.rnd.get_state` gives it, and
            ``loaders``, what each train loader's `state_dict` gave, or None, and ``validation``,
            the same of validation's. Empty before a fit.
        """
        if self._trainer is None:
            return {}
        standing = self._aside or _standing(self._trainer)
        own = {**standing, "validation": validation_places(self._trainer)}
        alone = has_failed(self._trainer)
        return {
            "world_size": world_size(),
            "ranks": gathered(own, self._trainer.global_rank, alone=alone),
        }

    # -- restoring -------------------------------------------------------------------------------

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the states until training starts: whatever is done before then may draw."""
        self._loaded = state_dict

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Begin a fit, to which no state was loaded yet."""
        refuse_twin(trainer)
        self._release()
        if stage == "fit":
            self._trainer, self._loaded, self._awaits = trainer, None, []
            pass_over(self, trainer)
            # between the making of the loaders and that of their iterators, which may read ahead
            self._replace(trainer.fit_loop, "_load_combined_loader_states", self._positioned)
            self._replace(trainer.fit_loop, "reset", self._settled)  # the loops are restored then

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep validation, the sanity check's too, from drawing on training's streams."""
        validation = trainer.fit_loop.epoch_loop.val_loop
        for name in _VALIDATING:
            self._replace(validation, name, partial(self._isolated, trainer))
        self._replace(validation, "setup_data", partial(self._validation_positioned, trainer))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore what was loaded, once every callback and the module have begun.

        Warns of a train loader whose place cannot be restored.
        """
        tell_inexactness(trainer, keeps_states=True)
        undo = after_module_hook(pl_module, "on_train_start", lambda: self._begin(trainer))
        self._undo.append(undo)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the random states of a training that had nothing left to do."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            rnd.set_state(_own(trainer, loaded)["rnd"])

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave Lightning's loop and the module as they were."""
        self._release()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave Lightning's loop and the module as they were."""
        self._release()

    def _release(self) -> None:
        call_again(self)
        while self._undo:
            self._undo.pop()()

    def _replace(self, loop: Any, name: str, wrapped: Callable[[_Method], _Method]) -> None:
        setattr(loop, name, wrapped(getattr(loop, name)))
        self._undo.append(partial(vars(loop).pop, name, None))

    def _isolated(self, trainer: pl.Trainer, validate: _Method) -> _Method:
        def isolated(*args: Any, **kwargs: Any) -> Any:
            self._aside = standing = _standing(trainer)
            try:
                with kept_places(trainer):
                    return validate(*args, **kwargs)
            finally:
                rnd.set_state(standing["rnd"])
                self._aside = None

        return isolated

    def _positioned(self, load: _Method) -> _Method:
        def positioned() -> None:
            load()
            if self._trainer is not None and self._loaded is not None:
                load_train_places(self._trainer, _own(self._trainer, self._loaded)["loaders"])

        return positioned

    def _validation_positioned(self, trainer: pl.Trainer, set_up: _Method) -> _Method:
        def positioned() -> None:
            set_up()
            if self._loaded is not None:  # the sanity check, before all is restored
                load_validation_places(trainer, _own(trainer, self._loaded)["validation"])
            elif self._awaits and load_validation_places(trainer, self._awaits):
                self._awaits = []

        return positioned

    def _settled(self, reset: _Method) -> _Method:
        def settled() -> None:
            if self._trainer is not None and self._loaded is not None:
                settle_loaded(self._trainer)
            reset()

        return settled

    def _begin(self, trainer: pl.Trainer) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            _seed_ranks_apart(trainer.global_rank)
        else:
            validation = _own(trainer, loaded)["validation"]
            if not load_validation_places(trainer, validation):
                self._awaits = validation
            _restore(trainer, loaded)  # the train loaders' places too, which may be the same


def _standing(trainer: pl.Trainer) -> dict[str, Any]:
    return {"rnd": rnd.get_state(), "loaders": train_places(trainer)}


def _own(trainer: pl.Trainer, loaded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what this rank goes on with: its own states, else those of another rank."""
    try:
        saved = loaded["ranks"]
        own: dict[str, Any] = saved.get(trainer.global_rank) or next(iter(saved.values()))
        return {
            "rnd": own["rnd"],
            "loaders": list(own["loaders"]),
            "validation": list(own.get("validation", ())),
            "of": loaded["world_size"],
        }
    except (LookupError, TypeError, AttributeError, StopIteration):
        raise CheckpointError(
            "the checkpoint's state of RndCallback is none that it saves; load a checkpoint that "
            "it was in"
        ) from None


def _restore(trainer: pl.Trainer, loaded: Mapping[str, Any]) -> None:
    own, saved = _own(trainer, loaded), loaded["ranks"]
    if own["of"] != world_size() or len(saved) != world_size():
        rank_zero_warn(
            f"the checkpoint holds the random states of {len(saved)} of {own['of']} "
            f"ranks, and this training has {world_size()}: those without one are seeded apart"
        )
    load_train_places(trainer, own["loaders"])
    epochs: Any = trainer.fit_loop.epoch_progress.current
    # Lightning's own iterators were made with the seeds that plain loaders drew before this. For
    # an epoch in progress that was done long ago; the next one is still to do it.
    if epochs.processed < epochs.ready and not _is_through(trainer):
        make_iterators(trainer)
    rnd.set_state(own["rnd"])
    if trainer.global_rank not in saved:
        rnd.seed_apart(trainer.global_rank)
    if epochs.processed < epochs.ready:
        return
    if trainer.current_epoch > 0 and not trainer.fit_loop.restarting:
        # once the loaders know of the epoch, as where nothing was loaded: they may be read ahead
        trainer.fit_loop._resuming_from_checkpoint = False
    else:
        make_iterators(trainer)


def _seed_ranks_apart(rank: int) -> None:
    if world_size() == 1:
        return
    own = hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()
    first = [own]
    torch.distributed.broadcast_object_list(first, src=0)
    if rank and own == first[0]:
        rnd.seed_apart(rank)


def _is_through(trainer: pl.Trainer) -> bool:
    """Say whether the last batch is done; Lightning then makes iterators for the next epoch."""
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress
    return bool(batches.is_last_batch and batches.current.processed == batches.current.ready)
