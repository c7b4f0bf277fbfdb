"""A run that another process records."""

from __future__ import annotations

from pathlib import Path

from thexp_pl.record.experiment import Experiment
from thexp_pl.record.options import RecordOptions
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor

__all__ = ["FollowedRun"]

_NO_PROCESS = 0  # of ours


class FollowedRun(Experiment):
    """A run as another rank of it sees it: its folders are there, and nothing is recorded.

    Args:
        root: The root folder of the experiments.
        name: The experiment.
        key: The run.
    """

    def __init__(self, root: Path, name: str, key: str) -> None:
        options = RecordOptions(code=False, console=False)
        self.__setstate__(
            {
                "given": (root, name, options, Redactor()),
                "paths": RunPaths(root, name, key),
                "params": {},
                "pid": _NO_PROCESS,
                "started": True,
                "ended": False,
                "turn": None,
            }
        )

    def note(self, text: str) -> None:
        """Leave it to the process that records."""

    def tag(self, *tags: str) -> None:
        """Leave it to the process that records."""
