"""Data parallel training for modules that call backward and step themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed
from torch.optim import LBFGS, Optimizer

from thexp_pl.errors import TrainerError
from thexp_pl.saver.sidecar import world_size
from thexp_pl.strategies.averaging import TouchedGradients, average
from thexp_pl.strategies.lockstep import Lockstep
from thexp_pl.strategies.replicas import broadcast_tensors, check_equal, check_shapes

__all__ = ["ManualDDPStrategy"]


class ManualDDPStrategy(DDPStrategy):
    """Averages the gradients over all devices at the end of each backward.

    For modules with manual optimization, and what they do in one batch: several optimizers, several
    backwards before a step, gradients that accumulate or are clipped in between, layers that only
    one rank has used. After every backward the ranks hold the same gradients, as if one process had
    trained on their batches joined (for a loss that is a mean, with batches of one size).
    DistributedDataParallel itself, which Lightning's "ddp" uses, knows of one backward a batch and
    is not used here; so averaging does not overlap with the backward.

    When a fit begins, rank 0's parameters and buffers become those of all. At the end of each batch
    the ranks compare how often they have called backward and step, and at the end of each epoch
    the bits of all parameters: a difference is an error on every rank. Buffers, such as BatchNorm's
    statistics, stay each rank's own meanwhile; `share` makes them rank 0's.

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
        self._lockstep: Lockstep | None = None
        self._trained: dict[str, torch.Tensor] = {}
        self._known: list[int] = []  # what the lockstep was made for
        self._group: Any = None

    # -- setting up ------------------------------------------------------------------------------

    def configure_ddp(self) -> None:
        """Make the parameters and buffers of all ranks those of rank 0."""
        module = self._module()
        if module.automatic_optimization:
            raise TrainerError(
                f"ManualDDPStrategy is for manual optimization, and {type(module).__name__} has "
                "Lightning optimize; use strategy='ddp'"
            )
        if world_size() > 1:
            state = dict([*module.named_parameters(), *module.named_buffers()])
            check_shapes(state)
            broadcast_tensors(state.values())

    def _module(self) -> pl.LightningModule:
        module = self.lightning_module
        assert module is not None, "a strategy trains a module"
        return module

    def _watch(self) -> Lockstep:
        """Give the lockstep, made anew where other parameters or optimizers are there."""
        trained = self._parameters()
        present = [*map(id, trained.values()), *map(id, self.optimizers)]
        if self._lockstep is None or present != self._known:
            for optimizer in self.optimizers:
                _refuse(optimizer)
            check_shapes(trained)
            if self._group is None:
                self._group = distributed.new_group(backend="gloo", timeout=self._timeout)
            self._lockstep = Lockstep(len(self.optimizers), len(trained), self._group)
            self._trained, self._known = trained, present
        return self._lockstep

    def _parameters(self) -> dict[str, torch.Tensor]:
        """Give what is trained, by name: the module's, and what else the optimizers hold."""
        found: dict[str, torch.Tensor] = dict(self._module().named_parameters())
        known = {id(parameter) for parameter in found.values()}
        for number, optimizer in enumerate(self.optimizers):
            held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            for index, parameter in enumerate(held):
                if id(parameter) not in known:
                    known.add(id(parameter))
                    found[f"parameter {index} of optimizer {number}"] = parameter
        return found

    # -- a batch ---------------------------------------------------------------------------------

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module's training step, and see that all ranks have done the same."""
        if world_size() == 1:
            return super().training_step(*args, **kwargs)
        is_last = bool(self._module().trainer.is_last_batch)
        lockstep = self._watch()
        lockstep.begin_batch(is_last)
        result = super().training_step(*args, **kwargs)
        lockstep.agree_on_end()
        if is_last:
            check_equal(self._trained)
        return result

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
        module, plugin = self._module(), self.precision_plugin
        loss: Any = plugin.pre_backward(closure_loss, module)
        parameters = list(self._trained.values()) if world_size() > 1 else []
        before = TouchedGradients(parameters)
        plugin.backward(loss, module, optimizer, *args, **kwargs)
        if self._lockstep is not None and parameters:
            touched = self._lockstep.agree_on_backward(before.touched())
            pairs = zip(parameters, touched, strict=True)
            average(parameter for parameter, is_touched in pairs if is_touched)
        result: torch.Tensor = plugin.post_backward(loss, module)
        return result

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Count the step, and take it."""
        if self._lockstep is not None:
            number = [one is optimizer for one in self.optimizers].index(True)
            self._lockstep.count_step(number)
        return super().optimizer_step(optimizer, closure, model, **kwargs)

    # -- what is not trained ---------------------------------------------------------------------

    def share(self, tensors: Iterable[torch.Tensor]) -> None:
        """Make tensors those of rank 0; to be called on all ranks.

        Args:
            tensors: Buffers and the like, on this rank's device.
        """
        if world_size() > 1:
            broadcast_tensors(tensors)

    def on_train_end(self) -> None:
        """See that all ranks end with the same parameters."""
        super().on_train_end()
        if world_size() > 1:
            check_equal(self._trained)

    def teardown(self) -> None:
        """Forget the fit's parameters."""
        self._lockstep, self._trained, self._known = None, {}, []
        super().teardown()


def _refuse(optimizer: Optimizer) -> None:
    if isinstance(optimizer, LBFGS):
        raise TrainerError(
            "LBFGS decides by its own loss how often it calls the closure, which differs between "
            "ranks; train with it on one device"
        )
