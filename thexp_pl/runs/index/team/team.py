"""`Team`: the people and machines that share one index."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from thexp_pl.errors import RecordError
from thexp_pl.runs.index.store import Store
from thexp_pl.runs.index.team.address import address_of
from thexp_pl.runs.index.team.identity import identity_of, is_copy
from thexp_pl.runs.index.team.meeting import Meeting
from thexp_pl.runs.index.team.server import NotAllowed, opened

__all__ = ["Team"]

# Which runs of this machine were written or removed since the team was told of them.
_TABLES = (
    "CREATE TABLE untold (root INTEGER, experiment TEXT, key TEXT,"
    " PRIMARY KEY (root, experiment, key)) WITHOUT ROWID",
    *(
        f"CREATE TRIGGER runs_{name} AFTER {event} ON runs"
        f" WHEN (SELECT host FROM roots WHERE id = {row}.root) = '' BEGIN"
        f" INSERT OR REPLACE INTO untold VALUES ({row}.root, {row}.experiment, {row}.key); END"
        for name, event, row in (("written", "INSERT", "new"), ("removed", "DELETE", "old"))
    ),
)


class Team:
    """A team's index on a server, and this user's copy of it.

    Args:
        url: The server's address.

    Raises:
        UsageError: It is none, or psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        self._address = address_of(url)
        self.store = Store(f"team-{self._address.digest}", _TABLES)
        self.remark = ""

    @contextlib.contextmanager
    def meeting(self, own: Sequence[str], *, is_new: bool) -> Iterator[Meeting]:
        """Connect to the server.

        Args:
            own: As the others, see `Meeting`.
            is_new: The index is made anew.

        Yields:
            The meeting.

        Raises:
            RecordError: The server cannot be reached or used, now or while it was.
        """
        with opened(self._address) as server:
            meeting = Meeting(server, own, is_new=is_new)
            yield meeting
            self.remark = "" if meeting.is_allowed else self._refusal()

    def forget(self, roots: Sequence[str]) -> None:
        """Remove roots from the server.

        Args:
            roots: Their real paths here.

        Raises:
            RecordError: The server cannot be reached or used, or takes nothing from this user.
        """
        with opened(self._address) as server:
            listed = {root.identity: root for root in server.roots()}
            own = {identity_of(root): root for root in roots}
            told = [one for one in own if one not in listed or not is_copy(own[one], listed[one])]
            try:
                server.forget(told)
            except NotAllowed:
                raise RecordError(self._refusal()) from None

    def _refusal(self) -> str:
        return (
            f"the team's index on {self._address.place} takes nothing from this user: what is read"
            " here is right, but the team is not told of this machine's runs; ask its owner for"
            " INSERT, UPDATE and DELETE on its tables"
        )
