"""What lies on the server.

Each release has tables of its own, in a schema that is named after the index's version. Texts are
kept as ASCII, with JSON's escapes: PostgreSQL takes no NUL, and its encoding may be any.

A root's row is locked while its runs are told, so the versions of its runs grow in the order in
which they can be seen: who has learned a version has learned all before it. Versions begin at the
time in milliseconds, so that those of a database that was made anew are greater than all before.

A root's ``teller`` is who told of it last and, after a colon, the token that was left in the root.
"""

from __future__ import annotations

from typing import NamedTuple

from thexp_pl.runs.index.schema import VERSION

__all__ = ["SCHEMA", "TABLES", "TeamRoot", "TeamRun"]

SCHEMA = f"thexp_pl_v{VERSION}"
TABLES = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    """CREATE TABLE IF NOT EXISTS roots (
        number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, identity text NOT NULL UNIQUE,
        teller text NOT NULL, host text NOT NULL, path text NOT NULL,
        version bigint NOT NULL DEFAULT extract(epoch FROM now()) * 1000,
        told timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS runs (
        root integer NOT NULL REFERENCES roots ON DELETE CASCADE, name text NOT NULL,
        version bigint NOT NULL, gone boolean NOT NULL, digest text NOT NULL,
        experiment text NOT NULL, key text NOT NULL, status text NOT NULL, facts text NOT NULL,
        params text NOT NULL, metrics text NOT NULL, PRIMARY KEY (root, name))""",
    "CREATE INDEX IF NOT EXISTS runs_by_version ON runs (root, version)",
)


class TeamRoot(NamedTuple):
    """An experiment root as the server has it.

    Args:
        number: Its number there.
        identity: As of `thexp_pl.runs.index.team.identity`.
        teller: The machine, user and home that told of it last.
        host: That machine's name.
        path: Where it has the root.
        version: The greatest version of its runs.
        age: Seconds since it was told of.
        token: What was left in the root then, see `identity`; empty for none.
    """

    number: int
    identity: str
    teller: str
    host: str
    path: str
    version: int
    age: float
    token: str


class TeamRun(NamedTuple):
    """A run as the server has it; all texts are ASCII.

    Args:
        name: A digest of experiment and key.
        digest: One of all that follows.
        experiment: The experiment's name, as JSON writes it between the quotes.
        key: The run's key, likewise.
        status: Its status.
        facts: A JSON array of the columns of the index.
        params: As JSON.
        metrics: As JSON.
    """

    name: str
    digest: str = ""
    experiment: str = ""
    key: str = ""
    status: str = ""
    facts: str = ""
    params: str = ""
    metrics: str = ""
