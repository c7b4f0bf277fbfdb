"""The board of a run: made when there is something to show, and closed with the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pytorch_lightning.core.module import _jit_is_scripting

from thexp_pl.record import Experiment
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.manifest import read_manifest

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]

    from thexp_pl.loggers.board import Board

__all__ = ["RunBoard"]


class RunBoard:
    """Shows a run in TensorBoard: its metrics, its model, and at the end its parameters.

    Args:
        tolerant: Takes the faults.
    """

    def __init__(self, tolerant: Tolerant) -> None:
        self._tolerant = tolerant
        self._board: Board | None = None
        self._standing: tuple[int, dict[str, float]] = (0, {})  # a run that pauses closes its board
        self._times_back = 0  # that the run had gone back when the last board was opened
        self._names: dict[str, str] = {}  # as the record has them, without secrets

    def add_scalars(self, run: Experiment, step: int | None, values: Mapping[str, float]) -> None:
        """Show metrics.

        Args:
            run: The run, which is open.
            step: The step, counted from 0; None for that of the call before.
            values: Numbers by name.
        """
        board = self._of(run)
        if board is not None:
            shown = {self._name(run, name): value for name, value in values.items()}
            board.add_scalars(step, shown)

    def add_event(self, run: Experiment, event: Event) -> None:
        """Show what someone else has made an event of.

        Args:
            run: The run, which is open.
            event: As TensorBoard's own writer would take it.
        """
        board = self._of(run)
        if board is not None:
            board.add_event(event)

    def add_graph(self, run: Experiment, model: Any, example: Any) -> None:
        """Show what a module computes of an example.

        Args:
            run: The run, which is open.
            model: The LightningModule, on its device.
            example: A tensor, or a tuple of what `forward` takes; None for the module's own
                ``example_input_array``.
        """
        self._tolerant(self._add_graph, run, model, example)

    def flush(self) -> None:
        """Bring what waits to the disk."""
        if self._board is not None:
            self._board.flush()

    def drop(self) -> None:
        """Begin anew in a process that was forked: the board is that of the process before it."""
        self._board = None

    def _name(self, run: Experiment, name: str) -> str:
        shown = self._names.get(name)
        if shown is None:
            shown = self._names[name] = run.redact(str(name))
        return shown

    def _of(self, run: Experiment) -> Board | None:
        if self._board is None:
            self._board = self._tolerant(self._open, run)
        return self._board

    def _open(self, run: Experiment) -> Board:
        from thexp_pl.loggers.board import Board  # only where a board is wanted

        before, self._times_back = self._times_back, run.times_gone_back
        goes_back = self._times_back > before
        board = Board(run.paths.board, self._tolerant.tell, self._standing, goes_back)
        run.at_end(partial(self._close, run))
        return board

    def _add_graph(self, run: Experiment, model: Any, example: Any) -> None:
        example = model.example_input_array if example is None else example
        if example is None:
            raise ValueError(
                "log_graph=True needs an example: set the module's example_input_array, or leave "
                "log_graph out"
            )
        board = self._of(run)
        if board is not None:
            example = model._on_before_batch_transfer(example)
            example = model._apply_batch_transfer_handler(example)
            with _jit_is_scripting():  # a LightningModule then lets go of its Trainer
                board.add_graph(model, example)

    def _close(self, run: Experiment) -> None:
        if self._board is None:
            return
        run.params = run.params  # written anew: entries may have been added in place
        params = read_manifest(run.paths.manifest)["params"]  # without secrets
        last = {name: numbers["last"] for name, numbers in run.metrics.items()}
        self._board.add_hparams(params, last)
        self._board.close()
        self._standing = self._board.standing
        self._board = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_board": None}
