"""TensorBoard's event files of a run, written beside the training and never in its way."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.loggers.event_file import EventFile, Scalars, graph_events, hparams_events
from thexp_pl.record.numbers import Given, as_numbers, settle

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]

__all__ = ["Board"]

_FLUSH_SECONDS = 3.0  # five at most, and the first flush imports TensorBoard
_BATCH = 256  # events written as one, and encoded again where the disk refuses them
_MAX_WAITING = 10_000  # events


class Board:
    """Writes an event file that TensorBoard reads, 5 s at most after the values were given.

    The file is made when there is something to write. Values wait in memory, on a device if that
    is where they are, and are written by a thread of the board's own; TensorBoard is imported there
    too. In a forked process, and once closed, a board takes nothing.

    TensorBoard keeps a value in 32 bits; ``metrics.csv`` has all of it.

    Args:
        folder: Where the file is made.
        report: Told of a fault in the thread of the next call. The disk refuses what is written:
            told once, it is kept (the newest 10,000 events at most) and tried again. A device
            fails: its values are lost. TensorBoard itself fails: the board takes nothing more.
        standing: That of the board whose curves this one goes on with.
        goes_back: Whether it takes the place of what other files of the folder have from its first
            step on, as where a training goes on from a checkpoint.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> board = Board(folder, report=print)
    >>> board.add_scalars(0, {"loss": 0.5, "accuracy": 0.75})
    >>> board.close()
    >>> [path.name.split(".")[2] for path in folder.iterdir()]
    ['tfevents']
    """

    def __init__(
        self,
        folder: Path,
        report: Callable[[Exception], object],
        standing: tuple[int, Mapping[str, float]] = (0, {}),
        goes_back: bool = False,
    ) -> None:
        self._folder = folder
        self._report = report
        self._goes_back = goes_back
        self._pid = os.getpid()
        self._start = time.time()
        self._step, shown = standing
        # Callers append without a lock: they never wait for the thread, whatever it is doing.
        self._waiting: deque[Scalars | Event] = deque()
        self._faults: deque[Exception] = deque()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = threading.Event()
        # What follows belongs to whoever holds `_writing`; a signal handler may come in the midst.
        self._writing = threading.RLock()
        self._batch: list[Scalars | Event] = []
        self._file: EventFile | None = None
        self._refused = False
        self._shown = dict(shown)

    @property
    def standing(self) -> tuple[int, dict[str, float]]:
        """The last step that was given, and of each curve the last value that is written."""
        return self._step, self._shown

    def add_scalars(
        self, step: int | None, values: Mapping[str, float], wall_time: float | None = None
    ) -> None:
        """Add one value to each of some curves.

        Args:
            step: The step, counted from 0; None for that of the call before.
            values: By name numbers, NaN and the infinities included, or tensors of one element on
                any device.
            wall_time: When they were measured, seconds since 1970; None for now.

        Raises:
            UsageError: A value is no number; nothing of this call is kept.
        """
        if values and self._is_open():
            given = as_numbers(values)
            self._step = self._step if step is None else step
            now = time.time() if wall_time is None else wall_time
            self._add(Scalars(now, self._step, given))

    def add_event(self, event: Event) -> None:
        """Add an event that someone else has made.

        Args:
            event: As TensorBoard's own writer would take it.
        """
        if self._is_open():
            self._add(event)

    def add_graph(self, model: Any, example: Any) -> None:
        """Add the graph of a model; one that cannot be traced is reported.

        Args:
            model: A torch.nn.Module; it is run once, in evaluation mode. Its mode and the random
                states are the same afterwards.
            example: Its input, or a tuple of its inputs, on its device.
        """
        if self._is_open():
            self._add_made(graph_events, model, example)
            self._tell()

    def add_hparams(self, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Fill the run's line in the HParams tab; called once, at the run's end.

        Args:
            params: The parameters; nested ones are named with dots, and what is no number, bool or
                text is shown as text.
            metrics: The final values by name; one that is not the last of its curve is added to it.

        Raises:
            UsageError: A metric is no number.
        """
        if not self._is_open():
            return
        final = as_numbers(metrics)
        with self._writing:
            self._write()
            self._settle([final])
            last = {name: repr(value) for name, value in self._shown.items()}
        added = {
            name: value for name, value in final.values.items() if repr(value) != last.get(name)
        }
        if added:
            self._add(Scalars(time.time(), self._step, Given(added, [])))
        self._add_made(hparams_events, params, self._start)
        self._tell()

    def flush(self) -> None:
        """Write all that waits."""
        if self._is_open():
            with self._writing:
                self._write()
            self._tell()

    def close(self) -> None:
        """Write all that waits and close the file; what is added later is not taken."""
        if os.getpid() != self._pid:
            return
        self._closed.set()
        with self._writing:
            self._write()
            self._end()
        if self._thread is not None:
            self._thread.join()
        self._tell()

    def _is_open(self) -> bool:
        if os.getpid() != self._pid:
            return False
        self._tell()
        return not self._closed.is_set()

    def _add_made(self, make: Callable[..., list[Event]], *args: Any) -> None:
        try:
            events = make(*args)
        except Exception as error:  # noqa: BLE001 - a model's own code raises what it likes
            self._faults.append(error)
        else:
            for event in events:
                self._add(event)

    def _add(self, item: Scalars | Event) -> None:
        self._waiting.append(item)
        if self._thread is None:
            self._start_thread()
        if len(self._waiting) > _MAX_WAITING:
            if not self._refused:  # the thread is only behind: the caller helps
                with self._writing:
                    self._write()
            with contextlib.suppress(IndexError):  # the thread has just taken the rest
                while len(self._waiting) > _MAX_WAITING:
                    self._waiting.popleft()

    def _start_thread(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another caller is at it
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="thexp-board", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the interpreter is ending: no new threads
            with self._writing:
                self._write()
        finally:
            self._starting.release()

    def _work(self) -> None:
        while not self._closed.wait(_FLUSH_SECONDS):
            # Not waiting for it: `close` in a signal handler may wait for this thread.
            if self._writing.acquire(blocking=False):
                try:
                    self._write()
                finally:
                    self._writing.release()

    def _write(self) -> None:
        try:
            while self._fill_batch():
                self._settle([item.given for item in self._batch if isinstance(item, Scalars)])
                if self._file is None:
                    self._file = EventFile(self._folder, self._goes_back)
                self._file.append(self._batch)
                for item in self._batch:
                    if isinstance(item, Scalars):
                        self._shown.update(item.given.values)
                self._batch = []  # only now: a signal may have ended the process above
                self._refused = False
        except OSError as error:
            if not self._refused:
                self._refused = True
                self._faults.append(error)
        except Exception as error:  # noqa: BLE001 - TensorBoard cannot be imported, or fails
            self._faults.append(error)
            self._closed.set()
            self._end()

    def _fill_batch(self) -> bool:
        with contextlib.suppress(IndexError):
            while len(self._batch) < _BATCH:
                self._batch.append(self._waiting.popleft())
        return bool(self._batch)

    def _settle(self, calls: list[Given]) -> None:
        try:
            settle(calls)
        except Exception as error:  # noqa: BLE001 - a device raises what it likes
            self._faults.append(error)

    def _end(self) -> None:
        self._waiting.clear()
        self._batch = []
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # a file server may say only now that its disk is full
                self._faults.append(error)

    def _tell(self) -> None:
        # A warning, or an exception where the user asked for one, belongs into the user's thread.
        while True:
            try:
                fault = self._faults.popleft()
            except IndexError:
                return
            self._report(fault)
