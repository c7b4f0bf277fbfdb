"""Learning from a team of the runs on other machines."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from thexp_pl.record.heartbeat import STALE_SECONDS
from thexp_pl.runs.index.entries import Entry, entry_told
from thexp_pl.runs.index.team.server import Server
from thexp_pl.runs.index.team.tables import TeamRoot, TeamRun
from thexp_pl.runs.index.texts import kept_name, kept_text
from thexp_pl.runs.index.writing import Writer

__all__ = ["Away", "forget", "is_new", "known_away", "learn"]


class Away(NamedTuple):
    """A root of another machine, as the index of this one has it.

    Args:
        id: Its number there.
        version: Up to where its runs are known.
        lost: Whether its machine has not told of it for long.
    """

    id: int
    version: int
    lost: bool


def known_away(connection: sqlite3.Connection) -> dict[str, Away]:
    """Give the roots of other machines that the index has, by identity.

    Args:
        connection: To the index.
    """
    rows = connection.execute("SELECT identity, id, version, lost FROM roots WHERE host <> ''")
    return {identity: Away(number, version, bool(lost)) for identity, number, version, lost in rows}


def is_new(root: TeamRoot, known: Mapping[str, Away]) -> bool:
    """Say whether something of a root is to be learned.

    Args:
        root: The root, as the server has it.
        known: As `known_away` gives them.
    """
    away = known.get(root.identity)
    return away is None or (away.version, away.lost) != (root.version, _is_lost(root))


def learn(
    connection: sqlite3.Connection, server: Server, root: TeamRoot, known: Mapping[str, Away]
) -> None:
    """Learn what is new of a root.

    Args:
        connection: To the index, in a transaction.
        server: The server.
        root: The root, as the server has it.
        known: As `known_away` gives them.
    """
    away = known.get(root.identity)
    if away is not None and away.version > root.version:  # the server has an older state again
        forget(connection, [away.id])
        away = None
    is_lost = _is_lost(root)
    if away is None:
        away = _added(connection, root)
    writer = Writer(connection)
    for runs in server.runs(root, away.version, running=away.lost and not is_lost):
        there = [run for run in runs if run.digest]
        writer.remove(_numbers(connection, away.id, [run for run in runs if not run.digest]))
        writer.put_away(away.id, [(*_place(run), _entry(run)) for run in there])
    if is_lost:
        connection.execute(
            "UPDATE runs SET status = 'lost' WHERE root = ? AND status = 'running'", (away.id,)
        )
    connection.execute(
        "UPDATE roots SET path = ?, host = ?, version = ?, lost = ? WHERE id = ?",
        (*_where(root), root.version, is_lost, away.id),
    )


def forget(connection: sqlite3.Connection, roots: Iterable[int]) -> None:
    """Remove roots of other machines and their runs from the index.

    Args:
        connection: To the index, in a transaction.
        roots: Their numbers.
    """
    for root in roots:
        numbers = connection.execute("SELECT id FROM runs WHERE root = ?", (root,)).fetchall()
        Writer(connection).remove(number for (number,) in numbers)
        connection.execute("DELETE FROM roots WHERE id = ?", (root,))


def _is_lost(root: TeamRoot) -> bool:
    """Say whether what is told of running runs is too old to be believed."""
    return root.age > STALE_SECONDS


def _added(connection: sqlite3.Connection, root: TeamRoot) -> Away:
    cursor = connection.execute(
        "INSERT INTO roots (path, host, identity) VALUES (?, ?, ?)", (*_where(root), root.identity)
    )
    return Away(cursor.lastrowid or 0, 0, False)


def _where(root: TeamRoot) -> tuple[str | bytes, str]:
    return kept_name(_read(root.path)), kept_text(_read(root.host)) or "another machine"


def _numbers(connection: sqlite3.Connection, root: int, runs: list[TeamRun]) -> list[int]:
    found = []
    for run in runs:
        experiment, key = map(kept_name, _place(run))
        found += connection.execute(
            "SELECT id FROM runs WHERE root = ? AND experiment = ? AND key = ?",
            (root, experiment, key),
        ).fetchall()
    return [number for (number,) in found]


def _place(run: TeamRun) -> tuple[str, str]:
    return _read(run.experiment), _read(run.key)


def _entry(run: TeamRun) -> Entry:
    try:
        for name in (run.experiment, run.key):
            _named(name)
        return entry_told(*map(json.loads, (run.facts, run.params, run.metrics)))
    except Exception as error:  # noqa: BLE001 - whatever a server holds: it hides no other run
        damage = f"what the team's index tells of it cannot be used: {type(error).__name__}"
        return entry_told(["damaged", 0.0, None, "[]", "[]", *[""] * 8, None, "", damage], {}, {})


def _read(text: str) -> str:
    """Read a text of the server's; one that is not as it was told stands for itself."""
    try:
        return _named(text)
    except ValueError:
        return text


def _named(text: str) -> str:
    """Read the name of a file or folder.

    Raises:
        ValueError: Nobody told it so: no file can be called that.
    """
    found = str(json.loads(f'"{text}"'))
    os.fsencode(found)
    return found
