"""A thread that does jobs one after another, and that is waited for only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

__all__ = ["Worker"]


class Worker:
    """A thread that never keeps the process from ending, whatever its job does.

    Its queues are such that even a signal handler may use them, whatever it has interrupted.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="thexp-files", daemon=True)

    @property
    def ident(self) -> int | None:
        """The thread's number; None before the start."""
        return self._thread.ident

    @property
    def is_free(self) -> bool:
        """Whether jobs can be given to it, and waited for, by the thread that asks."""
        return self._thread.is_alive() and self._thread is not threading.current_thread()

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: The system has no more threads.
        """
        self._thread.start()

    def do(self, job: Callable[[], object]) -> None:
        """Give it a job, after those that it has.

        Args:
            job: The job.
        """
        self._jobs.put(job)

    def wait(self, seconds: float) -> bool:
        """Wait for a job, the next one that was not waited for.

        Args:
            seconds: How long at most.

        Returns:
            Whether it is done.
        """
        try:
            self._done.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        return True

    def end(self) -> None:
        """Let the thread end after its jobs."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except SystemExit:  # nobody waits for it any more
                return
            finally:
                self._done.put(None)
