"""Event files as other tools write them, for the tests of reading and drawing them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

HEAD = Event(wall_time=1e9, file_version="brain.Event:2")


def write_events(path: Path, events: Iterable[Event | bytes]) -> Path:
    """Write an event file; bytes go into a record as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event if isinstance(event, bytes) else event.SerializeToString())
    return path


def event(step: int, *values: Summary.Value, time: float | None = None) -> Event:
    wall_time = 1e9 + step if time is None else time
    return Event(wall_time=wall_time, step=step, summary=Summary(value=values))


def restart(step: int, time: float = 2e9) -> Event:
    return Event(wall_time=time, step=step, session_log=SessionLog(status=SessionLog.START))


def scalar(tag: str, value: float) -> Summary.Value:
    return Summary.Value(tag=tag, simple_value=value)


def scalars(tag: str, values: dict[int, float], time: float = 1e9) -> list[Event]:
    return [event(step, scalar(tag, value), time=time + step) for step, value in values.items()]


def tensor(tag: str, plugin: str, data: Any, dtype: Any = None) -> Summary.Value:
    """Make a value as TensorFlow 2 writes it."""
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin))
    return Summary.Value(tag=tag, metadata=about, tensor=make_tensor_proto(data, dtype=dtype))


def image(tag: str, encoded: bytes) -> Summary.Value:
    return Summary.Value(tag=tag, image=Summary.Image(encoded_image_string=encoded))


def encoded(pixels: np.ndarray[Any, Any], form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def histo(tag: str, values: np.ndarray[Any, Any]) -> Summary.Value:
    """Make a histogram as torch writes it: the last limit is the largest of all doubles."""
    counts, limits = np.histogram(values, bins=8)
    proto = HistogramProto(
        min=values.min(),
        max=values.max(),
        bucket_limit=[*limits[1:].tolist(), 1.7976931348623157e308],
        bucket=[*counts.tolist(), 0],
    )
    return Summary.Value(tag=tag, histo=proto)
