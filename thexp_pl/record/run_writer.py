"""The one writer of a run's own files: manifest, metrics, journal, traceback, heartbeat."""

from __future__ import annotations

import argparse
import dataclasses
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thexp_pl.atomic import write_json, write_text
from thexp_pl.errors import UsageError
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.folders import record_error, remove_empty
from thexp_pl.record.heartbeat import Heartbeat
from thexp_pl.record.journal import Journal
from thexp_pl.record.manifest import cause_of, kept_params, new_manifest, now_text
from thexp_pl.record.metrics import MetricsWriter
from thexp_pl.record.names import cut
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
from thexp_pl.record.roots import register_root

__all__ = ["RunWriter", "plain_params"]

_MAX_TRACEBACK = 1 << 20  # characters


class RunWriter:
    """Writes a run from its start to its end.

    Args:
        paths: The run; its folder is there.
        params: Its parameters, read again at every writing of the manifest.
        redactor: Takes secrets out of all that is written.
        tolerant: Takes the faults that come after the manifest was written.

    Raises:
        RecordError: The manifest cannot be written; nothing of the run is left.
    """

    def __init__(
        self, paths: RunPaths, params: dict[str, Any], redactor: Redactor, tolerant: Tolerant
    ) -> None:
        self.params = params
        self.metrics = MetricsWriter(paths.metrics)
        self._paths = paths
        self._redactor = redactor
        self._tolerant = tolerant
        self._journal = Journal(paths.journal)
        self._begun = time.monotonic()  # the wall clock may be set back
        self._manifest = new_manifest(paths, redactor)
        try:
            self.write_manifest()
        except OSError as error:
            remove_empty(paths.made)
            raise record_error("write", paths.manifest, error) from error
        self._heartbeat = tolerant(Heartbeat, paths.heartbeat)
        tolerant(register_root, paths.root)

    def write_manifest(self) -> None:
        """Write the manifest as things stand.

        Raises:
            OSError: It cannot be written; the one from before is untouched.
        """
        self._manifest["params"] = self._redactor.tree(kept_params(self.params))
        self._manifest["metrics"] = self.metrics.summary.to_dict()
        write_json(self._paths.manifest, self._manifest)

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
        self._journal.add(event, **self._redactor.tree(to_jsonable(plain)))

    def end(self, status: str, exception: BaseException | None, signal_name: str | None) -> None:
        """Write how the run ended and let go of its files.

        Args:
            status: ``finished``, ``failed`` or ``interrupted``.
            exception: What ended it.
            signal_name: The signal that ended it.
        """
        self._tolerant(self.metrics.close)
        self._tolerant(self._journal.close)
        self._manifest |= {
            "status": status,
            "end": now_text(),
            "seconds": round(time.monotonic() - self._begun, 3),
            "cause": cause_of(exception, signal_name, self._redactor),
        }
        if exception is not None:
            self._tolerant(self._write_traceback, exception)
        self._tolerant(self.write_manifest)
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _write_traceback(self, exception: BaseException) -> None:
        text = cut("".join(traceback.format_exception(exception)), _MAX_TRACEBACK)
        write_text(self._paths.traceback, self._redactor.text(text))
        self._manifest["cause"]["traceback"] = self._paths.traceback.name

    def _placed(self, value: Any) -> Any:
        if isinstance(value, str | Path) and Path(value).is_relative_to(self._paths.folder):
            return Path(value).relative_to(self._paths.folder)
        return value


def plain_params(params: Any) -> dict[str, Any]:
    """Make a dict of whatever holds parameters.

    Args:
        params: A mapping, an object with ``to_dict``, a dataclass or an argparse Namespace.

    Returns:
        The parameters by name, nested ones not converted.

    Raises:
        UsageError: It is none of these.
    """
    if isinstance(params, Mapping):
        return dict(params)
    if callable(getattr(params, "to_dict", None)):
        return dict(params.to_dict())
    if dataclasses.is_dataclass(params) and not isinstance(params, type):
        return {field.name: getattr(params, field.name) for field in dataclasses.fields(params)}
    if isinstance(params, argparse.Namespace):
        return dict(vars(params))
    raise UsageError(
        f"params cannot be a {type(params).__name__}: give a dict, a Params, a dataclass or an"
        " argparse Namespace"
    )
