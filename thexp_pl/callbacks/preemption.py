"""Signals that ask a training to end: kept until it can be saved, and answered then."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.trainer.connectors.signal_connector import _HandlersCompose
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.multiprocessing import _prctl_pr_set_pdeathsig  # type: ignore[attr-defined]  # in C
from torch.multiprocessing.spawn import ProcessExitedException

from thexp_pl.loggers import find_run_logger

__all__ = ["PreemptedError", "Signals", "agreed", "note_signal"]

# what schedulers send and `kill`, SLURM before its time limit, and Ctrl-C
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)

# The same request on two ways: SLURM signals every process, and torchrun those it has launched.
_ONE_REQUEST_SECONDS = 1.0

_ENDS = "training ends with a checkpoint after this batch; once more ends it at once"
# someone else's handler then asks, or does what it likes
_SAVES = "a checkpoint is saved after this batch; once more acts at once"


class PreemptedError(SIGTERMException):
    """What ends a training that a signal asked to end, once it is saved.

    Lightning and the record know it as its base class. The process ends with 128 plus the signal's
    number, as a shell reports a process that died of it.

    Args:
        number: The signal.
        code: The exit status.
    """

    def __init__(self, number: int, code: int) -> None:
        super().__init__(code)
        self.signal_name = signal.Signals(number).name

    def __str__(self) -> str:
        return f"{self.signal_name}: training ended with a checkpoint"  # the record shows it


class Signals:
    """The signals that came while a training runs.

    The first of a kind is only kept in `asked`. A second one acts at once, as it would have without
    us; where two of SIGTERM or of SIGUSR1 come within a second, they are one request that came on
    two ways. A signal that the process ignores, or that no Python code handles, is left alone.

    In a process that Lightning has spawned or forked, the end of the one that launched it is a
    SIGTERM too, unless a signal has come already. A process that is forked while the training runs,
    such as a loader's worker, leaves the signals to it; SIGTERM ends that process.

    Args:
        trainer: The Trainer, whose own handlers are registered.
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        self._trainer = trainer
        self._previous: dict[int, Any] = {}
        self._came_at: dict[int, float] = {}
        self._answered: set[int] = set()
        self._launched_by: int | None = None
        self._pid = os.getpid()
        self.hurried = False  # whether a second signal ended the training

    @property
    def asked(self) -> int:
        """The number of a signal that waits for its answer; 0 for none."""
        if self._launched_by not in (None, os.getppid()) and not self._came_at:
            self._note(signal.SIGTERM, "the process that launched this one has ended")
        return max((one for one in self._came_at if one not in self._answered), default=0)

    def install(self) -> None:
        """Take the signals; outside the main thread Python lets nobody do so."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            current = signal.getsignal(number)
            if current is signal.SIG_DFL or callable(current):
                self._previous[number] = current
                signal.signal(number, self._on_signal)
        if isinstance(self._trainer.strategy.launcher, _MultiProcessingLauncher):
            self._launched_by = os.getppid()
            # torch has the kernel send SIGINT when the launcher ends, and that does so as each of
            # the launcher's threads ends: several times, which would pass for a second Ctrl-C.
            _prctl_pr_set_pdeathsig(0)

    def uninstall(self) -> None:
        """Put back the handlers that were there, but for what someone has built upon ours."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, previous)
        if self._launched_by is not None:
            self._launched_by = None
            _prctl_pr_set_pdeathsig(signal.SIGINT)

    def answer(self, number: int) -> BaseException | None:
        """Do what a signal asks for, now that the training is saved; on all ranks alike.

        The handlers that others have for it are called, Lightning's for SLURM among them.

        Args:
            number: The signal, which may have come to another rank.

        Returns:
            What is to end the training; None where a handler of someone else decides on that.
        """
        self._answered.add(number)
        ending = self._act(number, sys._getframe())
        if ending is None:  # a later one is another request
            self._came_at.pop(number, None)
            self._answered.discard(number)
        return ending

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        before = self._came_at.get(number)
        if before is None:
            self._note(number, "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        elif number == signal.SIGINT or time.monotonic() - before > _ONE_REQUEST_SECONDS:
            self._answered.add(number)
            self.hurried = True  # also where a handler of someone else raises
            ending = self._act(number, frame)
            self.hurried = ending is not None
            if ending is not None:
                raise ending

    def _note(self, number: int, what: str) -> None:
        self._came_at[number] = time.monotonic()
        if self._trainer.is_global_zero:
            follows = _SAVES if self._is_anothers(number) else _ENDS
            # a handler may say itself what it will do
            said = getattr(self._previous.get(number), "notice", f"\n{what}: {follows}\n")
            with contextlib.suppress(OSError):
                os.write(2, said.encode())  # print may be interrupted

    def _act(self, number: int, frame: FrameType | None) -> BaseException | None:
        previous = self._previous.get(number, signal.SIG_DFL)
        if previous is signal.default_int_handler:
            return KeyboardInterrupt()
        for handler in _handlers(previous):
            # not Lightning's notice: it broadcasts, and the ranks have agreed already
            if handler != self._trainer._signal_connector._sigterm_notifier_fn:
                handler(number, frame)
        if self._is_anothers(number):
            return None
        return PreemptedError(number, self._exit_code(number))

    def _is_anothers(self, number: int) -> bool:
        """Say whether a handler of someone else decides on what the signal means."""
        previous = self._previous.get(number, signal.SIG_DFL)
        is_pythons = previous is signal.default_int_handler
        return number != signal.SIGTERM and callable(previous) and not is_pythons

    def _exit_code(self, number: int) -> int:
        environment = getattr(self._trainer.strategy, "cluster_environment", None)
        if isinstance(environment, LightningEnvironment) and self._trainer.local_rank != 0:
            return 0  # else Lightning kills the process that launched this one, in its midst
        return 128 + number


def _handlers(handler: Any) -> list[Any]:
    """Give the functions behind a handler: Lightning makes one of several."""
    if isinstance(handler, _HandlersCompose):
        return [one for part in handler.signal_handlers for one in _handlers(part)]
    return [handler] if callable(handler) else []


def agreed(trainer: pl.Trainer, *numbers: int) -> list[int]:
    """Give the largest of each number over all ranks, which call this at the same places.

    Args:
        trainer: The Trainer.
        *numbers: This rank's.
    """
    distributed = torch.distributed
    if trainer.world_size == 1 or not distributed.is_initialized():
        return list(numbers)
    largest = torch.tensor(numbers, device=trainer.strategy.root_device)
    distributed.all_reduce(largest, op=distributed.ReduceOp.MAX)
    found: list[int] = largest.tolist()
    return found


def note_signal(trainer: pl.Trainer, exception: BaseException) -> None:
    """Have the record say which signal ended the training, where that is what did.

    Args:
        trainer: The Trainer.
        exception: What ended it, in this process or in one that Lightning made to train.
    """
    name = getattr(exception, "signal_name", None)
    if isinstance(exception, ProcessExitedException):
        known = {128 + number: signal.Signals(number).name for number in _SIGNALS}
        name = known.get(exception.exit_code)
    elif not isinstance(exception, PreemptedError):
        return
    logger = find_run_logger(trainer)
    if name is not None and logger is not None and trainer.is_global_zero:
        logger.experiment.finish("interrupted", exception, name)
