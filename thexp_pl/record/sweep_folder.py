"""Where everything of a sweep is: the one place that spells the files of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thexp_pl.globvars import MARK_FOLDER

__all__ = ["SweepFolder", "sweeps_of"]


@dataclass(frozen=True)
class SweepFolder:
    """The files of one sweep.

    Args:
        root: The experiment root, an absolute path.
        key: The sweep's key, the name of its folder.
    """

    root: Path
    key: str

    @property
    def folder(self) -> Path:
        """The sweep's folder."""
        return sweeps_of(self.root) / self.key

    @property
    def manifest(self) -> Path:
        """What was submitted, see `thexp_pl.sweeps.sweep.Sweep`."""
        return self.folder / "sweep.json"

    @property
    def points(self) -> Path:
        """The points, one JSON object a line; later ones are appended."""
        return self.folder / "points.jsonl"

    @property
    def code(self) -> Path:
        """The project as it was when the sweep was submitted, in which its runs run."""
        return self.folder / "code"

    @property
    def configuration(self) -> Path:
        """Copies of the configuration files from outside of the project, by their paths."""
        return self.folder / "configuration"

    @property
    def lock(self) -> Path:
        """The lock of the one process that works on the sweep."""
        return self.folder / ".lock"

    @property
    def submit_lock(self) -> Path:
        """The lock under which a sweep of this root is made, changed or loses its code."""
        return sweeps_of(self.root) / ".submit.lock"

    @property
    def study(self) -> Path:
        """The journal of the study of a sweep that is sampled."""
        return self.folder / "study.log"

    def told(self, point: int) -> Path:
        """What the process of a point is told, see `thexp_pl.record.rerun`.

        Args:
            point: The point's number.
        """
        return self.folder / "points" / f"{point:07d}.json"

    def point_lock(self, point: int) -> Path:
        """The lock that the process of a point holds for as long as it lives.

        Args:
            point: The point's number.
        """
        return self.folder / "points" / f"{point:07d}.lock"

    def log(self, point: int) -> Path:
        """What the processes of a point have printed, all attempts one after the other.

        Args:
            point: The point's number.
        """
        return self.folder / "logs" / f"{point:07d}.log"


def sweeps_of(root: Path) -> Path:
    """Give the folder of the sweeps of an experiment root.

    Args:
        root: The root.

    Returns:
        The folder, which need not be there.
    """
    return root / MARK_FOLDER / "sweeps"
