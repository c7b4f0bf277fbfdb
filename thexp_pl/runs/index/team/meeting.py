"""`Meeting`: one index and the server that its team shares, for the time of one refresh."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Sequence

from thexp_pl.runs.index.keeping import Kept
from thexp_pl.runs.index.team.identity import identity_of, is_copy, is_here, leave_token
from thexp_pl.runs.index.team.learning import Away, forget, is_new, known_away, learn
from thexp_pl.runs.index.team.server import NotAllowed, Server
from thexp_pl.runs.index.team.tables import TeamRoot
from thexp_pl.runs.index.team.teller import new_teller, teller
from thexp_pl.runs.index.team.telling import tell
from thexp_pl.runs.index.texts import kept_name, read_name

__all__ = ["Meeting"]


class Meeting:
    """What a machine tells its team, and what it learns.

    A root that can be read here is told of, and never learned, whoever told of it before: so the
    runs on a shared file system are listed once.

    Args:
        server: The server.
        own: The real paths of the roots that this user knows.
        is_new: The index is made anew: what was told of roots that are gone is removed.
    """

    def __init__(self, server: Server, own: Sequence[str], *, is_new: bool) -> None:
        self._server = server
        self._is_new = is_new
        self._listed = {root.identity: root for root in server.roots()}
        self._teller = teller()
        identities = {path: self._identity(path) for path in own}
        self._near = {
            path: root
            for root in self._listed.values()
            if root.identity not in identities.values() and is_here(path := _path(root), root)
        }
        near = {path: root.identity for path, root in self._near.items()}
        self._identities = {**identities, **near}
        self.is_allowed = True

    def _identity(self, path: str) -> str:
        identity = identity_of(path)
        listed = self._listed.get(identity)
        if listed is None or not is_copy(path, listed):
            return identity
        if listed.teller == self._teller:  # and nobody here told so
            self._teller = new_teller()
        return identity_of(path, anew=True)

    @property
    def roots(self) -> list[str]:
        """The real paths of the roots that can be read here."""
        return sorted(self._identities)

    def exchange(self, kept: Kept) -> None:
        """Tell what is new here, and learn what is new elsewhere.

        Args:
            kept: The index, brought up to date with the files.

        Raises:
            OSError: It cannot be locked.
            sqlite3.Error: It cannot be written.
        """
        away = known_away(kept.connection)
        if self._is_new or self._untold(kept.connection) or self._has_news(away):
            with kept.writing() as connection:
                self._tell(connection)
                self._learn(connection)
        self._keep_fresh(kept.connection)

    def _untold(self, connection: sqlite3.Connection) -> list[tuple[int, str, bool]]:
        """Give the roots that there is something to tell of: number, path, whether of all runs."""
        rows = connection.execute(
            "SELECT id, path, version, EXISTS (SELECT 1 FROM untold WHERE root = roots.id)"
            " FROM roots WHERE host = ''"
        )
        found = []
        for number, kept, version, has_untold in rows.fetchall():
            path = read_name(kept)
            if path in self._identities:
                listed = self._listed.get(self._identities[path])
                whole = listed is None or not version or listed.version < version
                if whole or has_untold:
                    found.append((number, path, whole))
        return found

    def _has_news(self, away: dict[str, Away]) -> bool:
        others = self._others()
        return (
            bool(self._gone())
            or away.keys() != {root.identity for root in others}
            or any(is_new(root, away) for root in others)
        )

    def _others(self) -> list[TeamRoot]:
        """Give the roots to learn; one that was told of from here can be read here, or is gone."""
        return [root for root in self._elsewhere() if root.teller != self._teller]

    def _elsewhere(self) -> list[TeamRoot]:
        here = {*self._identities.values()}
        return [root for root in self._listed.values() if root.identity not in here]

    def _gone(self) -> list[str]:
        """Give the roots that were told of from here and that others should forget.

        One that is not there may be not mounted: it is gone where another is at its path, and
        where the index is made anew.
        """
        return [
            root.identity
            for root in self._elsewhere()
            if root.teller == self._teller and (self._is_new or _path(root) in self._identities)
        ]

    def _tell(self, connection: sqlite3.Connection) -> None:
        try:
            self._forget_gone()
            for path in self._identities:
                connection.execute(
                    "INSERT OR IGNORE INTO roots (path) VALUES (?)", (kept_name(path),)
                )
            for number, path, whole in self._untold(connection):
                token = functools.partial(leave_token, path)
                place = self._place(path)
                with self._server.telling(self._identities[path], *place, token) as telling:
                    tell(connection, number, telling, whole=whole)
                connection.execute("DELETE FROM untold WHERE root = ?", (number,))
                connection.execute(
                    "UPDATE roots SET version = ? WHERE id = ?", (telling.version, number)
                )
        except NotAllowed:
            self.is_allowed = False

    def _place(self, path: str) -> tuple[str, str, str]:
        """Give who tells of a root, and where it is: of one that others know, as they say."""
        if path in self._near:
            root = self._near[path]
            return root.teller, root.host, root.path
        return self._teller, _told(os.uname().nodename), _told(path)

    def _forget_gone(self) -> None:
        """Remove what was told from here of roots that are gone."""
        gone = self._gone()
        self._server.forget(gone)
        for identity in gone:
            del self._listed[identity]

    def _learn(self, connection: sqlite3.Connection) -> None:
        away, others = known_away(connection), self._others()
        listed = {root.identity for root in others}
        forget(connection, [one.id for identity, one in away.items() if identity not in listed])
        for root in others:
            if is_new(root, away):
                learn(connection, self._server, root, away)

    def _keep_fresh(self, connection: sqlite3.Connection) -> None:
        """Say of running runs that they still are: others take them for lost after a while."""
        rows = connection.execute(
            "SELECT DISTINCT path FROM runs JOIN roots ON roots.id = root"
            " WHERE status = 'running' AND roots.host = ''"
        )
        paths = [read_name(path) for (path,) in rows]
        found = [self._listed.get(self._identities.get(path, "")) for path in paths]
        if self.is_allowed:
            try:
                self._server.keep_fresh([root for root in found if root is not None])
            except NotAllowed:
                self.is_allowed = False


def _told(name: str) -> str:
    return json.dumps(name)[1:-1]


def _path(root: TeamRoot) -> str:
    try:
        return str(json.loads(f'"{root.path}"'))
    except ValueError:
        return ""
