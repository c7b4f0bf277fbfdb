"""How often a file is looked at, however often it changes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CREATED", "GONE", "REST_SECONDS", "Pace"]

CREATED, GONE = 1, 2  # what was heard of a file besides that it changed
REST_SECONDS = 1.0
_MAX_REST_SECONDS = 1024.0


@dataclass
class _Rest:
    since: float
    span: float

    @property
    def end(self) -> float:
        return self.since + self.span


class Pace:
    """Lets each file be looked at once at first, and then once a second at most.

    One that is written without a pause is looked at ever more rarely, so that a log file does not
    fill the journal: after 1, 2, 4 and at last each 1,024 seconds. One that had rested for as long
    as it was to rest is looked at at once again, and so is one that is gone, after a second.

    `hear` belongs to the thread that hears of changes, all else to the one that looks.
    """

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}
        self._resting: dict[str, _Rest] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no file rests."""
        return not self._resting

    def hear(self, path: str, what: int = 0) -> bool:
        """Note that a file has changed.

        Args:
            path: The file.
            what: `CREATED`, `GONE` or 0.

        Returns:
            Whether that is news, for which `take` is to be called.
        """
        heard = self._heard.get(path)
        if heard is not None and heard | what == heard:
            return False
        self._heard[path] = what | (heard or 0)
        return True

    def take(self, path: str, now: float) -> int | None:
        """Ask whether a file may be looked at.

        Args:
            path: The file.
            now: The time, in seconds of a clock that is never set back.

        Returns:
            What was heard of it; None where it rests, or nothing was heard since the last look.
        """
        rest = self._resting.get(path)
        if rest is None or now >= rest.end:
            return self._heard.pop(path, None)
        if self._heard.get(path, 0) & GONE:
            rest.span = REST_SECONDS
        return None

    def told(self, path: str, event: str, now: float) -> None:
        """Let a file rest, as someone was told of it.

        Args:
            path: The file.
            event: What they were told.
            now: The time, as above.
        """
        rest = self._resting.get(path)
        lasts = rest is not None and event == "modified"
        span = min(2 * rest.span, _MAX_REST_SECONDS) if rest and lasts else REST_SECONDS
        self._resting[path] = _Rest(now, span)

    def rested(self, now: float) -> list[str]:
        """List the files that may be looked at again and have changed while they rested.

        Args:
            now: The time, as above.

        Returns:
            Their paths; for each `take` is to be called.
        """
        over = [path for path, rest in self._resting.items() if now >= rest.end]
        changed = [path for path in over if path in self._heard]
        for path in set(over).difference(changed):
            del self._resting[path]
        return changed
