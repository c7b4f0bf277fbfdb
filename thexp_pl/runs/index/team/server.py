"""The server while it is connected: its roots, and the runs that others told of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from thexp_pl.errors import RecordError
from thexp_pl.runs.index.team.address import Address
from thexp_pl.runs.index.team.tables import SCHEMA, TABLES, TeamRoot, TeamRun
from thexp_pl.runs.index.team.telling import Telling

if TYPE_CHECKING:
    import psycopg

__all__ = ["NotAllowed", "Server", "opened"]

_LOCK = 0x74687870  # "thxp": held while the tables are made
_FRESH_SECONDS = 30.0
_CONNECTING = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 60_000}
_BATCH = 500
# Nobody waits for ever for one who tells of the same root, nor for one who was stopped meanwhile.
_SETTINGS = (
    f"search_path TO {SCHEMA}",
    "lock_timeout TO '60s'",
    "idle_in_transaction_session_timeout TO '10min'",
)


class NotAllowed(Exception):  # noqa: N818 - no error of its own: it becomes a remark
    """This user may read the team's index, and not write it."""


@contextlib.contextmanager
def opened(address: Address) -> Iterator[Server]:
    """Connect to a server, and make the tables where there are none.

    Args:
        address: Its address.

    Yields:
        The server.

    Raises:
        RecordError: It cannot be reached or used, now or while it was.
    """
    import psycopg

    try:
        options = {**_CONNECTING, **address.options, "client_encoding": "utf8"}
        with psycopg.connect(**options, autocommit=True) as connection:
            for setting in _SETTINGS:
                connection.execute(f"SET {setting}")
            yield Server(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _denied(address, error) from None
    except (psycopg.Error, UnicodeError) as error:  # its texts may be in no encoding
        raise address.fault(error) from None


def _denied(address: Address, error: Exception) -> RecordError:
    why = " ".join(str(error).split())
    return RecordError(
        f"the team's index on {address.place} is closed to this user ({why}): ask its owner for"
        f" USAGE of the schema {SCHEMA} and SELECT on its tables, or, where there is none yet, to"
        " run `thexp-pl list` once"
    )


class Server:
    """The server while it is connected.

    Args:
        connection: To it, without transactions of its own.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def roots(self) -> list[TeamRoot]:
        """Give all roots; the tables are made where they are missing."""
        import psycopg

        sql = (
            "SELECT number, identity, split_part(teller, ':', 1), host, path, version,"
            " extract(epoch FROM now() - told)::float8, split_part(teller, ':', 2)"
            " FROM roots ORDER BY number"
        )
        try:
            return [TeamRoot(*row) for row in self._connection.execute(sql)]
        except psycopg.errors.UndefinedTable:
            with self._connection.transaction():
                self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                for statement in TABLES:
                    self._connection.execute(statement)
            return []

    @contextlib.contextmanager
    def telling(
        self, identity: str, teller: str, host: str, path: str, token: Callable[[], str]
    ) -> Iterator[Telling]:
        """Tell of a root, in one transaction; others who tell of it wait.

        Args:
            identity: As the others, see `TeamRoot`.
            teller: This machine, user and home.
            host: Its name.
            path: Where the root is here.
            token: Leaves a token in the root and gives it, once no other tells of it; an empty
                one leaves that of before.

        Yields:
            What tells of its runs.

        Raises:
            NotAllowed: This user may not.
        """
        with self._allowed(), self._connection.transaction():
            row = self._connection.execute(
                "INSERT INTO roots (identity, teller, host, path) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (identity) DO UPDATE SET host = excluded.host,"
                " path = excluded.path, told = now() RETURNING number, version",
                (identity, teller, host, path),
            ).fetchone()
            assert row is not None
            self._connection.execute(
                "UPDATE roots SET teller = %s || ':' || coalesce(nullif(%s, ''),"
                " split_part(teller, ':', 2)) WHERE number = %s",
                (teller, token(), row[0]),
            )
            yield Telling(self._connection, *row)

    def keep_fresh(self, roots: Sequence[TeamRoot]) -> None:
        """Say that what was told of some roots is as it was.

        Args:
            roots: The roots; of those told a moment ago nothing is said.

        Raises:
            NotAllowed: This user may not.
        """
        numbers = [root.number for root in roots if root.age > _FRESH_SECONDS]
        if numbers:
            with self._allowed():
                self._connection.execute(
                    "UPDATE roots SET told = now() WHERE number = ANY(%s)", (numbers,)
                )

    def forget(self, identities: Collection[str]) -> None:
        """Remove roots and their runs.

        Args:
            identities: Of the roots.

        Raises:
            NotAllowed: This user may not.
        """
        if identities:
            with self._allowed():
                self._connection.execute(
                    "DELETE FROM roots WHERE identity = ANY(%s)", ([*identities],)
                )

    def runs(self, root: TeamRoot, since: int, *, running: bool) -> Iterator[list[TeamRun]]:
        """Give runs of a root, some at a time.

        Args:
            root: The root.
            since: A version: later ones are given. From 0 on, those that are gone are not.
            running: Give those that run, too.

        Yields:
            Runs; one that is gone has no digest.
        """
        sql = (
            "SELECT name, digest, experiment, key, status, facts, params, metrics FROM runs"
            " WHERE root = %s AND (version > %s OR (status = 'running' AND %s))"
            " AND NOT (gone AND %s)"
        )
        with self._connection.transaction(), self._connection.cursor(name="runs") as cursor:
            cursor.execute(sql, (root.number, since, running, since == 0))
            while rows := cursor.fetchmany(_BATCH):
                yield [TeamRun(*row) for row in rows]

    @contextlib.contextmanager
    def _allowed(self) -> Iterator[None]:
        import psycopg

        refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
        try:
            yield
        except refusals:
            raise NotAllowed from None
