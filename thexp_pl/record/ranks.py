"""What the ranks other than 0 of a run on several leave beside it: one folder a rank."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from thexp_pl.atomic import write_json
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record import ending
from thexp_pl.record.companions import Companions
from thexp_pl.record.describing import cause_of
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.manifest import now_text
from thexp_pl.record.paths import RankPaths, RunPaths
from thexp_pl.record.process import process_identity
from thexp_pl.record.redact import Redactor
from thexp_pl.record.tracebacks import write_traceback

__all__ = ["RankRecord", "note_exit"]

_SCHEMA = 1
_MAX_BYTES = 1 << 20


class RankRecord:
    """Records the process of one rank: where it runs, what it prints, how it ends.

    It ends by itself as an `Experiment` does. Its faults are one warning each.

    Args:
        paths: The run, which rank 0 writes.
        rank: The rank in the whole world, from 1.
        facts: What is known of it, such as its local rank and device.
        console: Whether stdout and stderr are copied; None: yes, but not in a notebook.
        strict: Whether a fault of the recorder is an exception.
    """

    def __init__(
        self,
        paths: RunPaths,
        rank: int,
        facts: Mapping[str, Any],
        *,
        console: bool | None = None,
        strict: bool = False,
    ) -> None:
        self.paths = RankPaths(paths, rank)
        self._pid = os.getpid()
        self._redactor = Redactor()
        self._tolerant = Tolerant(f"rank {rank} of the run {paths.key}", strict)
        self._begun = time.monotonic()
        self._ended = False
        self._record = {
            "schema": _SCHEMA,
            "rank": rank,
            "process": process_identity(),
            "start": now_text(),
            "end": None,
            "seconds": None,
            "status": "running",
            "cause": None,
            "facts": self._redactor.tree(to_jsonable(facts)),
        }
        self._tolerant(self._write)
        ending.watch(self)
        self._companions = Companions(self.paths, self._redactor.lines(), self._tolerant, console)

    def finish(
        self, status: str, exception: BaseException | None = None, signal_name: str | None = None
    ) -> None:
        """End the record of this rank; one that has ended stays as it is.

        Args:
            status: ``finished``, ``failed`` or ``interrupted``.
            exception: What ended it; its traceback is kept.
            signal_name: The signal that ended it.
        """
        if self._ended or os.getpid() != self._pid:
            return
        cause = cause_of(exception, signal_name, self._redactor)
        if exception is not None:
            self._tolerant(write_traceback, self.paths.traceback, exception, self._redactor)
            cause = {**(cause or {}), "traceback": self.paths.traceback.name}
        self._record |= {
            "status": status,
            "end": now_text(),
            "seconds": round(time.monotonic() - self._begun, 3),
            "cause": cause,
        }
        self._tolerant(self._write)
        self._ended = True
        ending.forget(self)
        self._companions.stop()

    def _write(self) -> None:
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.paths.manifest, self._record)


def note_exit(paths: RunPaths, rank: int, **cause: str) -> None:
    """Write down what ended the process of a rank, where its parent is told and no one else.

    Args:
        paths: The run.
        rank: The rank.
        **cause: ``signal``, such as ``"SIGKILL"``, or ``type`` and ``message`` of an exception.

    Raises:
        OSError: It cannot be written.
    """
    place = RankPaths(paths, rank)
    place.folder.mkdir(parents=True, exist_ok=True)
    write_json(place.exit, {"schema": _SCHEMA, "cause": cause})
