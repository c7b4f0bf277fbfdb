"""Saves that wait, and the one thread that writes them in order.

What waits is bounded, and with it the memory that the waiting take. The thread is one of
`concurrent.futures`: a process that ends by itself waits for it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from thexp_pl.errors import CheckpointError

__all__ = ["Background"]

LIMIT = 2  # one save that is being written, and one that waits

_all: weakref.WeakSet[Background] = weakref.WeakSet()
_failed: set[Background] = set()  # kept until someone has been told


class Save:
    """A save that was promised: the file it will make, and the work that makes it."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.work: Callable[[], None] | None = None


class Background:
    """An ordered, bounded queue of saves, and their writer."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._held: list[Save] = []  # from the promise to the end of the work
        self._queue: deque[Save] = deque()
        self._executor: ThreadPoolExecutor | None = None
        self._writing = threading.Lock()
        self._writer = 0
        self._submitting: set[int] = set()
        self._problems: list[CheckpointError] = []
        _all.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # a copy has a queue of its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._reset()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in the writer's thread."""
        return self._writer == threading.get_ident()

    def submit(
        self,
        promise: Callable[[Collection[Path]], Path],
        prepare: Callable[[Path], Callable[[], None]],
    ) -> Path:
        """Queue a save; waits while `LIMIT` of them are held.

        Args:
            promise: Chooses the file, given those that were promised before.
            prepare: Copies what is to be saved, and gives the work that is left to the thread.

        Returns:
            The promised file.

        Raises:
            CheckpointError: This thread is in the midst of it already.
            Exception: Whatever the two raise; nothing is queued then.
        """
        save = Save()
        try:
            with self._alone():
                with self._changed:
                    self._changed.wait_for(lambda: len(self._held) < LIMIT)
                    save.path = promise([held.path for held in self._held if held.path])
                    self._held.append(save)
                save.work = prepare(save.path)
                self._queue.append(save)
                self._have_one_written()
        except BaseException:
            with contextlib.suppress(ValueError):
                self._queue.remove(save)
            self._let_go(save)
            raise
        return save.path

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._refuse_within("save")
        thread = threading.get_ident()
        self._submitting.add(thread)
        try:
            yield
        finally:
            self._submitting.discard(thread)

    def _refuse_within(self, doing: str) -> None:
        if threading.get_ident() in self._submitting:
            raise CheckpointError(
                f"cannot {doing}: this thread is in the midst of another save, which a signal"
                " handler or the state's own pickling has cut into; do it after that save"
            )

    def _have_one_written(self) -> None:
        try:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, "thexp_pl saver")
            self._executor.submit(self._write_one)
        except RuntimeError:  # no thread can be had, as while the interpreter ends
            self._write_one()

    def _write_one(self) -> None:
        with self._writing:  # so that all are written in order, whoever comes here
            save = self._queue.popleft() if self._queue else None
            if save is None or save.work is None:
                return
            self._writer = threading.get_ident()
            try:
                save.work()
            except BaseException as error:  # noqa: BLE001 - raised where someone asks
                self._keep(error, save)
            self._writer = 0
            self._let_go(save)

    def _keep(self, error: BaseException, save: Save) -> None:
        if not isinstance(error, CheckpointError):
            reason = str(error).partition("\n")[0] or type(error).__name__
            wrapped = CheckpointError(f"cannot save {save.path}: {reason}")
            wrapped.__cause__ = error
            error = wrapped
        at: BaseException | None = error
        while at is not None:  # the frames hold the state
            traceback.clear_frames(at.__traceback__)
            at = at.__cause__ or at.__context__
        with self._changed:
            self._problems.append(error)
            _failed.add(self)

    def _let_go(self, save: Save) -> None:
        save.work = None  # and with it the copy of the state
        with self._changed:
            with contextlib.suppress(ValueError):
                self._held.remove(save)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until all that was queued is written, or has failed.

        Raises:
            CheckpointError: This thread is in the midst of queueing a save: it would wait for
                itself.
        """
        if not self.is_current:
            self._refuse_within("wait for what is being saved")
            with self._changed:
                self._changed.wait_for(lambda: not self._held)

    def surface(self) -> None:
        """Raise what has gone wrong in the thread since the last call.

        Raises:
            CheckpointError: The first of it, with the number of what followed.
        """
        with self._changed:
            problems, self._problems = self._problems, []
            _failed.discard(self)
        if len(problems) > 1:
            raise CheckpointError(f"{problems[0]}; {len(problems) - 1} more saves failed after it")
        if problems:
            raise problems[0]

    def end(self) -> None:
        """Wait as `wait` does, and end the thread; a later save has another.

        Raises:
            CheckpointError: As `wait`.
        """
        self.wait()
        executor, self._executor = self._executor, None
        if executor and not self.is_current:
            executor.shutdown()


def _forget_in_child() -> None:
    """A forked process has none of the threads, and writes none of what its parent queued."""
    _failed.clear()
    for background in list(_all):
        background._reset()


def _tell_at_exit() -> None:
    for background in _failed.copy():
        try:
            background.surface()
        except CheckpointError as error:
            print(f"thexp_pl: {error}", file=sys.stderr)  # noqa: T201 - there is no caller left


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(_tell_at_exit)
