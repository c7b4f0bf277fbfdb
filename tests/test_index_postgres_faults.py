"""A team's index that cannot be reached, takes nothing, or holds what nobody wrote so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from postgres_helpers import PASSWORD, QUOTED, Machine, MakeMachine, PostgresServer, needs_postgres

from thexp_pl import ExperimentViewer
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record import Experiment
from thexp_pl.runs.index.team.tables import SCHEMA

pytestmark = needs_postgres
_SECONDS = 180


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:s3cr3t@h/db", "is no address of a PostgreSQL server: write postgresql://"),
        ("s3cr3t", "is no address of a PostgreSQL server"),
        ("postgresql://u:s3cr3t%zz@h/db", "with signs such as @ and / in the password as %40"),
        ("postgresql://u:s3cr3t@h:port/db", "THEXP_INDEX"),
        ("postgresql://u:s3cr3t@h/db?s3cr3t=1", "THEXP_INDEX cannot be read"),
        ("postgresql://u:s3cr3t@127.0.0.1:1/db", "'127.0.0.1:1/db' cannot be used: connection"),
        ("postgresql://u:s3cr3t@no.such.host.invalid/db", "cannot be used"),
    ],
)
def test_a_wrong_address_is_one_line_without_its_password(
    machine: MakeMachine, url: str, told: str
) -> None:
    one = machine("one", url)
    with one, pytest.raises((UsageError, RecordError)) as caught:
        ExperimentViewer().list()
    message = str(caught.value)
    assert told in message
    assert "unset THEXP_INDEX" in message
    assert message.isprintable()
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_a_command_ends_with_2_where_the_server_is_not_there_or_knows_no_such_user(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    wrong = team_server.url(database, password=f"{QUOTED}x")
    for url in ("postgresql://u:s3cr3t@127.0.0.1:1/db", wrong, team_server.url("no_such_database")):
        ended = machine("one", url).command("list")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.count("\n") == 1
        assert "the team's index on" in ended.stderr
        assert not any(word in ended.stderr for word in ("s3cr3t", PASSWORD, QUOTED))


def test_a_named_folder_is_read_without_the_server(machine: MakeMachine) -> None:
    one = machine("one", "postgresql://u:p@127.0.0.1:1/db")
    key = one.record(lr=1)
    ended = one.command("list", "--json", "--exps_dir", str(one.root))
    assert [row["key"] for row in json.loads(ended.stdout)] == [key]


def test_a_run_is_recorded_whatever_the_server_does_and_keeps_no_address(
    machine: MakeMachine,
) -> None:
    one = machine("one", "postgresql://u:s3cr3t@127.0.0.1:1/db")
    with one:
        with Experiment(one.root, "a", code=False, console=False) as exp:
            exp.log_metrics(0, 0, {"loss": 1.0})
        (run,) = ExperimentViewer([one.root]).runs()
    assert run.status == "finished"
    assert "THEXP_HOME" in run.manifest["environment"]
    assert "THEXP_INDEX" not in run.manifest["environment"]
    files = [path for path in one.root.rglob("*") if path.is_file()]
    assert not any(b"s3cr3t" in path.read_bytes() for path in files)
    assert exp.key == run.key


# -- what a user may -----------------------------------------------------------------------------


def test_a_user_who_may_only_read_lists_and_is_told_so(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two = machine("one"), machine("two", team_server.url(database, user="reader"))
    far = one.record(lr=1)
    one.rows()
    one.cut_off()
    near = two.record(lr=2)
    closed = two.command("list")
    assert closed.returncode == 2
    assert f"ask its owner for USAGE of the schema {SCHEMA}" in closed.stderr
    team_server.ask(f"GRANT USAGE ON SCHEMA {SCHEMA} TO reader", database)
    team_server.ask(f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO reader", database)
    listed = two.command("list", "--json")
    assert [row["key"] for row in json.loads(listed.stdout)] == [far, near]
    assert listed.stderr.startswith("note: the team's index on")
    assert listed.stderr.count("\n") == 1
    with two, pytest.raises(RecordError, match="takes nothing from this user"):
        ExperimentViewer().drop()
    writes = f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO reader"
    team_server.ask(writes, database)
    assert two.command("list").stderr == ""
    told = team_server.ask(f"SELECT key FROM {SCHEMA}.runs ORDER BY key", database)
    assert told == sorted([(far,), (near,)])


def test_a_user_who_may_make_no_tables_is_told_who_may(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    two = machine("two", team_server.url(database, user="reader"))
    ended = two.command("list")
    assert ended.returncode == 2
    assert "where there is none yet, to run `thexp-pl list` once" in ended.stderr


# -- many at once, and cut off in the middle -----------------------------------------------------


def test_eight_processes_that_read_at_once_tell_each_run_once(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    machines = [machine(f"m{number % 4}") for number in range(8)]  # two of each home
    keys = {one.record(number=number) for number, one in enumerate(machines)}
    program = "from thexp_pl import ExperimentViewer as V\nprint(*V().list())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **one.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in machines
    ]
    for number, process in enumerate(started):
        out, err = process.communicate(timeout=_SECONDS)
        assert (process.returncode, err) == (0, "")
        assert keys >= set(out.split()) >= {*ExperimentViewer([machines[number].root]).list()}
        assert {*machines[number].rows()} == keys
    told = team_server.ask(f"SELECT key FROM {SCHEMA}.runs WHERE NOT gone", database)
    assert sorted(key for (key,) in told) == sorted(keys)
    assert len(team_server.ask(f"SELECT * FROM {SCHEMA}.roots", database)) == 4


def test_a_connection_that_is_lost_in_the_middle_loses_nothing(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    import psycopg

    one, two = machine("one"), machine("two")
    one.record(lr=1)
    one.rows()
    key = one.record(lr=2)
    owner = f"host={team_server.folder} port={team_server.port} user=postgres dbname={database}"
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        f" AND datname = '{database}' AND usename = 'team'"
    )
    ended: list[subprocess.CompletedProcess[str]] = []
    thread = threading.Thread(target=lambda: ended.append(one.command("list")), daemon=True)
    with psycopg.connect(owner) as other:
        other.execute(f"SELECT * FROM {SCHEMA}.roots FOR UPDATE")
        thread.start()
        until(lambda: team_server.ask(waiting, database))
        team_server.ask(waiting.replace("pid", "pg_terminate_backend(pid)"), database)
        thread.join(_SECONDS)
    assert ended[0].returncode == 2
    assert ended[0].stderr.count("\n") == 1
    assert "terminating connection" in ended[0].stderr
    assert key not in [
        told for (told,) in team_server.ask(f"SELECT key FROM {SCHEMA}.runs", database)
    ]
    one.rows()
    one.cut_off()
    assert key in two.rows()


# -- what lies on the server ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("facts", "garbage"),
        ("facts", "[]"),
        ("facts", '["finished", NaN]'),
        ("facts", json.dumps(["\x1b[31m", 0.0, None, "[]", "[]", *[""] * 8, None, "", ""])),
        ("facts", json.dumps(["finished", 0.0, None, "[1]", "[]", *[""] * 8, None, "", ""])),
        ("params", "[" * 100_000),
        ("params", "3"),
        ("metrics", '{"loss": 3}'),
    ],
)
def test_what_cannot_be_used_is_a_damaged_run_and_hides_no_other(
    machine: MakeMachine, team_server: PostgresServer, database: str, column: str, value: str
) -> None:
    one, two = machine("one"), machine("two")
    bad, good = one.record(lr=1), one.record(lr=2)
    one.rows()
    one.cut_off()
    quoted = value.replace("'", "''")
    team_server.ask(f"UPDATE {SCHEMA}.runs SET {column} = '{quoted}' WHERE key = '{bad}'", database)
    seen = two.rows()
    assert seen[bad].status == "damaged"
    assert "the team's index tells of it cannot be used" in seen[bad].damage
    assert seen[good].status == "finished"


def test_two_releases_share_a_server(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    team_server.ask("CREATE SCHEMA thexp_pl_v999 CREATE TABLE roots (whatever text)", database)
    one, two = machine("one"), machine("two")
    key = one.record(lr=1)
    one.rows()
    one.cut_off()
    assert [*two.rows()] == [key]
    assert team_server.ask("SELECT count(*) FROM thexp_pl_v999.roots", database) == [(0,)]


def test_a_database_of_another_encoding_takes_all_texts(
    team_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team_server.ask(
        "CREATE DATABASE latin OWNER team ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        " TEMPLATE template0",
        "postgres",
    )
    one, two = (Machine(tmp_path / name, team_server.url("latin"), monkeypatch) for name in "手ü")
    key = one.record(text="手写\x00")
    one.rows()
    one.cut_off()
    assert two.rows()[key].params == {"text": "手写\x00"}
    assert two.rows()[key].root == one.root


def test_a_home_that_cannot_be_written_still_lists_the_team(machine: MakeMachine) -> None:
    one, two = machine("one"), machine("two")
    key = one.record(lr=1)
    one.rows()
    one.cut_off()
    two.rows()
    for file in two.home.glob("team-*"):
        file.unlink()
        file.mkdir()  # where a file should be
    near = two.record(lr=2)
    assert [*two.rows()] == [key, near]
    assert [*two.rows()] == [key, near]
