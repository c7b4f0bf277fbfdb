"""Who has which GPU, and how much memory: what the attempts of the local engine share.

With a number of GPUs for each run, a GPU is one run's alone. With an amount of memory and no such
number, several may share one: each that runs there counts as much as the amount, or as what it
really takes where that is more, so that one which has only begun, and taken nothing yet, keeps its
room. Without GPUs the memory is that of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.devices import VISIBLE, Memory, gpu_memory, machine_memory, visible_gpus

__all__ = ["Places"]

_MACHINE = "this machine"
_GB = 1e9


@dataclass
class _Place:
    """A GPU, or the machine.

    Args:
        name: As ``CUDA_VISIBLE_DEVICES`` names it.
        points: Those whose attempts run there.
        before: What was free when none of them ran, bytes.
    """

    name: str
    points: set[int] = field(default_factory=set)
    before: int = 0

    def left(self, free: int, each: int) -> int:
        """Say what is left for one more attempt.

        Args:
            free: What is free now, bytes.
            each: What an attempt counts as at the least, bytes.
        """
        # What is free by now may be more than ever before: another program has ended.
        self.before = max(self.before, free) if self.points else free
        return min(free, self.before - len(self.points) * each)


class Places:
    """The GPUs or the memory of this machine, shared out among attempts.

    Args:
        gpus_per_run: How many GPUs each attempt has for itself; None where they are not shared out.
        memory: How much must be free for an attempt to start, bytes; None for any.
    """

    def __init__(self, gpus_per_run: int | None = None, memory: int | None = None) -> None:
        self._each, self._memory = gpus_per_run, memory
        is_sharing = bool(gpus_per_run) or memory is not None
        names = visible_gpus() if is_sharing else []
        self._is_machine = not names and memory is not None and not gpus_per_run
        self._places = [_Place(name) for name in ([_MACHINE] if self._is_machine else names)]

    def _memory_now(self) -> dict[str, Memory]:
        if self._is_machine:
            return {_MACHINE: machine_memory()}
        return gpu_memory([place.name for place in self._places])

    @property
    def is_limited(self) -> bool:
        """Whether anything but the number of attempts is to be watched."""
        return bool(self._each) or self._memory is not None

    def check(self) -> None:
        """See that one attempt fits at all.

        Raises:
            UsageError: It does not.
        """
        if self._each and len(self._places) < self._each:
            seen = ", ".join(place.name for place in self._places) or "none"
            raise UsageError(
                f"--gpus_per_run={self._each}: this process sees {len(self._places)} GPUs ({seen});"
                f" take fewer, or set {VISIBLE}"
            )
        if self._memory is None:
            return
        told = self._memory_now()
        fitting = [name for name, memory in told.items() if memory.total >= self._memory]
        if len(fitting) < (self._each or 1):
            sizes = [f"{name} has {memory.total / _GB:.1f} GB" for name, memory in told.items()]
            raise UsageError(
                f"--min_free_memory={self._memory / _GB:g}GB can never be free:"
                f" {', '.join(sizes) or 'nvidia-smi tells the memory of no GPU'}; ask for less"
            )

    def find(self) -> list[str] | None:
        """Choose where an attempt may start now.

        Returns:
            The names of the GPUs, or of the machine; none where nothing is shared out; None where
            there is no room.
        """
        if not self.is_limited:
            return []
        free = self._memory_now() if self._memory is not None else {}
        rooms = {place.name: self._room(place, free) for place in self._places}
        wanted = self._each or 1
        # the emptiest first; of equal ones in their order
        fitting = sorted((name for name in rooms if rooms[name] >= 0), key=lambda n: -rooms[n])
        return fitting[:wanted] if len(fitting) >= wanted else None

    def _room(self, place: _Place, free: Mapping[str, Memory]) -> int:
        """Say what is left when one more has started; negative where none may."""
        if self._each and place.points:
            return -1
        if self._memory is None:
            return 0
        memory = free.get(place.name)
        return -1 if memory is None else place.left(memory.free, self._memory) - self._memory

    def take(self, point: int, names: list[str]) -> dict[str, str | None]:
        """Give places to an attempt.

        Args:
            point: The point's number.
            names: As `find` chose them, or as a process has them that runs already.

        Returns:
            What to put into its environment.
        """
        for place in self._places:
            if place.name in names:
                place.points.add(point)
        if self._each == 0:
            return {VISIBLE: ""}
        return {VISIBLE: ",".join(names)} if names and not self._is_machine else {}

    def give_back(self, point: int) -> None:
        """Take the places of an attempt that has ended.

        Args:
            point: The point's number.
        """
        for place in self._places:
            place.points.discard(point)

    def known(self, told: str | None) -> list[str]:
        """Name the places of a process that runs already.

        Args:
            told: Its ``CUDA_VISIBLE_DEVICES``.
        """
        return [_MACHINE] if self._is_machine else (told or "").split(",")

    def hindrance(self) -> str:
        """Say what an attempt waits for that finds no room."""
        if self._memory is None:
            return f"waiting for {self._each} free GPUs"
        return f"waiting for {self._memory / _GB:.3g} GB of free memory"
