"""The Reporter of a run: on ranks above 0 one that writes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.report import Reporter

if TYPE_CHECKING:
    from thexp_pl.trainer.run import Run

__all__ = ["reporter_of"]


def reporter_of(run: Run) -> Reporter:
    """Make the Reporter of a run.

    Args:
        run: The run.
    """
    return (Reporter if run.is_recorded_here else SilentReporter)(run.experiment)


class SilentReporter(Reporter):
    """The Reporter of a rank that writes nothing: rank 0 does. It gives the run's folder."""

    @property
    def savedir(self) -> Path:
        """The run's folder."""
        return self._home

    def add_scalar(self, value: Any, step: int, tag: str) -> None:
        """Leave it to rank 0."""

    def add_figure(self, figure: Any, tag: str, step: int | None = None) -> Path:
        """Leave it to rank 0."""
        return self.savedir

    def add_ftag(self, file: str | os.PathLike[str], tag: str) -> None:
        """Leave it to rank 0."""

    def savefig(self, figure: Any = None, tag: str = "figure", step: int | None = None) -> Path:
        """Leave it to rank 0."""
        return self.savedir

    def savearr(self, array: Any = None, tag: str = "array", step: int | None = None) -> Path:
        """Leave it to rank 0."""
        return self.savedir

    def report(self, every: int = 20, otherinfo: Mapping[str, Any] | None = None) -> Path:
        """Leave it to rank 0."""
        return self.savedir
