"""Data parallel training for modules that call backward and step themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch.optim import Optimizer

from thexp_pl.errors import TrainerError
from thexp_pl.saver.sidecar import world_size
from thexp_pl.strategies.attendance import call_roll
from thexp_pl.strategies.averaging import Touch, TouchedGradients, average
from thexp_pl.strategies.exchange import Exchange
from thexp_pl.strategies.lockstep import Deed, Lockstep
from thexp_pl.strategies.peers import watching
from thexp_pl.strategies.replicas import share
from thexp_pl.strategies.trained import Trained

__all__ = ["ManualDDPStrategy"]


class ManualDDPStrategy(DDPStrategy):
    """Averages the gradients over all devices at the end of each backward.

    For modules with manual optimization, and what they do in one batch: several optimizers, several
    backwards before a step, gradients that accumulate or are clipped in between, layers that only
    one rank has used. After every backward the ranks hold the same gradients, as if one process had
    trained on their batches joined (for a loss that is a mean, with batches of one size).
    DistributedDataParallel itself, which Lightning's "ddp" uses, knows of one backward a batch and
    is not used here; so averaging does not overlap with the backward.

    When a fit begins, rank 0's parameters and buffers become those of all, and those of modules
    that are new at an epoch's beginning do then; new ones in its midst have to be equal already. At
    the end of each batch the ranks compare how often they have called backward and step, and at the
    end of each epoch the bits of all parameters: a difference is an error on every rank. Buffers,
    such as BatchNorm's statistics, stay each rank's own meanwhile; `share` makes them rank 0's.

    Args:
        accelerator, parallel_devices, cluster_environment, checkpoint_io, precision_plugin: As
            Lightning gives them.
        process_group_backend: ``"nccl"`` on CUDA devices and ``"gloo"`` on the CPU by default.
        timeout: How long a rank waits for another; None: as torch does.
        start_method: How Lightning starts the other processes: ``"popen"`` runs the script again.

    Source: Lightning runs `training_step` within DDP's forward, where the gradients of a raw
    ``loss.backward()`` are silently not averaged.
    """

    def __init__(
        self,
        accelerator: Any = None,
        parallel_devices: list[torch.device] | None = None,
        cluster_environment: Any = None,
        checkpoint_io: Any = None,
        precision_plugin: Any = None,
        process_group_backend: str | None = None,
        timeout: timedelta | None = timedelta(minutes=30),
        start_method: Literal["popen", "spawn", "fork", "forkserver"] = "popen",
    ) -> None:
        super().__init__(
            accelerator=accelerator,
            parallel_devices=parallel_devices,
            cluster_environment=cluster_environment,
            checkpoint_io=checkpoint_io,
            precision_plugin=precision_plugin,
            process_group_backend=process_group_backend,
            timeout=timeout,
            start_method=start_method,
        )
        self._open_exchange: Exchange | None = None
        self._forget()

    def _forget(self) -> None:
        """Know nothing of what is trained."""
        self._lockstep: Lockstep | None = None
        self._trained: Trained | None = None
        self._epoch = -1
        self._is_in_backward = False

    @property
    def _exchange(self) -> Exchange:
        if self._open_exchange is None or not self._open_exchange.is_open:
            self._open_exchange = Exchange(self._timeout)
        return self._open_exchange

    def _module(self) -> pl.LightningModule:
        module = self.lightning_module
        assert module is not None, "a strategy trains a module"
        return module

    # -- a batch ---------------------------------------------------------------------------------

    def setup_environment(self) -> None:
        """Connect the ranks, or see that all are there still."""
        with watching():
            super().setup_environment()
        call_roll(self._timeout)

    def configure_ddp(self) -> None:
        """Make the parameters and buffers of all ranks those of rank 0."""
        module = self._module()
        if module.automatic_optimization:
            raise TrainerError(
                f"ManualDDPStrategy is for manual optimization, and {type(module).__name__} has "
                "Lightning optimize; use strategy='ddp'"
            )
        self._forget()
        if world_size() > 1:
            self._trained = Trained(module, self._exchange)
            self._lockstep = Lockstep(self._exchange)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module's training step, and see that all ranks have done the same."""
        lockstep, trained = self._lockstep, self._trained
        if lockstep is None or trained is None:
            return super().training_step(*args, **kwargs)
        trainer = self._module().trainer
        if trainer.current_epoch != self._epoch:
            self._epoch = trainer.current_epoch
            self._begin_epoch(lockstep, trained, trainer.max_epochs)
        is_last = bool(trainer.is_last_batch)
        lockstep.begin_batch(is_last)
        result = super().training_step(*args, **kwargs)
        lockstep.agree(Deed.END_BATCH, amount=int(trainer.should_stop))
        if is_last:
            trained.check()
        return result

    def _begin_epoch(self, lockstep: Lockstep, trained: Trained, epochs: int | None) -> None:
        has_changed = trained.has_changed(self.optimizers)
        amount = -1 if epochs is None else epochs
        lockstep.agree(Deed.BEGIN_EPOCH, has_changed=has_changed, amount=amount)
        if has_changed:
            self._take_up(lockstep, trained, sharing=True)

    def _take_up(self, lockstep: Lockstep, trained: Trained, *, sharing: bool) -> None:
        trained.take_up(self.optimizers, sharing=sharing)
        lockstep.take_up(self.optimizers, len(trained.tensors))

    def backward(
        self, closure_loss: torch.Tensor, optimizer: Optimizer | None, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """Run the backward and average what it has touched.

        Args:
            closure_loss: The loss.
            optimizer: As Lightning gives it.
            *args: For the backward.
            **kwargs: For the backward.

        Returns:
            The loss.

        Raises:
            TrainerError: Another rank calls no backward here, or a gradient is sparse.
        """
        lockstep, trained = self._lockstep, self._trained
        if lockstep is None or trained is None:
            return super().backward(closure_loss, optimizer, *args, **kwargs)
        module, plugin = self._module(), self.precision_plugin
        loss: Any = plugin.pre_backward(closure_loss, module)
        with self._averaged(lockstep, trained):
            plugin.backward(loss, module, optimizer, *args, **kwargs)
        result: torch.Tensor = plugin.post_backward(loss, module)
        return result

    @contextmanager
    def _averaged(self, lockstep: Lockstep, trained: Trained) -> Iterator[None]:
        """Average what the enclosed backward touches."""
        has_changed = trained.has_changed(self.optimizers)
        tensors = trained.present(self.optimizers) if has_changed else trained.tensors
        gradients = TouchedGradients(list(tensors.values()))
        self._is_in_backward = True
        try:
            yield
        finally:
            self._is_in_backward = False
        lockstep.count_backward()
        if has_changed:
            lockstep.agree(Deed.BACKWARD, has_changed=True)
            self._take_up(lockstep, trained, sharing=False)
        touched = gradients.touched()
        most = lockstep.agree(Deed.BACKWARD, amount=trained.elements, touched=touched)
        self._average(trained.tensors, most)

    def _average(self, tensors: Mapping[str, torch.Tensor], touched: Sequence[int]) -> None:
        for (name, tensor), touch in zip(tensors.items(), touched, strict=True):
            if touch == Touch.SPARSE:
                raise TrainerError(
                    f"{name}, of shape {tuple(tensor.shape)}, has a sparse gradient, which several "
                    "devices do not average; make its layer with sparse=False"
                )
        pairs = zip(tensors.values(), touched, strict=True)
        average([tensor for tensor, touch in pairs if touch], self._exchange)

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Count the step, and take it."""
        if self._lockstep is not None:
            if self._is_in_backward:
                raise TrainerError(
                    f"{type(optimizer).__name__}.step() was called within a backward, before the "
                    "gradients of the ranks are averaged; step after it"
                )
            self._lockstep.count_step(optimizer)
        return super().optimizer_step(optimizer, closure, model, **kwargs)

    # -- what is not trained ---------------------------------------------------------------------

    def share(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Make tensors those of rank 0, and see that the parameters are; to be called on all ranks.

        Args:
            tensors: Buffers and the like by name; ranks may have others.

        Returns:
            By rank 0's names the tensors given, with its values in them; where there was none of
            that shape and dtype, a new one.

        Raises:
            TrainerError: A parameter has come to differ between the ranks.
        """
        if world_size() == 1:
            return dict(tensors)
        if self._trained is not None:
            self._trained.check()
        else:
            call_roll(self._timeout)
        return share(tensors, self._exchange, self.root_device)

    # -- the end ---------------------------------------------------------------------------------

    def on_train_end(self) -> None:
        """See that all ranks end, and with the same parameters."""
        super().on_train_end()
        if self._lockstep is not None and self._trained is not None:
            self._lockstep.agree(Deed.END_TRAINING)
            self._trained.check()
            self.barrier("the end of a training")  # none leaves while another still reads

    def teardown(self) -> None:
        """Leave the other ranks, which wait for none that has failed."""
        self._forget()
        if self._open_exchange is not None:
            self._open_exchange.close()
            self._open_exchange = None
        super().teardown()
