"""Several ranks in one run: rank 0 writes it, the others write of themselves beside it.

Where the ranks were spawned or forked, the process that launched them began the run and ends it;
then rank 0 writes of itself as well.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
import warnings
from multiprocessing import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from thexp_pl.atomic import write_text
from thexp_pl.record import Experiment
from thexp_pl.record.ending import OpenRun, status_of, worker_exception
from thexp_pl.record.faults import RecorderWarning, Tolerant
from thexp_pl.record.paths import RankPaths, RunPaths
from thexp_pl.record.ranks import RankRecord, note_exit
from thexp_pl.record.redact import Redactor

if TYPE_CHECKING:
    import pytorch_lightning as pl

__all__ = ["Ranks", "end", "note_lost_worker"]

_LOOK_SECONDS = 0.5  # Lightning kills all processes within 5 s of one's death
_LAST_LOOK_SECONDS = 2.0


class Ranks:
    """This process as one of several ranks of a run.

    Args:
        console: Whether a rank other than 0 copies its stdout and stderr; None: not in a notebook.
        strict: Whether its faults are exceptions.
    """

    def __init__(self, console: bool | None, strict: bool) -> None:
        self._console = console
        self._strict = strict
        self._joined = False
        self.is_through = False  # whether the training came to its end
        self._children: _Children | None = None
        self.paths: RunPaths | None = None  # of the run, where it is one on several ranks
        self.record: RankRecord | None = None  # of this rank, where it is not the run's own process

    def join(self, trainer: pl.Trainer, experiment: Experiment | None) -> None:
        """Tell all ranks of the run, and have each write of itself; called on all at once.

        Args:
            trainer: The Trainer, whose processes are connected.
            experiment: The run, on rank 0, while it is open.
        """
        launcher = trainer.strategy.launcher
        is_worker = isinstance(launcher, _MultiProcessingLauncher)
        if self._joined or (trainer.world_size == 1 and not is_worker):
            return
        self._joined = True
        place = None
        if experiment is not None:
            place = (str(experiment.root), experiment.name, experiment.key)
        place = trainer.strategy.broadcast(place)
        if place is None:  # the run has ended
            return
        self.paths = RunPaths(Path(place[0]), *place[1:])
        if experiment is not None:
            experiment.set_world(trainer.world_size, **_facts(trainer))
        elif not self.paths.manifest.exists():
            self._warn_of_own_folder(trainer.global_rank, self.paths)
        if experiment is None or is_worker:  # such a rank 0 is not the process that began the run
            self._begin_record(trainer, self.paths)
        if is_worker:
            runs = [run for run in (experiment, self.record) if run is not None]
            # A process of multiprocessing catches what ends it, and calls no `sys.excepthook`.
            util.Finalize(None, self._end_worker, args=runs, exitpriority=1)
        processes = getattr(launcher, "procs", [])
        if processes and isinstance(processes[0], subprocess.Popen):
            self._children = _Children(self.paths, trainer.global_rank + 1, processes)

    def _warn_of_own_folder(self, rank: int, paths: RunPaths) -> None:
        warnings.warn(
            f"rank {rank} on {socket.gethostname()} does not see the run that rank 0 records: "
            f"{paths.folder} is a folder of its own here, where it leaves what it prints and how "
            "it ends; to go on from a checkpoint, every machine has to see the file",
            RecorderWarning,
            stacklevel=4,
        )

    def _end_worker(self, *runs: OpenRun) -> None:
        exception = worker_exception()
        if exception is not None or not self.is_through:
            for run in runs:
                end(run, exception)

    def _begin_record(self, trainer: pl.Trainer, paths: RunPaths) -> None:
        self.record = RankRecord(
            paths,
            trainer.global_rank,
            _facts(trainer),
            console=self._console,
            strict=self._strict,
        )

    def finish(self, exception: BaseException | None) -> None:
        """Write how this rank ended, and what is known of the end of those that it launched.

        Args:
            exception: What ended its training; None where that is not known.
        """
        if self._children is not None and isinstance(exception, RuntimeError):
            self._children.look_once_more()  # this rank may have failed for want of another
        if self.record is not None and isinstance(exception, SystemExit) and not exception.code:
            self.record.finish("interrupted", exception)  # a training is not finished on one rank
        elif self.record is not None:
            end(self.record, exception)

    def __getstate__(self) -> dict[str, Any]:
        return {
            **vars(self),
            "_joined": False,
            "is_through": False,
            "_children": None,
            "paths": None,
            "record": None,
        }


class _Children:
    """Notes of what signal the processes died that this one has launched.

    Args:
        paths: The run.
        first: The rank of the first of them.
        processes: They, by rank.
    """

    def __init__(
        self, paths: RunPaths, first: int, processes: list[subprocess.Popen[bytes]]
    ) -> None:
        self._paths = paths
        self._left = dict(enumerate(processes, first))
        self._has_died = False
        self._tolerant = Tolerant(f"the run {paths.key}")  # an exception would end the thread
        self._lock = threading.Lock()
        threading.Thread(target=self._look_on, name="thexp-pl ranks", daemon=True).start()

    def look_once_more(self) -> None:
        """Look until one of them has died; where a connection broke, that is at once."""
        until = time.monotonic() + _LAST_LOOK_SECONDS
        while self._left and not self._has_died and time.monotonic() < until:
            time.sleep(0.02)
            self._look()

    def _look_on(self) -> None:
        while self._left:
            time.sleep(_LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        with self._lock:
            for rank, process in list(self._left.items()):
                code = process.poll()
                if code is None:
                    continue
                del self._left[rank]
                if code < 0:
                    self._has_died = True
                    name = str(-code)
                    with contextlib.suppress(ValueError):
                        name = signal.Signals(-code).name
                    self._tolerant(note_exit, self._paths, rank, signal=name)


def _facts(trainer: pl.Trainer) -> dict[str, Any]:
    return {
        "local_rank": trainer.local_rank,
        "node_rank": trainer.node_rank,
        "device": str(trainer.strategy.root_device),
        "strategy": type(trainer.strategy).__name__,
    }


def end(run: OpenRun, exception: BaseException | None) -> None:
    """End a record of a training as what ended the training says.

    Args:
        run: The record.
        exception: What was raised; None where that is not known.
    """
    if exception is None:
        run.finish("failed")
    elif isinstance(exception, SIGTERMException):
        run.finish("interrupted", exception, getattr(exception, "signal_name", "SIGTERM"))
    else:
        run.finish(status_of(exception), exception)


def note_lost_worker(paths: RunPaths, exception: BaseException | None) -> None:
    """Write down what ended a spawned rank, where that is what ended the training.

    Args:
        paths: The run.
        exception: What ended it.
    """
    tolerant = Tolerant(f"the run {paths.key}")
    if isinstance(exception, ProcessExitedException) and exception.signal_name is not None:
        tolerant(note_exit, paths, exception.error_index, signal=exception.signal_name)
    elif isinstance(exception, ProcessRaisedException):
        # What it raised comes as the text of a traceback; Python 3.13 tells the process no more.
        text = Redactor().text(str(exception).strip())
        kind, _, message = text.rpartition("\n")[2].partition(": ")
        tolerant(note_exit, paths, exception.error_index, type=kind, message=message)
        trace = RankPaths(paths, exception.error_index).traceback
        if not trace.exists():
            tolerant(write_text, trace, f"{text}\n")
