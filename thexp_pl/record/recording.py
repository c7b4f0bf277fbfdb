"""What a user records while a run goes on: parameters, metrics, events, notes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.jsonable import to_jsonable
from thexp_pl.record import notes
from thexp_pl.record.again import Turn
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.numbers import as_count, as_numbers
from thexp_pl.record.parts import RunParts
from thexp_pl.record.places import placed
from thexp_pl.record.plain import plain_params
from thexp_pl.record.redact import Redactor
from thexp_pl.record.rerun import KINSHIPS
from thexp_pl.record.run_writer import RunWriter

__all__ = ["Recording"]


class Recording(RunParts):
    """The part of an `Experiment` that writes what it is told.

    Args:
        root: The experiment root.
        redactor: Takes secrets out of all that is written.
        tolerant: Takes the faults that come after the start.
    """

    _turn: Turn | None = None  # the recorded run that this one is again

    def __init__(self, root: Path, redactor: Redactor, tolerant: Tolerant) -> None:
        super().__init__(root, redactor, tolerant)
        self._params: dict[str, Any] = {}
        self._started = False
        self._ended = False
        self._is_paused = False
        self._times_back = 0

    @property
    def is_open(self) -> bool:
        """Whether this process can record."""
        raise NotImplementedError

    @property
    def has_started(self) -> bool:
        """Whether the run was started, here or in the process that this is a copy of."""
        return self._started

    @property
    def is_taken_up(self) -> bool:
        """Whether it is a recorded run that goes on in its own folder."""
        return self._turn is not None and self._turn.in_place

    @property
    def times_gone_back(self) -> int:
        """How often it has gone on from an earlier moment, as a number that grows when it does."""
        writer = self._writer
        before = writer is not None and writer.metrics.has_gone_back
        return self._times_back + before + self.is_taken_up

    def open_again(self) -> None:
        """Go on with a run that this process has ended; one that is open stays as it is.

        What had ended it is told in the journal, and its traceback is kept under another name. A
        run that cannot be gone on with stays ended, with one warning.
        """
        if self.is_open or not self._ended:
            return
        given = (self.paths, self._params, self._redactor, self._tolerant)
        writer = self._tolerant(RunWriter.take_up, *given)
        if writer is not None:
            self._writer, self._params = writer, writer.params
            self._is_paused = True
            self._wake()

    @property
    def params(self) -> dict[str, Any]:
        """The run's parameters: a dict; a Params, a dataclass or a Namespace may be assigned.

        They are written at the start, when they are assigned and at the end.
        """
        return self._params

    @params.setter
    def params(self, params: Any) -> None:
        writer = self._open_writer("params") if self._started else None
        self._params = plain_params(params)
        if writer is not None:
            writer.params = self._params
            self._tolerant(writer.write_manifest)

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """The metrics so far: by name ``last``, ``min``, ``max``, ``mean``, ``count``."""
        return {} if self._writer is None else self._tolerant(self._writer.summary) or {}

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
            if not isinstance(values, Mapping):
                raise UsageError(
                    f"values cannot be a {type(values).__name__}: give the numbers by name, such as"
                    " {'loss': 0.5}"
                )
            step, epoch = as_count("step", step), as_count("epoch", epoch)
            given = as_numbers({self._redactor.name(str(n)): v for n, v in values.items()})
            self._tolerant(writer.metrics.add, step, epoch, given)

    def log_event(self, event: str, /, **facts: Any) -> None:
        """Record in the journal that something happened, such as a checkpoint or a resume.

        Args:
            event: What happened, one word.
            **facts: What is known of it; an absolute path in the run's folder is written as seen
                from there.

        Raises:
            UsageError: The run was not started or has ended.
        """
        writer = self._open_writer("events")
        if "event" in facts:
            raise UsageError("a fact cannot be named 'event', which is the kind: name it otherwise")
        if writer is not None:
            self._tolerant(writer.add_event, event, facts)

    def kept_rows(self) -> tuple[tuple[int, int], ...] | None:
        """Bring all metrics to the disk, and tell where the run's history is in their file.

        A checkpoint keeps it, for `go_back`.

        Returns:
            Ranges of bytes in ``metrics.csv``; None where this process does not record.
        """
        if self._writer is None or not self.is_open:
            return None
        return self._tolerant(self._writer.metrics.rows)

    def go_back(self, rows: Sequence[tuple[int, int]] | None, **facts: Any) -> None:
        """Record that the run goes on from an earlier moment of its own.

        Readers then pass over the metrics that came after it.

        Args:
            rows: What `kept_rows` gave at that moment; None where that is not known: then all stay.
            **facts: What the journal's ``resume`` event says besides, such as the checkpoint.

        Raises:
            UsageError: The run was not started or has ended.
        """
        writer = self._open_writer("moments that it goes on from")
        if writer is not None:
            self._times_back += 1
            self._tolerant(writer.go_back, rows, facts)

    def set_parent(
        self,
        key: str,
        how: str,
        checkpoint: str | os.PathLike[str] | None = None,
        sha256: str | None = None,
    ) -> None:
        """Record from which run this one came; one that is reproduced stays that run's.

        Args:
            key: That run's key.
            how: ``resumed`` (went on from a checkpoint of it) or ``reproduced`` (is it again).
            checkpoint: The file that it went on from.
            sha256: Its hash, where it is known.

        Raises:
            UsageError: It is neither, or the run was not started or has ended.
        """
        if how not in KINSHIPS:
            raise UsageError(f"how={how!r}: a run is one of {', '.join(KINSHIPS)} from its parent")
        origin: dict[str, str | None] = {"key": self._redactor.text(str(key)), "how": how}
        if checkpoint is not None:
            origin["checkpoint"] = self._redactor.text(placed(checkpoint, self.root))
            origin["sha256"] = sha256
        if how == "resumed" and self._turn is not None and self._turn.how == "reproduced":
            origin |= self._turn.origin or {}
        self._set_facts("parent", parent=origin)

    def set_world(self, size: int, **facts: Any) -> None:
        """Record that the run has several ranks, of which this process is the first.

        Args:
            size: The number of ranks.
            **facts: What is known of this rank, such as ``device="cuda:0"``.

        Raises:
            UsageError: The run was not started or has ended.
        """
        self._set_facts("ranks", world_size=size, rank=self._redactor.tree(to_jsonable(facts)))

    def flush(self) -> None:
        """Bring all metrics that wait in memory to the disk."""
        if self._writer is not None and self.running:
            self._tolerant(self._writer.flush)

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

    def redact(self, text: str) -> str:
        """Take secrets out of a text that is to be written beside the record.

        Args:
            text: Any text.

        Returns:
            The text with ``<redacted>`` in their place.
        """
        return self._redactor.text(text)

    def redact_yaml(self, text: str) -> str:
        """Take secrets out of a configuration that is to be written beside the record.

        Args:
            text: YAML.

        Returns:
            YAML of the same structure; the text itself where it holds no secret.
        """
        return self._redactor.yaml(text)

    def refusal(self, what: str) -> UsageError:
        """Say why something cannot be done before the start or after the end.

        Args:
            what: What was asked for.

        Returns:
            The error to raise.
        """
        state = "has ended" if self._started else "has not started: call start_exp()"
        return UsageError(f"no {what}: this experiment {state}")

    def _open_writer(self, what: str) -> RunWriter | None:
        self._wake()
        if not self._started or (self._ended and not self._is_paused):
            raise self.refusal(f"{what} can be recorded")
        return self._writer if self.running else None  # a loader's worker: its parent records

    def _set_facts(self, what: str, **facts: Any) -> None:
        writer = self._open_writer(what)
        if writer is not None:
            self._tolerant(writer.update, facts)
