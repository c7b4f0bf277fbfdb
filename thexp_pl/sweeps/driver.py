"""`drive`: the loop that hands the points of a sweep to an engine until none is left."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType

from thexp_pl.errors import RecordError
from thexp_pl.sweeps.engines.base import Ended, Engine
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.source import Source
from thexp_pl.sweeps.standing import DONE, FAILED, RUNNING, WAITING, State, standing, state_of
from thexp_pl.sweeps.summary import Listener, Summary
from thexp_pl.sweeps.sweep import Sweep

__all__ = ["DONE", "drive"]

_TICK_SECONDS = 0.2  # a signal is answered, and a table drawn, within that


def drive(
    sweep: Sweep,
    source: Source,
    engine: Engine,
    *,
    retries: int = 0,
    fail_fast: bool = False,
    listener: Listener,
) -> Summary:
    """Run the points of a sweep until each is done or has failed.

    What was done before is passed over; what a process still runs that a killed driver had started
    is waited for. Where all stands is told by the runs and the locks of the points alone, so this
    process may be killed at any moment. A first SIGINT or SIGTERM asks the attempts to end with a
    checkpoint, a second one kills them.

    Args:
        sweep: The sweep, which no other process drives.
        source: Gives its points.
        engine: Runs them; it is opened for the sweep, and closed in the end.
        retries: How often an attempt that failed is begun again, from its newest checkpoint where
            there is one.
        fail_fast: Ask all others to end once a point has failed for good.
        listener: Is told how it goes on.

    Returns:
        Where the sweep stands; with a `fault` where an attempt could not be begun here, such as on
        a full disk.

    Raises:
        UsageError: The engine cannot run them.
    """
    try:
        engine.open(sweep)
        driving = _Driving(sweep, source, engine, retries, fail_fast, listener)
        with _signals(driving.signals):
            driving.run()
    finally:
        engine.close()
    return driving.summary()


class _Driving:
    """One sweep, driven."""

    def __init__(
        self,
        sweep: Sweep,
        source: Source,
        engine: Engine,
        retries: int,
        fail_fast: bool,
        listener: Listener,
    ) -> None:
        self.signals: list[int] = []
        self._sweep, self._source, self._engine = sweep, source, engine
        self._retries, self._fail_fast, self._listener = retries, fail_fast, listener
        self._states = standing(sweep, source.points)
        self._points = {point.number: point for point in source.points}
        done = Counter(state.status for state in self._states.values() if state.status in DONE)
        self._before = Summary(source.total, done["finished"], done["pruned"], before=done.total())
        self._after = Counter[str]()  # by "finished", "pruned" and "failed"
        self._handed: set[int] = set()
        self._begun: set[int] = set()
        self._again: deque[Point] = deque()
        self._tries = Counter[int]()
        self._is_stopping = False
        self._fault = ""

    def summary(self) -> Summary:
        """Give the counts as they are now."""
        return replace(
            self._before,
            total=self._source.total,
            finished=self._before.finished + self._after["finished"],
            pruned=self._before.pruned + self._after["pruned"],
            failed=self._after["failed"],
            signal=self.signals[0] if self.signals else 0,
            fault=self._fault,
        )

    def run(self) -> None:
        """Drive it to its end; whatever fails here, what runs is asked to end before."""
        try:
            self._adopt()
            while self._goes_on():
                self._answer_signals()
                self._start()
                self._look()
                self._wait()
        except BaseException:
            told = self._stop()
            with contextlib.suppress(Exception):  # it may be the listener that has failed
                if told:
                    self._listener.said(told)
            while self._handed and len(self.signals) < 2:
                self._handed -= {ended.point for ended in self._engine.wait(_TICK_SECONDS)}
            raise
        self._look()

    def _goes_on(self) -> bool:
        if len(self.signals) > 1:
            return False
        is_over = self._is_stopping or bool(self._fault) or not self._is_left()
        return bool(self._handed) or not is_over

    def _is_left(self) -> bool:
        return bool(self._again) or not self._source.is_over()

    def _adopt(self) -> None:
        """Wait first for what a driver that was killed has left running."""
        for number, state in self._states.items():
            if state.is_alive:
                self._hand_over(self._points[number])

    # -- starting --------------------------------------------------------------------------------

    def _start(self) -> None:
        while not (self._is_stopping or self._fault) and (
            self._again or not self._source.is_over()
        ):
            if self._engine.room() < 1:
                return
            point = self._again.popleft() if self._again else self._next()
            if point is None:
                return
            self._hand_over(point)

    def _next(self) -> Point | None:
        """Give the next point that is to be tried."""
        while (point := self._source.next()) is not None:
            self._points[point.number] = point
            state = self._states.get(point.number)
            if state is not None and state.status in DONE:
                self._source.told(point, state)
            elif point.number not in self._handed and not self._tries[point.number]:
                return point
        return None

    def _hand_over(self, point: Point) -> None:
        try:
            self._engine.start(point.number)
        except OSError as error:
            # what one point meets here, the next would meet too: a full disk, a folder that is gone
            reason = str(error) if isinstance(error, RecordError) else error.strerror or str(error)
            self._fault = f"point {point.number} cannot be started: {reason}"
            if self._handed:
                self._listener.said(f"{self._fault}; those that run are waited for")
        else:
            self._handed.add(point.number)

    # -- waiting ---------------------------------------------------------------------------------

    def _look(self) -> None:
        running = self._engine.running()
        for number in sorted(running - self._begun):
            self._listener.begun(self._points[number])
        self._begun = running
        points = [self._points[number] for number in sorted(running)]
        self._listener.looked(self.summary(), points, self._engine.hindrance)

    def _wait(self) -> None:
        if not self._handed and not self._is_left():
            return
        ended = self._engine.wait(_TICK_SECONDS)
        self._handed -= {each.point for each in ended}  # all, whatever is met at one of them
        for each in ended:
            self._settle(each)

    def _settle(self, ended: Ended) -> None:
        """See what has become of an attempt that has ended."""
        point = self._points[ended.point]
        state = state_of(self._sweep, point)
        self._begun.discard(ended.point)
        self._tries[point.number] += 1
        if state.status in DONE:
            self._after[state.status] += 1
            self._listener.ended(point, state, "", again=False)
            if ended.code:  # its run has ended well, what the script did after it has not
                self._listener.said(f"point {point.number} is done, but {_how(ended.code)}")
            self._source.told(point, state)
            return
        is_stopping = self._is_stopping or bool(self.signals)
        if is_stopping and (state.status != FAILED or state.paths is None):
            # it was asked to end: the same command goes on
            if ended.code is not None or state.status not in (WAITING, RUNNING):
                self._listener.ended(point, state, "", again=False)
            return
        is_final = is_stopping or self._tries[point.number] > self._retries
        self._listener.ended(point, state, _reason(ended, state), again=not is_final)
        if not is_final:
            self._again.append(point)
            return
        self._after["failed"] += 1
        self._source.told(point, state)
        if self._fail_fast:
            told = self._stop(for_good=True) or "nothing else runs"
            self._listener.said(f"point {point.number} has failed, and no more are begun: {told}")

    # -- stopping --------------------------------------------------------------------------------

    def _answer_signals(self) -> None:
        if self.signals and not self._is_stopping:
            told = self._stop() or "nothing runs"
            self._listener.said(f"{signal.Signals(self.signals[0]).name}: {told}")

    def _stop(self, *, for_good: bool = False) -> str:
        """Ask all to end; what becomes of them, in one line."""
        if self._is_stopping:
            return ""
        self._is_stopping = True
        return self._engine.stop(for_good=for_good)


def _reason(ended: Ended, state: State) -> str:
    if ended.code == 0 and state.paths is None and not ended.reason:
        told = "it ended with exit code 0 and recorded no run: let it record an Experiment"
        return f"{told}; its last line: {state.reason}" if state.reason else told
    if ended.reason or state.reason:
        return ended.reason or state.reason
    return _how(ended.code) if ended.code else "it ended without a finished run"


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"


@contextlib.contextmanager
def _signals(received: list[int]) -> Iterator[None]:
    """Note the signals that ask to stop; one that is ignored stays so."""

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets no other thread see to signals
        return
    previous = {
        number: signal.signal(number, note)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
