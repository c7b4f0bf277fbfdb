"""`Experiment`: records one run of a script, with no framework needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record import ending
from thexp_pl.record.again import next_turn, stand_in
from thexp_pl.record.companions import Companions
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.folders import as_root, make_run_folder
from thexp_pl.record.names import check_experiment_name, script_name, shown
from thexp_pl.record.options import RecordOptions, checked_options
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.recording import Recording
from thexp_pl.record.redact import Redactor
from thexp_pl.record.roots import register_root
from thexp_pl.record.run_writer import RunWriter
from thexp_pl.record.starting import starting_facts
from thexp_pl.record.status import ENDED

__all__ = ["Experiment"]

_End = tuple[str, BaseException | None, str | None]  # as `finish` takes it


class Experiment(Recording):
    """Records one run: its code, parameters, machine, metrics, files, console and how it ended.

    The run's folder is ``<root>/<name>/<key>``. Once started, the run ends by itself at the
    interpreter's exit, at an exception that nobody catches, at SIGTERM and at SIGHUP; `end_exp`
    and ``with`` end it sooner. After the start a fault of the recorder itself, such as a full disk,
    is one warning and never an exception.

    In a process that was forked, or to which it was pickled, the object records nothing, unless
    that process calls `go_on`, as rank 0 of a training that is spawned does; the process that
    started the run ends it.

    Args:
        root: The experiment root, a folder for many experiments.
        name: The experiment's name; by default that of the script.
        code: Whether a snapshot of the project's code is kept.
        project: The folder of that code; by default the project that holds the script.
        max_file_mb: Larger files are left out of the snapshot.
        console: Whether stdout and stderr are copied to the run's ``logs/console.log``; None: yes,
            but not in a notebook.
        strict: Raise a RecordError for a fault of the recorder, in place of one warning.

    Raises:
        ExperimentNameError: The name cannot be that of a folder.
        RecordError: The root cannot be a folder.
        UsageError: `project` or `max_file_mb` cannot be used.

    >>> import tempfile
    >>> from thexp_pl import Experiment, ExperimentViewer
    >>> with tempfile.TemporaryDirectory() as root:
    ...     with Experiment(root, "digits") as exp:
    ...         exp.params = {"lr": 0.1}
    ...         exp.log_metrics(0, 0, {"loss": 2.5})
    ...     ExperimentViewer(roots=[root]).exp_info(exp.key)["status"]
    'finished'
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        name: str | None = None,
        *,
        code: bool = True,
        project: str | os.PathLike[str] | None = None,
        max_file_mb: float = 10.0,
        console: bool | None = None,
        strict: bool = False,
    ) -> None:
        options = checked_options(code, project, max_file_mb, console, strict)
        checked_name = script_name() if name is None else check_experiment_name(name)
        self._prepare(stand_in(as_root(root)), checked_name, options, Redactor())

    def _prepare(self, root: Path, name: str, options: RecordOptions, redactor: Redactor) -> None:
        self.name, self._options = name, options
        super().__init__(root, redactor, Tolerant(f"the run of {shown(name)}", options.strict))
        self._pid, self._is_owner = os.getpid(), True  # it started the run, or will, and ends it
        self._paths: RunPaths | None = None
        self._companions: Companions | None = None
        self._last_deeds: list[Callable[[], object]] = []
        self._end: _End | None = None

    @property
    def paths(self) -> RunPaths:
        """The run's files; its folder is made when they are first asked for."""
        if self._paths is None:
            self._turn = turn = next_turn(self.root, self.name)
            taken_up = turn.parent if turn is not None and turn.in_place else None
            self._paths = taken_up or make_run_folder(self.root, self.name)
        return self._paths

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.paths.folder

    @property
    def key(self) -> str:
        """The run's key."""
        return self.paths.key

    @property
    def running(self) -> bool:
        """Whether the run has started and not ended, and this process records it."""
        return self._writer is not None and not self._ended and os.getpid() == self._pid

    def start_exp(self) -> None:
        """Start the run; a start that is interrupted ends it.

        Raises:
            RecordError: The run's folder or its manifest cannot be written; nothing is left.
            UsageError: The run was started before.
        """
        if self._started:
            raise UsageError("this experiment was started before: make a new Experiment for a run")
        paths, self._paths = self.paths, None
        begin = RunWriter.take_up if self.is_taken_up else RunWriter.begin
        self._writer = begin(paths, self._params, self._redactor, self._tolerant)
        self._paths, self._params, self._started = paths, self._writer.params, True
        with ending.ending_with_fault(self):
            if self.is_taken_up and not (self._turn and self._turn.checkpoint):
                self.go_back(())  # nothing of it is gone on from
            ending.watch(self)
            self._accompany()
            self._tolerant(register_root, paths.root)
            self._start_parts()
            facts = starting_facts(paths, self._options, self._redactor, self._tolerant, self._turn)
            self._tolerant(self._writer.update, {**facts, "uses": self._uses()})

    def _accompany(self) -> None:
        self._companions = Companions(
            self.paths, self._redactor.lines(), self._tolerant, self._options.console
        )

    def go_on(self) -> None:
        """Record in this process too what another has started, has forked or pickled, and will end.

        That has to wait meanwhile. Where this process records the run, only a pause ends.

        Raises:
            UsageError: The run was not started, or has ended.
        """
        self._wake()
        if not self._started or self._ended:
            raise self.refusal("run can be gone on with")
        if os.getpid() != self._pid:
            self._join()

    def _join(self) -> None:
        Recording.__init__(self, self.root, self._redactor, self._tolerant)
        self._pid, self._is_owner, self._started = os.getpid(), False, True
        self._companions, self._last_deeds = None, []
        self._writer = self._tolerant(RunWriter.join, self.paths, self._redactor, self._tolerant)
        if self._writer is not None:
            self._params = self._writer.params
            ending.watch(self)
            self._start_parts()

    def end_exp(self) -> None:
        """End the run as finished; a run that has ended stays as it is."""
        self.finish("finished")

    def finish(
        self, status: str, exception: BaseException | None = None, signal_name: str | None = None
    ) -> None:
        """End the run; one that was not started, or has ended, stays as it is.

        In a process that only goes on with the run, its part ends, and not the run.

        Args:
            status: ``finished``, ``failed`` or ``interrupted``.
            exception: What ended it; its traceback is kept in the run's folder.
            signal_name: The signal that ended it, such as ``"SIGTERM"``.

        Raises:
            RecordError: With `strict`, something could not be recorded; the run has ended.
            UsageError: There is no such status.
        """
        if status not in ENDED:
            raise UsageError(f"no status {status!r}: a run ends as one of {', '.join(ENDED)}")
        if self._is_paused:
            if status == "finished":  # as is written already
                self._is_paused = False
            else:
                self._wake()
        if self._writer is None or not self.running:
            return
        # A signal's handler may end the run once more in the midst of this: the first says how it
        # ended, and what was done is not done again; what may take long comes last.
        self._end = self._end or (status, exception, signal_name)
        with self._tolerant.postponed():
            while self._last_deeds:
                self._tolerant(ending.without_exit, self._last_deeds.pop(0))
            if not self._ended:
                self._write_end(self._writer, self._end)
                self._let_go(self._writer)

    def _write_end(self, writer: RunWriter, end: _End) -> None:
        if self._is_owner:
            writer.end(*end)
        else:
            writer.leave(*end[1:])
        self._ended = True
        ending.forget(self)

    def _let_go(self, writer: RunWriter) -> None:
        try:
            if self._companions is not None:
                self._companions.stop_console()
            self._close_parts(is_end=self._is_owner)
        finally:
            writer.close()
            if self._companions is not None:
                self._companions.stop()

    def __getstate__(self) -> dict[str, Any]:
        self._wake()
        return {
            "given": (self.root, self.name, self._options, self._redactor),
            "paths": self._paths,
            "params": self._params,
            "pid": self._pid,
            "started": self._started,
            "ended": self._ended,
            "turn": self._turn,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._prepare(*state["given"])
        self._paths, self._params, self._pid = state["paths"], state["params"], state["pid"]
        self._started, self._ended, self._turn = state["started"], state["ended"], state["turn"]

    def __deepcopy__(self, memo: dict[int, Any]) -> Experiment:
        """Give the run itself: there is one of it."""
        return self

    def pause(self, status: str = "finished", signal_name: str | None = None) -> None:
        """End the run, unless it goes on: what is recorded later opens it again.

        A training does so when it is through: what fails later in the script is not its failure. In
        a process that only goes on with the run, what waits is brought to the disk.

        Args:
            status: As for `finish`.
            signal_name: As for `finish`.
        """
        if not self._is_owner:
            self.flush()
        elif self.running:
            self.finish(status, None, signal_name)
            self._is_paused = True

    @property
    def is_open(self) -> bool:
        """Whether this process can record: the run goes on, or has only paused."""
        return self.running or (self._is_paused and os.getpid() == self._pid)

    def _wake(self) -> None:
        writer = self._writer
        if writer is None or not self._is_paused or os.getpid() != self._pid:
            return
        self._is_paused = self._ended = False
        self._end = None
        self._tolerant(writer.reopen)
        ending.watch(self)
        self._accompany()
        self._renew_parts()

    def at_end(self, deed: Callable[[], object]) -> None:
        """Have something done at the run's end, however it ends but by a kill.

        Args:
            deed: Called once, while the run still records; its faults are the recorder's.
        """
        self._wake()
        self._last_deeds.append(deed)

    def __enter__(self) -> Experiment:
        if not self._started:
            self.start_exp()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish(ending.status_of(exception), exception)
