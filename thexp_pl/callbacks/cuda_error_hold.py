"""A training that waits where CUDA fails, in place of ending."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import pytorch_lightning as pl
import torch

from thexp_pl.callbacks.around import around_method
from thexp_pl.callbacks.hook import Hookable
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.callbacks.terminal import ask, at_terminal, say

__all__ = ["CUDAErrorHold"]

_WORDS = ("cuda", "cudnn", "cublas", "cusparse", "cufft", "nccl")
_RETRY, _SKIP, _RAISE = "retry", "skip", "raise"


class CUDAErrorHold(Hookable, pl.Callback):
    """Waits at the terminal when CUDA fails in a batch, so that memory can be freed meanwhile.

    Then it tries the batch again or skips it, or lets the error go on. A skipped batch counts as
    done, with nothing recorded. Gradients that the failed try has made are dropped first. Where the
    batch cannot be had a second time, since it has changed gradients that were pending before it,
    the error goes on; where it has stepped an optimizer already, it can only be skipped. What a
    second try does twice all the same: it draws other random numbers, and running statistics, as
    BatchNorm keeps, have seen a part of the batch before.

    In a batch job, whose input is no terminal, and on several devices, where the other ranks wait
    for this one, it says so in a line and lets the error go on.

    In the facade it stands around `train_batch`. In a plain Lightning Trainer it stands around
    `training_step`: all of a batch under manual optimization; under automatic optimization the
    forward pass alone, for what fails in the backward pass fails outside of it, and Lightning ends
    the training then.

    Source: thexp's ``CUDAErrorHold``.
    """

    def __init__(self) -> None:
        self._undo: Callable[[], None] | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stand around the batches of a fit."""
        refuse_twin(trainer)
        self._let_go()
        if stage == "fit":
            method = "train_batch" if hasattr(pl_module, "facade") else "training_step"
            self._undo = around_method(pl_module, method, partial(_held, trainer, pl_module))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let go of the module."""
        self._let_go()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Let go of the module after a training that failed."""
        self._let_go()

    def _let_go(self) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_undo": None}


def _held(
    trainer: pl.Trainer, module: pl.LightningModule, method: Callable[..., Any], *args: Any
) -> Any:
    """Call the method until it goes well, is skipped, or its error is to go on."""
    while True:
        before = _Weights(trainer, module) if at_terminal() else None
        try:
            return method(*args)
        except RuntimeError as error:
            if not _is_cuda(error):
                raise
            deed = _decide(trainer, module, before, _first_line(error))
            if deed == _RAISE:
                raise
        # out here the error is gone, and with it the frames that held the batch's tensors
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if deed == _SKIP:
            return None


def _decide(
    trainer: pl.Trainer, module: pl.LightningModule, before: _Weights | None, reason: str
) -> str:
    tell = partial(say, module)
    if before is None:
        tell(f"{reason}; nobody can be asked here, so the error goes on")
        return _RAISE
    if trainer.world_size > 1:
        tell(f"{reason}; the other ranks wait for this one, so the error goes on")
        return _RAISE
    if not before.drop_gradients():
        tell(f"{reason}; the batch has changed gradients of earlier ones, so the error goes on")
        return _RAISE
    tell(f"{reason}; the training waits")
    if before.are_changed:
        words, question = {"s": _SKIP}, "s: skip the batch, which has stepped already"
    else:
        words, question = {"": _RETRY, "s": _SKIP}, "Enter: try the batch again; s: skip it"
    answer = ask(f"{question}; anything else: let the error go on > ")
    return _RAISE if answer is None else words.get(answer, _RAISE)


def _is_cuda(error: RuntimeError) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(word in text for word in _WORDS)


def _first_line(error: RuntimeError) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


class _Weights:
    """What a batch may change: what is trained and its gradients, as they stand.

    Args:
        trainer: The Trainer, with its optimizers.
        module: The module.
    """

    def __init__(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        groups = [group["params"] for one in trainer.optimizers for group in one.param_groups]
        trained = {id(one): one for one in (*module.parameters(), *chain(*groups))}
        self._marks = [
            (one, one._version, one.grad, None if one.grad is None else one.grad._version)
            for one in trained.values()
        ]

    @property
    def are_changed(self) -> bool:
        """Whether a parameter is another than it was."""
        return any(one._version != version for one, version, _, _ in self._marks)

    def drop_gradients(self) -> bool:
        """Take away the gradients that were not there, and say whether the others are unchanged."""
        for one, _, gradient, version in self._marks:
            if gradient is None:
                one.grad = None
            elif one.grad is not gradient or gradient._version != version:
                return False
        return True
