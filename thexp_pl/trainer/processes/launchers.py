"""Lightning's launchers, so that what happens in the processes they make is known outside them.

The one runs the script again; where such a process ends before the ranks are connected, the script
ends with a word on it. The other spawns or forks copies of the trainer; when they have trained, the
trainer that was copied goes on from where they ended.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from subprocess import Popen
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.strategies.launchers.subprocess_script import _launch_process_observer
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.strategies.launchers import (
    _MultiProcessingLauncher,
    _SubprocessScriptLauncher,
)
from torch import distributed

from thexp_pl.errors import TrainerError
from thexp_pl.record.ending import end_all
from thexp_pl.trainer.processes.copying import (
    explain_refusal,
    keep_state,
    prepare_copy,
    take_up_state,
)
from thexp_pl.trainer.processes.failures import death_in_words, told_failures
from thexp_pl.trainer.processes.inherited import telling
from thexp_pl.trainer.quiet import quiet_lightning

__all__ = ["CopyLauncher", "ScriptLauncher", "in_this_process", "use_own_launcher"]

_LOOK_SECONDS = 0.1


def use_own_launcher(trainer: pl.Trainer) -> None:
    """Put the launcher of this module in the place of Lightning's of the same kind.

    Args:
        trainer: The Lightning Trainer of a facade Trainer.
    """
    strategy: Any = trainer.strategy
    launcher = strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        strategy._launcher = ScriptLauncher(
            launcher.cluster_environment, launcher.num_processes, launcher.num_nodes
        )
    elif isinstance(launcher, _MultiProcessingLauncher):
        strategy._launcher = CopyLauncher(strategy, launcher._start_method)


@contextmanager
def in_this_process(trainer: pl.Trainer) -> Iterator[None]:
    """Have a trainer whose copies train do something itself, on the first of its devices.

    What its copies predict would not come back.

    Args:
        trainer: The Lightning Trainer of a facade Trainer.
    """
    connector, strategy = trainer._accelerator_connector, trainer.strategy
    if not isinstance(strategy.launcher, CopyLauncher):
        yield
        return
    connector.strategy = SingleDeviceStrategy(
        strategy.root_device,
        accelerator=strategy.accelerator,
        checkpoint_io=strategy.checkpoint_io,
        precision_plugin=strategy.precision_plugin,
    )
    try:
        yield
    finally:
        connector.strategy = strategy


class ScriptLauncher(_SubprocessScriptLauncher):
    """Runs the script again for each rank above 0, and watches until the ranks are connected.

    Lightning's own observer, which kills this process without a word, watches only after that.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._is_over = threading.Event()
        self._made: list[Popen[bytes]] = []

    def launch(
        self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any
    ) -> Any:
        """Make the processes, unless they are there, and call the function in this one.

        Raises:
            TrainerError: Another rank has failed, and the connection to it with it.
        """

        def with_processes(*args: Any, **kwargs: Any) -> Any:
            self.procs = self._made
            return function(*args, **kwargs)

        try:
            with told_failures(trainer):
                return super().launch(with_processes, *args, trainer=trainer, **kwargs)
        finally:
            self._is_over.set()

    def _call_children_scripts(self) -> None:
        with telling():
            super()._call_children_scripts()
        # Lightning starts its observer on `procs` next: on none, it ends.
        self._made, self.procs = self.procs, []
        watch = partial(_watch_start, self._made, self._is_over)
        threading.Thread(target=watch, name="thexp-pl start", daemon=True).start()


def _watch_start(processes: list[Popen[bytes]], is_over: threading.Event) -> None:
    """End this process where another ends that it waits for, as Python itself cannot here."""

    def is_waiting() -> bool:
        return not distributed.is_initialized() and not is_over.is_set()

    while is_waiting():
        for rank, process in enumerate(processes, 1):
            code = process.poll()
            if code is not None and is_waiting():
                _end_at_start(rank, code, processes)
        is_over.wait(_LOOK_SECONDS)
    if not is_over.is_set():
        _launch_process_observer(processes)


def _end_at_start(rank: int, code: int, processes: list[Popen[bytes]]) -> None:
    error = TrainerError(
        f"rank {rank} {death_in_words(code)} before the training could begin; the script must come "
        "to the training on every rank"
    )
    for process in processes:
        process.kill()
    sys.stderr.write(f"error: {error}\n")
    end_all(error)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(1)


class CopyLauncher(_MultiProcessingLauncher):
    """Spawns or forks the processes, and has this one go on from where they have ended."""

    def __init__(self, strategy: Any, start_method: Any) -> None:
        super().__init__(strategy, start_method)
        self._kept: str | None = None  # the file with the state at the fit's end

    def launch(
        self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any
    ) -> Any:
        """Make the processes, call the function in each, and wait for them.

        Raises:
            TrainerError: The trainer cannot be copied.
        """
        if "on_advance_end" in vars(trainer.fit_loop):
            raise TrainerError(
                "train_step pauses a training, which the processes of ddp_spawn and ddp_fork could "
                "not go on with; call train(), or use strategy='ddp'"
            )
        self._already_fit = False  # what came back is what the next fit goes on from
        try:
            return super().launch(function, *args, trainer=trainer, **kwargs)
        except Exception as error:
            if self._start_method != "fork":
                explain_refusal(error, trainer)
            raise

    def _wrapping_function(self, process_idx: int, trainer: Any, *args: Any, **kwargs: Any) -> None:
        facade = trainer.lightning_module.facade
        prepare_copy(facade, process_idx)
        with quiet_lightning(), told_failures(trainer):
            super()._wrapping_function(process_idx, trainer, *args, **kwargs)

    def keep_state(self, trainer: pl.Trainer) -> None:
        """Keep what a fit ends with for the process that waits; called on all ranks.

        Args:
            trainer: The Trainer, in whose fit all batches are done.
        """
        self._kept = keep_state(trainer)

    def get_extra_results(self, trainer: pl.Trainer) -> dict[str, Any]:
        """Add to what rank 0 sends where its state is kept."""
        kept, self._kept = self._kept, None
        return {**super().get_extra_results(trainer), "kept": kept}

    def update_main_process_results(self, trainer: pl.Trainer, extra: dict[str, Any]) -> None:
        """Take up what rank 0 has sent."""
        super().update_main_process_results(trainer, extra)
        if extra["kept"] is not None:
            take_up_state(trainer, extra["kept"])
