"""`Experiment`: records one run of a script, with no framework needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record import ending, keycode, notes
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.folders import as_root, make_run_folder, record_error
from thexp_pl.record.held import HeldParts, Listener
from thexp_pl.record.names import check_experiment_name, script_name, shown
from thexp_pl.record.numbers import as_count, as_number
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
from thexp_pl.record.run_writer import RunWriter, plain_params
from thexp_pl.record.status import ENDED

__all__ = ["Experiment"]


class Experiment:
    """Records one run: its parameters, metrics, code, files and how it ended.

    The run's folder is ``<root>/<name>/<key>``. Once started, the run ends by itself at the
    interpreter's exit, at an exception that nobody catches and at SIGTERM; `end_exp` and ``with``
    end it sooner. After the start a fault of the recorder itself, such as a full disk, is one
    warning and never an exception. In a forked process the object records nothing.

    Files that came, changed or went in a held part are found by comparing the part at the run's
    end with the part when it was made; what came and went in between is not seen.

    Args:
        root: The experiment root, a folder for many experiments.
        name: The experiment's name; by default that of the script.

    Raises:
        ExperimentNameError: The name cannot be that of a folder.
        RecordError: The root cannot be a folder.

    >>> import tempfile
    >>> from thexp_pl import Experiment, ExperimentViewer
    >>> with tempfile.TemporaryDirectory() as root:
    ...     with Experiment(root, "digits") as exp:
    ...         exp.params = {"lr": 0.1}
    ...         exp.log_metrics(0, 0, {"loss": 2.5})
    ...     ExperimentViewer(roots=[root]).exp_info(exp.key)["status"]
    'finished'
    """

    def __init__(self, root: str | os.PathLike[str], name: str | None = None) -> None:
        self.root = as_root(root)
        self.name = script_name() if name is None else check_experiment_name(name)
        self._pid = os.getpid()
        self._paths: RunPaths | None = None
        self._params: dict[str, Any] = {}
        self._held = HeldParts()
        self._sources: dict[str, str] = {}
        self._redactor = Redactor()
        self._tolerant = Tolerant(f"the run of {shown(self.name)}")
        self._writer: RunWriter | None = None
        self._ended = False

    @property
    def paths(self) -> RunPaths:
        """The run's files; its folder is made when they are first asked for."""
        if self._paths is None:
            self._paths = make_run_folder(self.root, self.name)
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
        """Whether the run has started and not ended, and this is its process."""
        return self._writer is not None and not self._ended and os.getpid() == self._pid

    @property
    def params(self) -> dict[str, Any]:
        """The run's parameters: a dict; a Params, a dataclass or a Namespace may be assigned.

        They are written at the start, when they are assigned and at the end.
        """
        return self._params

    @params.setter
    def params(self, params: Any) -> None:
        self._params = plain_params(params)
        if self._writer is not None and self.running:
            self._writer.params = self._params
            self._tolerant(self._writer.write_manifest)

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """The metrics so far: by name ``last``, ``min``, ``max``, ``mean``, ``count``."""
        return {} if self._writer is None else self._writer.metrics.summary.to_dict()

    def start_exp(self) -> None:
        """Start the run.

        Raises:
            RecordError: The run's folder or its manifest cannot be written; nothing is left.
            UsageError: The run was started before.
        """
        if self._writer is not None:
            raise UsageError("this experiment was started before: make a new Experiment for a run")
        paths, self._paths = self.paths, None
        self._writer = RunWriter(paths, self._params, self._redactor, self._tolerant)
        self._paths = paths
        ending.watch(self)
        for name, source in self._sources.items():
            self._tolerant(keycode.write_source, paths.keycode, name, source)

    def end_exp(self) -> None:
        """End the run as finished; a run that has ended stays as it is."""
        self.finish("finished")

    def finish(
        self, status: str, exception: BaseException | None = None, signal_name: str | None = None
    ) -> None:
        """End the run; one that was not started, or has ended, stays as it is.

        Args:
            status: ``finished``, ``failed`` or ``interrupted``.
            exception: What ended it; its traceback is kept in the run's folder.
            signal_name: The signal that ended it, such as ``"SIGTERM"``.

        Raises:
            UsageError: There is no such status.
        """
        if status not in ENDED:
            raise UsageError(f"no status {status!r}: a run ends as one of {', '.join(ENDED)}")
        if self._writer is None or not self.running:
            return
        self._ended = True
        ending.forget(self)
        self._tolerant(self._write_changes, self._writer)
        self._writer.end(status, exception, signal_name)

    def __enter__(self) -> Experiment:
        if self._writer is None:
            self.start_exp()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish(ending.status_of(exception), exception)

    def log_metrics(self, step: int | None, epoch: int | None, values: Mapping[str, float]) -> None:
        """Record metrics; they are on disk after 1,000 rows or 5 s, whichever is first.

        Args:
            step: The step, counted from 0, or None.
            epoch: The epoch, counted from 0, or None.
            values: Numbers by name, NaN and the infinities included.

        Raises:
            UsageError: A value, the step or the epoch is no number that can be recorded, or the
                run was not started or has ended; nothing of this call is recorded.
        """
        writer = self._open_writer("metrics")
        if writer is not None:
            step, epoch = as_count("step", step), as_count("epoch", epoch)
            numbers = {
                self._redactor.name(str(name)): as_number(name, value)
                for name, value in values.items()
            }
            self._tolerant(writer.metrics.write, step, epoch, numbers)

    def log_event(self, event: str, **facts: Any) -> None:
        """Record in the journal that something happened, such as a checkpoint or a resume.

        Args:
            event: What happened, one word.
            **facts: What is known of it; an absolute path in the run's folder is written as seen
                from there.

        Raises:
            UsageError: The run was not started or has ended.
        """
        writer = self._open_writer("events")
        if writer is not None:
            self._tolerant(writer.add_event, event, facts)

    def hold_exp_part(
        self,
        dir: str | os.PathLike[str],
        exts: Iterable[str] = (),
        observe: bool = True,
    ) -> Path:
        """Make a folder in the run's folder and have its files recorded.

        Args:
            dir: The folder, as seen from the run's.
            exts: Suffixes of the files to record, such as ``[".ckpt"]``; they count for all parts.
            observe: Whether files of this part are recorded.

        Returns:
            The folder.

        Raises:
            RecordError: It cannot be made.
            UsageError: It would be outside the run's folder, or a suffix has no dot.
        """
        part = Path(dir)
        if not part.parts or part.is_absolute() or ".." in part.parts or "\0" in str(part):
            name = shown(str(dir))
            raise UsageError(f"no part {name}: name a folder inside the run, such as 'log'")
        try:
            self._held.hold(self.path / part, exts, observe)
        except OSError as error:
            raise record_error("make the part", self.path / part, error) from error
        return self.path / part

    def add_event_listener(self, func: Listener, exts: Iterable[str]) -> None:
        """Have a function told of the files in held parts that came, changed or went.

        Args:
            func: Called at the run's end, once a file, with its path and ``"created"``,
                ``"modified"`` or ``"deleted"``.
            exts: The suffixes that it wants, such as ``[".png"]``.

        Raises:
            UsageError: A suffix does not begin with a dot.
        """
        self._held.listen(func, exts)

    def keycode(self, member: Any = None) -> Any:
        """Keep the source of a function, a class or a module with the run.

        Args:
            member: The function, class or module; without it the result is a decorator.

        Returns:
            The member itself, or the decorator.
        """
        if member is None:
            return self.keycode
        self._tolerant(self._keep_source, member)
        return member

    def note(self, text: str) -> None:
        """Add a note to the run, also after its end.

        Args:
            text: The note.
        """
        self._tolerant(notes.add_note, self.paths, self._redactor.text(str(text)))

    def tag(self, *tags: str) -> None:
        """Add tags to the run, also after its end.

        Args:
            *tags: The tags; those that it has already stay once.
        """
        self._tolerant(notes.add_tags, self.paths, *(self._redactor.text(str(tag)) for tag in tags))

    def _open_writer(self, what: str) -> RunWriter | None:
        if os.getpid() != self._pid:  # a loader's worker: its parent records
            return None
        if self._writer is None or self._ended:
            state = "has not started: call start_exp()" if self._writer is None else "has ended"
            raise UsageError(f"no {what} can be recorded: this experiment {state}")
        return self._writer

    def _keep_source(self, member: Any) -> None:
        name, source = keycode.source_of(member)
        self._sources[name] = source
        if self.running:
            keycode.write_source(self.paths.keycode, name, source)

    def _write_changes(self, writer: RunWriter) -> None:
        for change in self._held.changes():
            facts = {"path": change.path, "size": change.size, "modified": change.time}
            if self._held.is_recorded(change):
                self._tolerant(writer.add_event, change.mode, facts)
            for listener in self._held.listeners(change):
                self._tolerant(listener, change.path, change.mode)
