"""The TensorBoard writer of a run: torch's SummaryWriter, writing into the board that there is.

A file of its own beside the board's would hide that one: TensorBoard follows the newest file of a
folder alone.
"""

# mypy: disable-error-code="no-untyped-call,import-untyped"
# torch.utils.tensorboard has no types

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.logger import _DummyExperiment
from torch.utils.tensorboard.writer import FileWriter, SummaryWriter

from thexp_pl.loggers.run_board import RunBoard
from thexp_pl.record import Experiment
from thexp_pl.record.faults import Tolerant

if TYPE_CHECKING:
    from thexp_pl.trainer.run import Run

__all__ = ["BoardWriter", "writer_of"]


def writer_of(run: Run) -> Any:
    """Make the writer of a run; one that does nothing on ranks above 0.

    Args:
        run: The run.
    """
    if not run.is_recorded_here:
        return _DummyExperiment()
    tolerant = Tolerant(f"the board of {run.experiment.key}")
    board = run.run_logger.board or RunBoard(tolerant)  # with board=False it is made here
    return BoardWriter(run.experiment, board)


class BoardWriter(SummaryWriter):
    """A SummaryWriter whose events go to the run's event file, in the board's own thread.

    What `add_scalars`, `add_embedding` and `add_hparams` write to files of their own lies in
    folders below the board's, as ever.

    Args:
        run: The run; once it has ended nothing is taken.
        board: Its board.
    """

    def __init__(self, run: Experiment, board: RunBoard) -> None:
        self._run = run
        self._sink = _Sink(run, board)
        super().__init__(self._sink.get_logdir())

    def _get_file_writer(self) -> Any:
        if vars(self)["file_writer"] is None:  # at first, and once it was closed
            writer = _SinkWriter(self._sink)
            vars(self).update(file_writer=writer, all_writers={self.get_logdir(): writer})
            if self._run.is_open:  # a run that pauses closes its files, and opens them again
                self._run.at_end(self.close)
        return self.file_writer


class _SinkWriter(FileWriter):
    def __init__(self, sink: _Sink) -> None:
        self.event_writer = sink


class _Sink:
    """Takes events as TensorBoard's EventFileWriter does."""

    def __init__(self, run: Experiment, board: RunBoard) -> None:
        self._run = run
        self._board = board

    def get_logdir(self) -> str:
        return str(self._run.paths.board)

    def add_event(self, event: Any) -> None:
        if self._run.is_open:
            self._board.add_event(self._run, event)

    def flush(self) -> None:
        self._board.flush()

    def close(self) -> None:
        """Leave the file open: it is the board's."""
