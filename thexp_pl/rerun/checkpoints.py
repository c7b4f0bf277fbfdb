"""The checkpoint of a run to go on from."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

from thexp_pl.errors import CheckpointError
from thexp_pl.runs.run import Run
from thexp_pl.saver.choosing import LAST, NotFoundError, checkpoint_path
from thexp_pl.saver.sidecar import Record, read_sidecar

__all__ = ["Found", "find_checkpoint"]


class Found(NamedTuple):
    """A checkpoint that was found.

    Args:
        path: The file; None where the run has none that is whole.
        record: What its sidecar says of it; None where there is no sidecar.
        passed_over: Which newer ones were passed over, or why there is none; else an empty text.
    """

    path: Path | None
    record: Record | None
    passed_over: str

    @property
    def place(self) -> str:
        """The file's name, and where in the training it stands."""
        if self.path is None:
            return "none"
        if self.record is None:
            return self.path.name
        step = "" if self.record.step is None else f", step {self.record.step}"
        return f"{self.path.name} (epoch {self.record.epoch}{step})"


def find_checkpoint(run: Run, name: str = LAST) -> Found:
    """Find a checkpoint of a run.

    Args:
        run: The run.
        name: ``last``, ``best``, a number of completed epochs, or the name of a file in
            ``modules/``.

    Returns:
        What was found, its size and hash checked.

    Raises:
        CheckpointError: It is damaged, or there is none of that name; that there is none at all is
            no error for ``last``.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            path = checkpoint_path(f"{run.key}@{name}", root=run.paths.root)
        except NotFoundError as error:
            if name != LAST:
                raise
            return Found(None, None, str(error))
    passed_over = "; ".join(str(warning.message) for warning in caught)
    try:
        return Found(path, read_sidecar(path).record, passed_over)
    except CheckpointError:
        return Found(path, None, passed_over)
