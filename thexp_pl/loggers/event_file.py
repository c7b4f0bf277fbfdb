"""One of TensorBoard's event files, written by TensorBoard's own classes.

Importing those takes tenths of a second, so every function here does it by itself: whoever calls
decides in which thread that time is spent.
"""

# mypy: disable-error-code="import-untyped, no-untyped-call"
# tensorboard has no types, and torch's graph tracer neither

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - TensorBoard's imports cannot have it at the exit
import contextlib
import io
import itertools
import os
import socket
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from thexp_pl.jsonable import dumps, to_jsonable
from thexp_pl.record.append import append_whole
from thexp_pl.record.names import cut
from thexp_pl.record.numbers import Given

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

__all__ = ["EventFile", "Scalars", "graph_events", "hparams_events"]

_FILE_VERSION = "brain.Event:2"
_MAX_TEXT = 1_000  # characters of a parameter: the tab shows it in the cell of a table
_MAX_WHOLE = 1 << 53  # larger integers are not exact as the doubles that the tab keeps
_numbers = itertools.count()


class Scalars(NamedTuple):
    """Values that belong to one step.

    Args:
        time: Seconds since 1970.
        step: The step.
        given: The values.
    """

    time: float
    step: int
    given: Given


class EventFile:
    """A new event file that only grows; what a kill or a full disk leaves is readable.

    Args:
        folder: Where to make it; the folder is made where it is missing.
        goes_back: Whether it takes the place of what earlier files have from its first step on.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, folder: Path, goes_back: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        path = folder / f"events.out.tfevents.{name}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o666)
        self._begun = False
        self._goes_back = goes_back

    def append(self, items: Iterable[Scalars | Event]) -> None:
        """Add scalars and other events, all of them or none.

        Args:
            items: What to add; the scalars are settled.

        Raises:
            OSError: The disk refused them.
        """
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        buffer = io.BytesIO()
        writer = RecordWriter(buffer)
        if not self._begun:
            head = Event(wall_time=time.time(), file_version=_FILE_VERSION)
            writer.write(head.SerializeToString())
        goes_back = self._goes_back
        for item in items:
            if goes_back and isinstance(item, Scalars):
                goes_back = False
                start = SessionLog(status=SessionLog.START)
                event = Event(wall_time=item.time, step=item.step, session_log=start)
                writer.write(event.SerializeToString())
            event = _scalar_event(item) if isinstance(item, Scalars) else item
            writer.write(event.SerializeToString())
        append_whole(self._file, buffer.getvalue())
        self._begun, self._goes_back = True, goes_back

    def close(self) -> None:
        """Close the file; it is not used again."""
        descriptor, self._file = self._file, -1  # the number may soon be another file's
        os.close(descriptor)


def hparams_events(params: Mapping[str, Any], start: float) -> list[Event]:
    """Make the events that fill a run's line in the HParams tab.

    The metrics of the line are the last scalars of the run. There is no description of all runs
    (TensorBoard's ``experiment`` tag) among them: with it the tab shows the parameters of the first
    run alone.

    Args:
        params: The parameters; nested ones are named with dots.
        start: When the run started, seconds since 1970.

    Returns:
        The events.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    info = SessionStartInfo(start_time_secs=start)
    for name, value in _flat("", to_jsonable(params)):
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, int | float) and abs(value) <= _MAX_WHOLE:
            info.hparams[name].number_value = value
        else:
            info.hparams[name].string_value = _text(value)
    about = metadata.create_summary_metadata(HParamsPluginData(session_start_info=info))
    value = Summary.Value(
        tag=metadata.SESSION_START_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR
    )
    return [Event(wall_time=time.time(), summary=Summary(value=[value]))]


def graph_events(model: Any, example: Any) -> list[Event]:
    """Trace a model once, in evaluation mode, and make the events that show its graph.

    The model's mode and the random states are the same afterwards.

    Args:
        model: A torch.nn.Module.
        example: Its input, or a tuple of its inputs, on its device.

    Returns:
        The events.

    Raises:
        Exception: The model cannot be traced: what its own code or torch's tracer raised.
    """
    import torch
    from tensorboard.compat.proto.event_pb2 import Event, TaggedRunMetadata
    from torch.utils.tensorboard._pytorch_graph import graph

    devices = {tensor.device for tensor in model.parameters() if tensor.device.type == "cuda"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=list(devices)))
        stack.enter_context(torch.no_grad())
        # What the tracer warns of and prints concerns those who would run the trace.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        definition, statistics = graph(model, example)
    run = TaggedRunMetadata(tag="step1", run_metadata=statistics.SerializeToString())
    now = time.time()
    return [
        Event(wall_time=now, graph_def=definition.SerializeToString()),
        Event(wall_time=now, tagged_run_metadata=run),
    ]


def _scalar_event(item: Scalars) -> Event:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [
        Summary.Value(tag=_utf8(name), simple_value=value)
        for name, value in item.given.values.items()
    ]
    return Event(wall_time=item.time, step=item.step, summary=Summary(value=values))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, item)
    else:
        yield _utf8(prefix), value


def _text(value: Any) -> str:
    text = str(value) if value is None or isinstance(value, str) else dumps(value).decode()
    return _utf8(cut(text, _MAX_TEXT))


def _utf8(text: str) -> str:
    # Protocol buffers refuse a lone surrogate, which an undecodable file name has.
    return text.encode("utf-8", "backslashreplace").decode()
