"""The one writer of a run's own files: manifest, metrics, journal, traceback."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.describing import cause_of, changed_params, kept_params, new_manifest
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.folders import announce, record_error, remove_empty
from thexp_pl.record.in_place import take_up
from thexp_pl.record.journal import Journal
from thexp_pl.record.manifest import now_text, read_manifest
from thexp_pl.record.metrics.history import Range
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
from thexp_pl.record.run_metrics import RunMetrics
from thexp_pl.record.sealed import write_sealed
from thexp_pl.record.status import ENDED
from thexp_pl.record.tracebacks import write_traceback

__all__ = ["RunWriter"]


class RunWriter:
    """Writes a run's files; made by `begin` where the run starts.

    Another process may write for a while, by `join`, as rank 0 of a training that was spawned
    does: the one that began the run waits meanwhile, and takes up what was written at its end.

    Args:
        paths: The run; its folder is there.
        manifest: Its manifest so far.
        params: Its parameters, read again at every writing of the manifest.
        redactor: Takes secrets out of all that is written.
        tolerant: Takes the faults that come after the start.
    """

    def __init__(
        self,
        paths: RunPaths,
        manifest: dict[str, Any],
        params: dict[str, Any],
        redactor: Redactor,
        tolerant: Tolerant,
    ) -> None:
        self.params = params
        self.metrics = RunMetrics(paths)
        self._paths = paths
        self._manifest = manifest
        self._redactor = redactor
        self._tolerant = tolerant
        self._journal = Journal(paths.journal)
        self._written: tuple[int, int] | None = None  # the manifest as this process wrote it
        self._is_shared = False
        self._is_written = False  # whether the last writing of the manifest went well
        self._spent = 0.0  # seconds, by earlier attempts
        self._begun = time.monotonic()  # the wall clock may be set back
        self._lock = threading.RLock()  # threads add facts; a signal handler may come in the midst

    @classmethod
    def begin(
        cls, paths: RunPaths, params: dict[str, Any], redactor: Redactor, tolerant: Tolerant
    ) -> RunWriter:
        """Write the first manifest.

        Args:
            paths: As for the class, and so are the others.
            params: The run's parameters.
            redactor: Takes secrets out.
            tolerant: Takes later faults.

        Returns:
            The writer.

        Raises:
            RecordError: It cannot be written; nothing of the run is left.
        """
        writer = cls(paths, new_manifest(paths, redactor), params, redactor, tolerant)
        try:
            writer.write_manifest()
        except OSError as error:
            remove_empty(paths.made)
            raise record_error("write", paths.manifest, error) from error
        return writer

    @classmethod
    def join(cls, paths: RunPaths, redactor: Redactor, tolerant: Tolerant) -> RunWriter:
        """Write on where another process has begun the run and waits.

        Args:
            paths: The run.
            redactor: Takes secrets out.
            tolerant: Takes the faults.

        Returns:
            The writer.

        Raises:
            OSError: The manifest cannot be read.
            ValueError: It is damaged.
        """
        manifest = read_manifest(paths.manifest)
        writer = cls(paths, manifest, dict(manifest["params"]), redactor, tolerant)
        writer._is_shared, writer._written = True, _stamp(paths.manifest)
        writer.metrics.join()
        return writer

    @classmethod
    def take_up(
        cls, paths: RunPaths, params: dict[str, Any], redactor: Redactor, tolerant: Tolerant
    ) -> RunWriter:
        """Write on in a run that had ended; see `begin`.

        Without `params` those that it had stay.

        Raises:
            RecordError: It runs, is damaged, or cannot be written.
        """
        manifest, earlier = take_up(paths)
        writer = cls(paths, manifest, params or dict(manifest["params"]), redactor, tolerant)
        writer._written, writer._spent = _stamp(paths.manifest), earlier["seconds"] or 0.0
        tolerant(writer.add_event, "resumed", earlier)
        tolerant(writer.metrics.take_up)
        return writer

    def summary(self) -> dict[str, dict[str, float]]:
        """Summarise the metrics, those that other processes wrote included.

        Returns:
            By name what `MetricsSummary.to_dict` gives.
        """
        if not self._is_shared:
            return self.metrics.summary.to_dict()
        self._tolerant(self.metrics.flush)
        return self.metrics.whole_summary().to_dict()

    def go_back(self, rows: Sequence[Range] | None, facts: Mapping[str, Any]) -> None:
        """Go on from an earlier moment; the metrics that came after it are passed over.

        Args:
            rows: What `RunMetrics.rows` gave then; None where that is not known.
            facts: What the journal says besides.

        Raises:
            OSError: It cannot be written.
            RecordError: Some of the metrics that came before are gone; it is gone on all the same.
            ValueError: The rows are no ranges.
        """
        passed_over = self.metrics.passed_over(rows)
        self.add_event("resume", {**facts, "passed_over": passed_over})
        self.metrics.take_up(passed_over)

    def write_manifest(self) -> None:
        """Write the manifest as things stand.

        Raises:
            OSError: It cannot be written; the one from before is untouched.
        """
        with self._lock:
            self._take_up()
            params = kept_params(self._redactor.tree(to_jsonable(self.params)))
            changed = changed_params(self._manifest["params"], params)
            self._manifest["params"] = params
            self._manifest["metrics"] = self.summary()
            write_sealed(self._paths.manifest, self._manifest)
            self._written = _stamp(self._paths.manifest)
            self._is_written = True
            announce(self._paths)
            if changed:
                self.add_event("params", {"changed": changed})

    def update(self, facts: Mapping[str, Any]) -> None:
        """Write the manifest with more facts in it.

        Args:
            facts: Entries of the manifest, without secrets.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            self._take_up()
            self._manifest |= facts
            self.write_manifest()

    def add_event(self, event: str, facts: Mapping[str, Any]) -> None:
        """Write an event to the journal.

        Args:
            event: Its kind.
            facts: What is known of it; an absolute path in the run's folder is written as seen from
                there.

        Raises:
            OSError: It cannot be written.
        """
        plain = {name: self._placed(value) for name, value in facts.items()}
        self._journal.add(self._redactor.text(event), **self._redactor.tree(to_jsonable(plain)))

    def flush(self) -> None:
        """Bring the metrics to the disk.

        Raises:
            OSError: The disk refuses them.
        """
        self.metrics.flush()

    def end(self, status: str, exception: BaseException | None, signal_name: str | None) -> None:
        """Write how the run ended: into the manifest, or where the disk is full as a file's name.

        Args:
            status: ``finished``, ``failed`` or ``interrupted``.
            exception: What ended it.
            signal_name: The signal that ended it.
        """
        self._take_up()
        end = {
            "status": status,
            "end": now_text(),
            "seconds": round(self._spent + time.monotonic() - self._begun, 3),
        }
        self._write_end(exception, signal_name, end)
        if not self._is_written:
            self._tolerant(self._mark_end, status)

    def reopen(self) -> None:
        """Write that the run, which had come to an end, goes on.

        Raises:
            OSError: It cannot be written.
        """
        for status in ENDED:
            self._paths.end_mark(status).unlink(missing_ok=True)
        self.update({"status": "running", "end": None, "seconds": None, "cause": None})

    def leave(self, exception: BaseException | None, signal_name: str | None) -> None:
        """Write what ended this process's part of a run that another process is to end.

        Args:
            exception: What ended this process's part.
            signal_name: The signal that ended it.
        """
        self._write_end(exception, signal_name, {})

    def close(self) -> None:
        """Let go of the journal, which is written after the end too."""
        self._tolerant(self._journal.close)

    def _write_end(
        self, exception: BaseException | None, signal_name: str | None, end: dict[str, Any]
    ) -> None:
        self._tolerant(self.metrics.close)
        # What spawned processes raised says more than that one of them failed.
        known = self._manifest["cause"] or {}
        is_told = "type" in known
        cause = known if is_told else cause_of(exception, signal_name, self._redactor)
        if exception is not None and not is_told:
            self._tolerant(write_traceback, self._paths.traceback, exception, self._redactor)
            cause = {**(cause or {}), "traceback": self._paths.traceback.name}
        self._manifest |= {**end, "cause": cause}
        self._is_written = False
        self._tolerant(self.write_manifest)

    def _mark_end(self, status: str) -> None:
        # A name takes no room on a disk that is full.
        self._paths.heartbeat.rename(self._paths.end_mark(status))

    def _take_up(self) -> None:
        """Take up what another process wrote into the manifest since this one did."""
        stamp = _stamp(self._paths.manifest)
        if self._written is None or self._written == stamp:
            return
        self._written = stamp
        with contextlib.suppress(OSError, ValueError):  # what is no manifest is written over
            self._manifest = read_manifest(self._paths.manifest)
            self.params |= self._manifest["params"]
            self._is_shared = True
            self.metrics.join()

    def _placed(self, value: Any) -> Any:
        if isinstance(value, str | Path) and Path(value).is_relative_to(self._paths.folder):
            return Path(value).relative_to(self._paths.folder)
        return value


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tell one written manifest from another: each replaces the file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns
