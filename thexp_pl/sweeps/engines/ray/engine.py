"""`RayEngine`: the attempts of a sweep on Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.globvars import thexp_home
from thexp_pl.sweeps.engines.base import Ended
from thexp_pl.sweeps.engines.ray.connecting import Connection
from thexp_pl.sweeps.engines.ray.faults import mismatch, told_of
from thexp_pl.sweeps.engines.ray.homing import bring_home, log_home, recover
from thexp_pl.sweeps.engines.ray.resources import check_slots, resources, slots
from thexp_pl.sweeps.engines.ray.sending import packed_run, packed_sweep
from thexp_pl.sweeps.engines.ray.worker import Order, Outcome, Place, Worker
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.sweep import Sweep, read_points

__all__ = ["RayEngine"]

# until a worker has started that says what is installed; its Python may lie on a slow shared disk
_PROBE_SECONDS = 180.0
_THREADS = "OMP_NUM_THREADS"
_NEVER_BEGUN = "it was stopped before it began"


@dataclass
class _Handed:
    """An attempt that was handed over.

    Args:
        actor: The actor that runs it.
        answer: What is waited for: the place it has come to, then its outcome.
        place: The place, once it is known.
    """

    actor: Any
    answer: Any
    place: Place | None = None


class RayEngine:
    """Runs each attempt as an actor of Ray's, with the resources that it asks for.

    Where a worker sees the experiment root, its runs are recorded there; from any other they are
    brought home when the attempt has ended, however it did.

    Args:
        address: The cluster, as ``ray.init`` takes it; None for the one that ``RAY_ADDRESS`` names,
            else a Ray of its own on this machine.
        cpus_per_run: The CPUs of Ray's that a run takes.
        gpus_per_run: The GPUs that a run takes, which may be a part of one; Ray shows it no others.
        jobs: How many runs go on at a time at the most; None: as many as there is room for.

    Raises:
        UsageError: A number cannot be meant, or the address is empty.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        cpus_per_run: float = 1,
        gpus_per_run: float = 0,
        jobs: int | None = None,
    ) -> None:
        if address == "":
            raise UsageError("--address='': name a cluster as host:port, or leave out --address")
        self._address = address
        self._jobs = jobs
        self._asked = resources(cpus_per_run, gpus_per_run)
        # as many as Ray gives a worker; what was submitted says nothing of them
        threads = {} if os.environ.get(_THREADS) else {_THREADS: str(max(1, int(cpus_per_run)))}
        self._environment = threads
        self._token = f".seen-{os.urandom(8).hex()}"
        self._seen: Path | None = None
        self._handed: dict[int, _Handed] = {}
        self._ended: list[Ended] = []
        self._is_stopping = False
        self._opened: Connection | None = None
        self._packed: Any = None
        self._points: tuple[int, Any] = (-1, None)

    @property
    def hindrance(self) -> str:
        """Empty: what Ray waits for is its own to say."""
        return ""

    def check(self, root: Path) -> None:
        """See that it can run anything.

        Args:
            root: The experiment root.

        Raises:
            UsageError: Ray is not installed, there is no cluster at the address, none of its nodes
                has what a run takes, or its workers lack this thexp_pl.
        """
        try:
            check_slots(self._connection, self._asked)
            if not self._connection.is_local:
                self._probe(self._connection, root)
        except BaseException:
            self.close()
            raise

    def open(self, sweep: Sweep) -> None:
        """Learn which sweep it runs.

        Args:
            sweep: The sweep.
        """
        self._sweep = sweep
        self._seen = sweep.paths.folder / self._token

    def room(self) -> int:
        """Say how many more attempts may be handed over now.

        Where nothing else is said, twice as many as the cluster can run are: one that grows on
        demand sees the demand.
        """
        if self._is_stopping or not self._connection.is_answering():
            return 0
        most = self._jobs or 2 * max(1, slots(self._connection, self._asked))
        return max(0, most - len(self._handed))

    def start(self, point: int) -> None:
        """Hand an attempt over.

        Args:
            point: The point's number.

        Raises:
            OSError: The sweep's folder cannot be written, or the cluster is gone.
        """
        paths = self._sweep.paths
        if self._seen is not None and not self._seen.exists():
            recover(paths)
            self._seen.touch()
        actor = self._actor.remote(self._order(paths.root, paths.key, point))
        self._handed[point] = _Handed(actor, actor.place.remote())

    def wait(self, seconds: float) -> list[Ended]:
        """Wait until attempts have ended, or for a while.

        Args:
            seconds: The longest that it waits.

        Returns:
            Those that have ended since the last call.

        Raises:
            RecordError: The head of the cluster is gone.
        """
        if not self._is_stopping:
            self._connection.check_head()
        answers = {handed.answer: point for point, handed in self._handed.items()}
        ray = self._connection.ray
        if answers and not self._ended:
            ready, _ = ray.wait(list(answers), num_returns=1, timeout=seconds)
            more, _ = ray.wait(list(answers), num_returns=len(answers), timeout=0)
            for answer in {*ready, *more}:
                self._go_on(answers[answer])
        elif not self._ended:
            time.sleep(seconds)
        ended, self._ended = self._ended, []
        return ended

    def running(self) -> set[int]:
        """Give the points whose attempts have begun, of those that were handed over."""
        return {point for point, handed in self._handed.items() if handed.place is not None}

    def stop(self, *, for_good: bool) -> str:
        """Ask all attempts to end with a checkpoint, once; `wait` tells when they have.

        Args:
            for_good: Means nothing here: what has not begun is taken back.

        Returns:
            What becomes of them.
        """
        self._is_stopping = True
        for point, handed in list(self._handed.items()):
            if handed.place is None:
                self._end(point, Ended(point, None, _NEVER_BEGUN))
            else:
                handed.actor.stop.remote()
        count = len(self._handed)
        text = f"what runs ({count}) ends with a checkpoint; once more does not wait for it"
        return text if count else ""

    def close(self) -> None:
        """End what is left of them, and leave the cluster; a Ray of its own ends."""
        for point in list(self._handed):
            self._end(point, Ended(point, None, "it was killed"))
        if self._seen is not None:
            self._seen.unlink(missing_ok=True)
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            self._opened = Connection(self._address)
        return self._opened

    @property
    def _actor(self) -> Any:
        return self._connection.ray.remote(
            num_cpus=self._asked["CPU"],
            num_gpus=self._asked["GPU"],
            max_restarts=0,  # the driver tries again
            max_concurrency=3,  # one runs, one may stop it, one fetches
        )(Worker)

    def _probe(self, connection: Connection, root: Path) -> None:
        """See once that the workers have this thexp_pl."""
        order = self._order(root, "", 0)
        actor = connection.ray.remote(num_cpus=0, max_restarts=0)(Worker).remote(order)
        try:
            fault = mismatch(connection.ray.get(actor.place.remote(), timeout=_PROBE_SECONDS))
        except connection.ray.exceptions.GetTimeoutError:
            seconds = f"{_PROBE_SECONDS:.0f} s"
            fault = f"{connection.name} started no worker within {seconds}: see `ray status`"
        except connection.ray.exceptions.RayError as error:
            fault = told_of(error)
        finally:
            with suppress(Exception):  # it never began
                connection.ray.kill(actor)
        if fault:
            raise UsageError(fault)

    def _go_on(self, point: int) -> None:
        """Take the next step with an attempt that has answered."""
        handed = self._handed[point]
        try:
            answer = self._connection.ray.get(handed.answer)
            if isinstance(answer, Outcome):
                self._end(point, self._outcome(point, handed, answer))
            elif fault := mismatch(answer):
                self._end(point, Ended(point, None, fault))
            else:
                handed.place = answer
                cargo = (None, b"", None) if answer.is_shared else self._cargo(point)
                handed.answer = handed.actor.run.remote(*cargo)
        except self._connection.ray.exceptions.RayError as error:
            self._end(point, Ended(point, None, told_of(error)))
        except OSError as error:
            self._end(point, Ended(point, None, " ".join(str(error).split())))

    def _outcome(self, point: int, handed: _Handed, outcome: Outcome) -> Ended:
        """Bring home what an attempt has recorded elsewhere."""
        ray = self._connection.ray
        if handed.place is not None and not handed.place.is_shared:
            log_home(self._sweep.paths, point, outcome.printed)
            fetched: Iterator[bytes] = (
                ray.get(handed.actor.piece.remote(number)) for number in range(outcome.pieces)
            )
            if outcome.pieces:
                bring_home(self._sweep.paths, point, fetched)
            ray.get(handed.actor.clear.remote())
        return Ended(point, outcome.code, outcome.reason)

    def _cargo(self, point: int) -> tuple[Any, Any, bytes | None]:
        """Give what an attempt needs where the root is not seen; what all need is sent once."""
        paths, put = self._sweep.paths, self._connection.ray.put
        if self._packed is None:
            self._packed = put(packed_sweep(paths))
        size = paths.points.stat().st_size
        if self._points[0] != size:  # a search adds to them
            self._points = size, put(paths.points.read_bytes())
        state = state_of(self._sweep, read_points(self._sweep)[point])
        run = None if state.paths is None else packed_run(state.paths, paths.folder)
        return self._packed, self._points[1], run

    def _order(self, root: Path, key: str, point: int) -> Order:
        return Order(root, key, point, self._token, str(thexp_home()), self._environment)

    def _end(self, point: int, ended: Ended) -> None:
        handed = self._handed.pop(point)
        self._ended.append(ended)
        with suppress(Exception):  # it is gone already
            self._connection.ray.kill(handed.actor)
