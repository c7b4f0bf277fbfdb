"""User-written ``loss.backward()`` and ``optim.step()``, sent through Lightning.

Raw calls pass Lightning's precision, strategy and hooks by. While `train_batch` runs, therefore,
`Tensor.backward` and `torch.autograd.backward` become the module's `manual_backward`; while a fit
runs, each optimizer's own `step` goes through its `LightningOptimizer`. The methods of the
optimizer instances are replaced, not the attributes that hold them: aliases in lists and dicts,
schedulers and `load_state_dict` keep meaning the same optimizer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from thexp_pl.trainer.stepping.joining import joined
from thexp_pl.trainer.stepping.scaling import Scaling, scaling_of

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from pytorch_lightning.core.optimizer import LightningOptimizer
    from torch.optim import Optimizer

__all__ = ["RawSteps", "fresh_casts"]


class _Thread(threading.local):
    """Whose `train_batch` runs in this thread.

    None within a backward, which calls itself back, and in threads of autograd's or of others.
    """

    steps: RawSteps | None = None


_thread = _Thread()


class RawSteps:
    """The redirection of one LightningModule's raw calls.

    Args:
        module: The module whose `train_batch` is redirected.
    """

    def __init__(self, module: pl.LightningModule) -> None:
        self._module = module
        self._lightning_optimizers: list[LightningOptimizer] = []
        self._undo: list[Callable[[], None]] = []
        self._scaling: Scaling | None = None

    # -- step ------------------------------------------------------------------------------------

    def patch_optimizers(self, lightning_optimizers: list[LightningOptimizer]) -> None:
        """Send each optimizer's `step` through Lightning until `unpatch_optimizers`.

        Args:
            lightning_optimizers: Lightning's views of the optimizers.

        Raises:
            TrainerError: The precision cannot be had with one of them.
        """
        self.unpatch_optimizers()
        self._scaling = scaling_of(self._module, [one.optimizer for one in lightning_optimizers])
        self._lightning_optimizers = lightning_optimizers
        for lightning_optimizer in lightning_optimizers:
            step: Callable[..., Any] = lightning_optimizer.step
            if self._scaling is not None:
                step = partial(self._scaling.step, lightning_optimizer)
            self._undo.append(_patch(lightning_optimizer.optimizer, step))

    def unpatch_optimizers(self) -> None:
        """Give the optimizers their own `step` back."""
        self._lightning_optimizers = []
        self._scaling = None
        while self._undo:
            self._undo.pop()()

    # -- backward --------------------------------------------------------------------------------

    @contextmanager
    def train_batch(self) -> Iterator[None]:
        """Redirect each backward for one `train_batch`, and count the batch when it is done.

        Lightning's `trainer.global_step` then counts batches, as thexp's does: with several
        optimizers, with steps taken every n-th batch only, and without any.
        """
        trainer: Any = self._module.trainer
        profiler = trainer.profiler
        for lightning_optimizer in self._lightning_optimizers:
            lightning_optimizer._on_before_step = partial(profiler.start, "optimizer_step")
            lightning_optimizer._on_after_step = partial(profiler.stop, "optimizer_step")
        scaled = self._scaling.batch(self._is_running) if self._scaling else nullcontext()
        of_tensor, of_tensors = torch.Tensor.backward, torch.autograd.backward
        outer, _thread.steps = _thread.steps, self
        torch.Tensor.backward = self._for_tensor(of_tensor)  # type: ignore[method-assign]
        torch.autograd.backward = self._for_tensors(of_tensors)
        try:
            with fresh_casts(), scaled:
                yield
        finally:
            torch.Tensor.backward = of_tensor  # type: ignore[method-assign]
            torch.autograd.backward = of_tensors
            _thread.steps = outer
        steps = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        steps.increment_ready()
        steps.increment_completed()

    def clipped(self, parameters: Iterable[torch.Tensor]) -> None:
        """Note that the gradients of parameters were changed rightly."""
        if self._scaling is not None:
            self._scaling.clipped(parameters)

    def _is_running(self) -> bool:
        return _thread.steps is self

    def _for_tensor(self, original: Callable[..., None]) -> Callable[..., None]:
        def backward(
            tensor: torch.Tensor,
            gradient: torch.Tensor | None = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            inputs: Any = None,
        ) -> None:
            run = self._backward if _thread.steps is self else original
            run(tensor, gradient, retain_graph, create_graph, inputs=inputs)

        return backward

    def _for_tensors(self, original: Callable[..., None]) -> Callable[..., None]:
        def backward(
            tensors: Any,
            grad_tensors: Any = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            grad_variables: Any = None,
            inputs: Any = None,
        ) -> None:
            one = joined(tensors, grad_tensors) if _thread.steps is self else None
            if one is None or grad_variables is not None:  # what torch itself objects to
                with self._left_alone():
                    original(
                        tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs
                    )
            else:
                self._backward(*one, retain_graph, create_graph, inputs=inputs)

        return backward

    def _backward(
        self,
        tensor: torch.Tensor,
        gradient: torch.Tensor | None,
        retain_graph: bool | None,
        create_graph: bool,
        inputs: Any,
    ) -> None:
        scaled: AbstractContextManager[None] = nullcontext()
        if self._scaling is not None:
            scaled = self._scaling.backward(tensor, create_graph, inputs)
        with self._left_alone(), scaled:
            self._module.manual_backward(tensor, gradient, retain_graph, create_graph, inputs)

    @contextmanager
    def _left_alone(self) -> Iterator[None]:
        before, _thread.steps = _thread.steps, None
        try:
            yield
        finally:
            _thread.steps = before


@contextmanager
def fresh_casts() -> Iterator[None]:
    """Have autocast cast the weights that there are, not those of before a step.

    Where it remembers what it has cast, as in Lightning before 2.5.5, it does so until its
    outermost region ends; and that is around the whole `train_batch`, with its steps.
    """
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    # a region that the user has made before remembers again, within Lightning's
    hook = register_optimizer_step_post_hook(lambda *_: torch.clear_autocast_cache())
    try:
        yield
    finally:
        hook.remove()
        torch.set_autocast_cache_enabled(before)


def _patch(optimizer: Optimizer, lightnings: Callable[..., Any]) -> Callable[[], None]:
    original = optimizer.step
    was_own = vars(optimizer).get("step")  # a scheduler's wrapper, on the instance
    inside = False

    def step(_self: Optimizer, closure: Callable[[], Any] | None = None, **kwargs: Any) -> Any:
        nonlocal inside
        if inside:  # Lightning's plugins call the optimizer back
            return original(closure, **kwargs) if closure else original(**kwargs)
        inside = True
        try:
            return lightnings(closure, **kwargs)
        finally:
            inside = False

    if hasattr(original, "_wrapped_by_lr_sched"):  # torch's schedulers look for their own wrapper
        step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    # MethodType and not a closure: a scheduler made later looks for `step.__func__`
    optimizer.step = MethodType(step, optimizer)  # type: ignore[method-assign]

    def undo() -> None:
        del optimizer.step
        if was_own is not None:
            optimizer.step = was_own  # type: ignore[method-assign]

    return undo
