"""float16 mixed precision for steps written by hand: what a GradScaler scales, unscaled in time.

A GradScaler multiplies the loss, so that gradients do not vanish in float16, and divides the
gradients when the optimizer steps. In between they are too large by the scale, and the scale
changes from batch to batch: a clipping by hand, a gradient that is added up over batches, a second
optimizer that steps would silently go wrong by that factor. Here the gradients are divided at the
end of each backward already, and multiplied again for the moment in which the scaler takes the
step. The scale is a power of two unless the user sets another, so that neither costs a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import LBFGS, Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from thexp_pl.errors import TrainerError
from thexp_pl.trainer.stepping.leaves import leaves_of, unscaled_hooks, values_of

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from pytorch_lightning.core.optimizer import LightningOptimizer

__all__ = ["Scaling", "scaling_of"]


def scaling_of(module: pl.LightningModule, optimizers: list[Optimizer]) -> Scaling | None:
    """Give the scaling of a module's fit; None where the precision plugin does not scale.

    Args:
        module: The module, attached to its Lightning Trainer.
        optimizers: Those that step.

    Raises:
        TrainerError: One of them cannot be scaled.
    """
    scaler = getattr(module.trainer.precision_plugin, "scaler", None)
    return Scaling(scaler, module, optimizers) if scaler and scaler.is_enabled() else None


class Scaling:
    """A GradScaler whose gradients have their true size in `.grad` and in the hooks on leaves.

    That holds for each leaf that a backward reaches, whether or not an optimizer holds it; after an
    overflow a gradient is not finite, and what is done with it by hand is not skipped. Within the
    graph gradients are scaled: so hooks on other tensors and on modules, and `retain_grad`, have
    them. `torch.autograd.grad` is not scaled at all.

    Args:
        scaler: Lightning's.
        module: Whose `train_batch` runs.
        optimizers: Those that step through Lightning.

    Raises:
        TrainerError: For LBFGS, which steps by the loss of its closure.

    Source: the recipes of torch.amp; Lightning updates the scale after every optimizer's step.
    """

    def __init__(
        self, scaler: Any, module: pl.LightningModule, optimizers: list[Optimizer]
    ) -> None:
        if any(isinstance(optimizer, LBFGS) for optimizer in optimizers):
            raise TrainerError(
                "LBFGS calls its closure several times a step, and a GradScaler cannot skip a part "
                "of one; use precision='bf16-mixed' or '32-true'"
            )
        self._scaler = scaler
        self._module = module
        self._optimizers = optimizers
        self._stepped: list[Optimizer] = []  # since the scale was last updated
        self._overflown: dict[Optimizer, torch.Tensor] = {}  # by a backward since its last step
        # each parameter's gradient as it was last made, and that tensor's version
        self._made: dict[torch.Tensor, tuple[torch.Tensor, int]] = {}

    # -- a batch ---------------------------------------------------------------------------------

    @contextmanager
    def batch(self, is_running: Callable[[], bool]) -> Iterator[None]:
        """Update the scale once, when the batch is done, however many optimizers have stepped.

        Args:
            is_running: Whether code that runs now is the `train_batch`'s own.
        """

        def refuse_stranger(optimizer: Optimizer, *_: Any) -> None:
            if is_running() and all(optimizer is not known for known in self._optimizers):
                raise TrainerError(
                    f"{self._precision}: the step of a {type(optimizer).__name__} that no "
                    "attribute held when the epoch began would not be scaled; make it in "
                    "initial_trainer, as an attribute without a leading underscore"
                )

        if not self._made:  # what was pending in a checkpoint
            self._record(self._parameters())
        hook = register_optimizer_step_pre_hook(refuse_stranger)
        self._scaler.update = lambda *_: None  # Lightning asks for it after every step
        try:
            yield
        finally:
            hook.remove()
            self._update()
            del self._scaler.update
            self._forget()

    def _update(self) -> None:
        with suppress(AssertionError):  # no optimizer has stepped
            type(self._scaler).update(self._scaler)
        self._stepped.clear()

    # -- backward --------------------------------------------------------------------------------

    @contextmanager
    def backward(self, tensor: torch.Tensor, create_graph: bool, inputs: Any) -> Iterator[None]:
        """Unscale the gradients that the enclosed backward makes, and see whether they overflow.

        Args:
            tensor: What it is called on.
            create_graph: As `torch.Tensor.backward` takes it.
            inputs: The tensors that it is to reach, where these were named.

        Raises:
            TrainerError: What it makes could not be unscaled.
        """
        reached = self._reached(tensor, create_graph, inputs)
        self._forget()
        for optimizer in self._optimizers:
            if not any(parameter in self._made for parameter in _parameters_of(optimizer)):
                self._overflown.pop(optimizer, None)  # zeroed since
        # the module's own as well: a reentrant checkpoint hides them from the graph
        leaves = list(dict.fromkeys([*self._parameters(), *self._module.parameters(), *reached]))
        self._rescale(_gradients(leaves))
        try:
            with torch.enable_grad(), unscaled_hooks(leaves, self._scale(tensor.device)):
                yield  # with gradients enabled, for the scaling is a part of the graph
        finally:
            self._unscale(leaves)
            self._record(self._parameters())

    def _reached(self, tensor: torch.Tensor, create_graph: bool, inputs: Any) -> list[torch.Tensor]:
        if not self._optimizers:
            raise TrainerError(
                f"{self._precision}: no attribute is an optimizer, and a GradScaler skips nothing "
                "but an optimizer's step after an overflow; use precision='bf16-mixed' or '32-true'"
            )
        if create_graph:
            raise TrainerError(
                f"{self._precision}: backward(create_graph=True) would leave scaled gradients in "
                "the graph; use torch.autograd.grad(..., create_graph=True)"
            )
        if inputs is None:
            return leaves_of(tensor)
        those = inputs.values() if isinstance(inputs, dict) else inputs
        named = [inputs] if isinstance(inputs, torch.Tensor) else list(those)
        if not all(isinstance(one, torch.Tensor) and one.is_leaf for one in named):
            raise TrainerError(
                f"{self._precision}: backward(inputs=...) reaches parameters and other leaves of "
                "the graph only; use torch.autograd.grad for what lies within it"
            )
        return named

    def _unscale(self, leaves: list[torch.Tensor]) -> None:
        done: set[torch.Tensor] = set()
        groups = [(one, _parameters_of(one)) for one in self._optimizers]
        for optimizer, parameters in (*groups, (None, leaves)):
            own = [one for one in parameters if one not in done]
            done.update(own)
            overflow = self._rescale(_gradients(own), divide=True)
            if optimizer is not None and overflow is not None:
                before = self._overflown.get(optimizer)
                self._overflown[optimizer] = overflow if before is None else before + overflow

    # -- step ------------------------------------------------------------------------------------

    def step(
        self,
        optimizer: LightningOptimizer,
        closure: Callable[[], Any] | None,
        **kwargs: Any,
    ) -> Any:
        """Step through Lightning's precision plugin, which skips the step after an overflow.

        Args:
            optimizer: Lightning's view of the optimizer.
            closure: The user's.
            **kwargs: For the optimizer's step.

        Returns:
            What the closure returned.

        Raises:
            TrainerError: Something other than a backward has changed the gradients.
        """
        own, result = optimizer.optimizer, None

        def prepare() -> None:  # Lightning calls it before it unscales
            nonlocal result
            result = None if closure is None else closure()
            self._prepare(own)

        own._opt_called = True  # type: ignore[attr-defined]  # else a scheduler misses a skipped one
        if closure is None and not _gradients(_parameters_of(own)):
            return own.step(**kwargs)  # a scaler cannot judge what is not there
        optimizer.step(prepare, **kwargs)
        self._stepped.append(own)
        self._record(_parameters_of(own))
        return result

    def _prepare(self, optimizer: Optimizer) -> None:
        for parameter in _parameters_of(optimizer):
            if parameter.grad is not None and not self._is_as_made(parameter):
                raise TrainerError(self._changed(parameter))
        if optimizer in self._stepped:
            self._update()
        gradients = _gradients(_parameters_of(optimizer))
        in_sight = self._rescale(gradients)
        overflow = self._overflown.pop(optimizer, None)
        if overflow is not None and in_sight is not None:  # whatever was made of it since
            poison = torch.where((overflow > 0) & (in_sight == 0), torch.inf, 1.0)
            with torch.no_grad():
                values_of(gradients[0]).mul_(poison)

    def _changed(self, parameter: torch.Tensor) -> str:
        names = {id(one): name for name, one in self._module.named_parameters()}
        name = names.get(id(parameter), f"a tensor of shape {tuple(parameter.shape)}")
        return (
            f"{self._precision}: the gradient of {name} was changed by something other than a "
            "backward before the step, and an overflow could hide in that; clip with "
            "self.clip_grad(optimizer_or_model, max_norm)"
        )

    @property
    def _precision(self) -> str:
        return f"precision {self._module.trainer.precision}"

    # -- gradients -------------------------------------------------------------------------------

    def clipped(self, parameters: Iterable[torch.Tensor]) -> None:
        """Take the gradients of parameters as they are now for those of the last backward."""
        self._record(set(self._parameters()).intersection(parameters))

    def _rescale(self, gradients: list[torch.Tensor], divide: bool = False) -> torch.Tensor | None:
        """Multiply gradients by the scale, or divide them; None where there are none.

        Returns:
            A number, on the device, that is not 0 where a gradient was not finite.
        """
        if not gradients:
            return None
        found = torch.zeros((), dtype=torch.float32, device=gradients[0].device)
        alike: dict[Any, list[torch.Tensor]] = {}
        for values in map(values_of, gradients):
            alike.setdefault((values.device, values.dtype), []).append(values)
        with torch.no_grad():
            for (device, _), same in alike.items():
                scale, there = self._scale(device), found.to(device)
                factor = scale.double().reciprocal().float() if divide else scale
                torch._amp_foreach_non_finite_check_and_unscale_(same, there, factor)
                found = there.to(found.device)
        return found

    def _scale(self, device: torch.device) -> torch.Tensor:
        # get_scale() would wait for the device
        scale: torch.Tensor = self._scaler.scale(torch.ones((), dtype=torch.float32, device=device))
        return scale

    def _parameters(self) -> Iterator[torch.Tensor]:
        return (one for optimizer in self._optimizers for one in _parameters_of(optimizer))

    def _record(self, parameters: Iterable[torch.Tensor]) -> None:
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is not None:
                self._made[parameter] = gradient, gradient._version

    def _is_as_made(self, parameter: torch.Tensor) -> bool:
        gradient, version = self._made.get(parameter, (None, 0))
        return parameter.grad is gradient and gradient is not None and gradient._version == version

    def _forget(self) -> None:
        """Let go of gradients that were zeroed, or their memory would not be free."""
        self._made = {one: made for one, made in self._made.items() if self._is_as_made(one)}


def _parameters_of(optimizer: Optimizer) -> list[torch.Tensor]:
    return [one for group in optimizer.param_groups for one in group["params"]]


def _gradients(parameters: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [one.grad for one in parameters if one.grad is not None]
