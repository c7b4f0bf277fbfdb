"""Where everything of a record is: the one place that spells its folders and files.

::

    <root>/
      .thexp/root.json       says that this folder is an experiment root
      .thexp/code.git        the code of all runs, see `thexp_pl.record.code`
      .thexp/trash           runs that were removed, as the root held them
      .thexp/sweeps          one folder a sweep, see `thexp_pl.record.sweep_folder`
      <experiment>/<key>/    one run, see `RunPaths`
    <thexp home>/
      roots/<hash>.json      where a root is

A ``.thexp`` with a ``config.json`` belongs to a project (`thexp_pl.globvars`), one with a
``root.json`` to an experiment root; a folder may be both, as the two files are different ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from thexp_pl.globvars import MARK_FOLDER, thexp_home

__all__ = [
    "ProcessPaths",
    "RankPaths",
    "RunPaths",
    "code_store",
    "root_mark",
    "roots_folder",
    "trash_of",
]


class ProcessPaths:
    """The files that each process which records has in a folder of its own."""

    @property
    def folder(self) -> Path:
        """That folder."""
        raise NotImplementedError

    @property
    def heartbeat(self) -> Path:
        """A file touched for as long as the process lives; gone after an orderly end."""
        return self.folder / ".heartbeat"

    @property
    def traceback(self) -> Path:
        """The traceback of the exception that ended it."""
        return self.folder / "traceback.txt"

    @property
    def crash(self) -> Path:
        """Where every thread stood when a fault such as SIGSEGV ended it."""
        return self.folder / "crash.txt"

    @property
    def console(self) -> Path:
        """What it printed on stdout and stderr."""
        return self.folder / "console.log"


@dataclass(frozen=True)
class RunPaths(ProcessPaths):
    """The files of one run.

    Args:
        root: The experiment root, an absolute path.
        experiment: The experiment's name.
        key: The run's key, the name of its folder.
        made: The folders that were made for it, the run's own first.
    """

    root: Path
    experiment: str
    key: str
    made: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def relative(self) -> str:
        """The run's folder as seen from the root."""
        return f"{self.experiment}/{self.key}"

    @cached_property
    def folder(self) -> Path:
        """The run's folder."""
        return self.root / self.experiment / self.key

    def end_mark(self, status: str) -> Path:
        """The empty file that says how the run ended where no manifest could be written any more.

        Args:
            status: As in the manifest.
        """
        return self.folder / f".{status}"

    @property
    def manifest(self) -> Path:
        """What is known of the run; rewritten whole."""
        return self.folder / "run.json"

    @property
    def notes(self) -> Path:
        """Tags and notes, which people change later."""
        return self.folder / "notes.json"

    @property
    def notes_lock(self) -> Path:
        """The lock of `notes`."""
        return self.folder / ".notes.lock"

    @property
    def resume_lock(self) -> Path:
        """The lock under which a process makes a run that has ended its own."""
        return self.folder / ".resume.lock"

    @property
    def again_lock(self) -> Path:
        """The lock that a command which goes on with the run holds to its end."""
        return self.folder / ".again.lock"

    @property
    def journal(self) -> Path:
        """Events in the order in which they were seen, one JSON object a line."""
        return self.folder / "journal.jsonl"

    @property
    def metrics(self) -> Path:
        """Metrics, one value a line."""
        return self.folder / "metrics.csv"

    @property
    def config(self) -> Path:
        """The command line's whole resolved configuration, where one started the run."""
        return self.folder / "config.yaml"

    @property
    def predictions(self) -> Path:
        """What ``thexp-pl predict`` gave."""
        return self.folder / "predictions.pt"

    @property
    def keycode(self) -> Path:
        """The folder of the sources marked as key code."""
        return self.folder / "keycode"

    @property
    def code(self) -> Path:
        """The folder of a plain copy of the code, where there was no git to take a snapshot."""
        return self.folder / "code"

    @property
    def console(self) -> Path:
        """What the run printed on stdout and stderr."""
        return self.folder / "logs" / "console.log"

    @property
    def board(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.folder / "board"

    @property
    def start_state(self) -> Path:
        """The random states in which the run began."""
        return self.folder / "rnd" / "start.rnd"

    @property
    def ranks(self) -> Path:
        """The folder of what ranks other than 0 left, one folder a rank, see `RankPaths`."""
        return self.folder / "ranks"


@dataclass(frozen=True)
class RankPaths(ProcessPaths):
    """The files of one rank other than 0 of a run on several.

    Args:
        run: The run's files.
        rank: The rank in the whole world, from 1.
    """

    run: RunPaths
    rank: int

    @property
    def folder(self) -> Path:
        """The rank's folder."""
        return self.run.ranks / str(self.rank)

    @property
    def manifest(self) -> Path:
        """What is known of the rank; written by its own process."""
        return self.folder / "rank.json"

    @property
    def exit(self) -> Path:
        """What ended the rank's process, written by the run's own where that is its parent."""
        return self.folder / "exit.json"


def root_mark(root: Path) -> Path:
    """The file that says that a folder is an experiment root.

    Args:
        root: The folder.

    Returns:
        The file's path.
    """
    return root / MARK_FOLDER / "root.json"


def code_store(root: Path) -> Path:
    """The bare git repository that holds the code of all runs of a root.

    Args:
        root: The experiment root.

    Returns:
        The folder's path; it need not exist.
    """
    return root / MARK_FOLDER / "code.git"


def trash_of(root: Path) -> Path:
    """Say where the removed runs of a root are.

    Args:
        root: The experiment root.

    Returns:
        A folder that holds them as the root did; it need not exist.
    """
    return root / MARK_FOLDER / "trash"


def roots_folder() -> Path:
    """The folder in the user's home that knows where the roots are.

    Returns:
        The folder's path; it need not exist.
    """
    return thexp_home() / "roots"
