"""A team's index: what each machine records, all of them list, query and compare."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from index_helpers import change
from postgres_helpers import (
    MakeMachine,
    PostgresServer,
    needs_hosts,
    needs_postgres,
    on_another_host,
)

from thexp_pl import ExperimentViewer
from thexp_pl.errors import RecordError
from thexp_pl.record import Experiment
from thexp_pl.record.notes import change_notes
from thexp_pl.runs.index.team.tables import SCHEMA

pytestmark = needs_postgres
_SECOND = """
import sys
from thexp_pl import ExperimentViewer
from thexp_pl.record import Experiment
with Experiment(sys.argv[1], "a", code=False, console=False):
    pass
print([(row.host, bool(row.away)) for row in ExperimentViewer().rows()])
"""


def test_the_runs_of_two_machines_are_listed_queried_and_compared_together(
    machine: MakeMachine,
) -> None:
    one, two = machine("one"), machine("two")
    far = one.record(lr=0.1, text="手写\x00 {}")
    told = one.rows()
    one.cut_off()
    near = two.record(lr=0.2)
    listed = two.rows()
    assert [*listed] == [far, near]
    assert listed[far].away == os.uname().nodename
    assert not listed[near].away
    for fact in ("params", "metrics", "started", "status", "seconds", "command", "root", "host"):
        assert getattr(listed[far], fact) == getattr(told[far], fact)
    with two:
        viewer = ExperimentViewer()
        assert viewer.query("params.lr < 0.2 and metrics.loss.min == 0.5") == [far]
        assert viewer.query("matches(params.text, '^手.*}$')") == [far]
        best = viewer.rows(sort="params.lr", reverse=True)
        assert [row.key for row in best] == [near, far]
        assert list(viewer.to_pandas()["params.lr"]) == [0.1, 0.2]


def test_what_changes_on_one_machine_is_seen_on_the_other(machine: MakeMachine) -> None:
    one, two = machine("one"), machine("two")
    keys = [one.record(lr=number) for number in range(3)]
    with one:
        rows = ExperimentViewer().rows()
    one.cut_off()
    assert [*two.rows()] == keys
    one.reached()
    with one:
        change_notes(rows[0].paths, add=["paper"], note="seen")
        change(rows[1].paths.manifest, status="failed")
        shutil.rmtree(rows[2].paths.folder)
    added = one.record(lr=9)
    one.rows()
    one.cut_off()
    seen = two.rows()
    assert [*seen] == [*keys[:2], added]
    assert (seen[keys[0]].tags, seen[keys[0]].notes) == (("paper",), ("seen",))
    assert seen[keys[1]].status == "failed"


def test_a_command_that_needs_files_says_where_they_are(machine: MakeMachine) -> None:
    one, two = machine("one"), machine("two")
    far = one.record(lr=1)
    folder = one.rows()[far].paths.folder
    one.cut_off()
    near = two.record(lr=2)
    page = str(two.home / "page.html")
    commands = (
        ["show", far],
        ["diff", near, far],
        ["report", far, "-o", page],
        ["tag", far, "--add", "x"],
    )
    for words in commands:
        ended = two.command(*words)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.count("\n") == 1
        said = f"the files of the run '{far}' are on '{os.uname().nodename}' in '{folder}'"
        assert said in ended.stderr
    listed = json.loads(two.command("list", "--json").stdout)
    assert [(row["key"], row["away"]) for row in listed] == [(far, os.uname().nodename), (near, "")]
    assert listed[0]["path"] == str(folder)
    assert two.command("compare", far, near).returncode == 0
    with two, pytest.raises(RecordError, match="are on"):
        ExperimentViewer().run(far)


def test_the_last_run_is_the_last_of_this_machine(machine: MakeMachine) -> None:
    one, two = machine("one"), machine("two")
    near = two.record(lr=2)
    far = one.record(lr=1)
    one.rows()
    one.cut_off()
    with two:
        assert ExperimentViewer().run("@last").key == near
    assert [*two.rows()] == [near, far]


@needs_hosts
def test_two_roots_of_one_path_on_two_machines_are_two_roots(
    machine: MakeMachine, tmp_path: Path
) -> None:
    one, two = machine("one"), machine("two")
    far = one.record(lr=1)
    path = one.root
    one.rows()
    path.rename(tmp_path / "elsewhere")
    told = on_another_host(two, _SECOND, path)
    assert told == f"[({os.uname().nodename!r}, True), ('second', False)]"
    shutil.rmtree(path)
    (tmp_path / "elsewhere").rename(path)
    seen = one.rows()
    assert [bool(row.away) for row in seen.values()] == [False, True]
    assert {row.root for row in seen.values()} == {seen[far].root}


def test_a_root_that_another_has_replaced_is_gone_for_all(machine: MakeMachine) -> None:
    one, two = machine("one"), machine("two")
    one.record(lr=1)
    one.rows()
    assert len(two.rows()) == 1
    shutil.rmtree(one.root)
    key = one.record(lr=2)
    one.rows()
    one.cut_off()
    assert [*two.rows()] == [key]


def test_runs_that_can_be_read_here_are_read_here_whoever_told_of_them(
    machine: MakeMachine,
) -> None:
    one, two = machine("one"), machine("two")
    key = one.record(lr=1)
    one.rows()
    seen = two.rows()[key]  # its home does not know the root
    assert not seen.away
    with one:
        change_notes(seen.paths, add=["mine"])
    assert two.rows()[key].tags == ("mine",)  # nobody has told of it since


@needs_hosts
def test_a_shared_file_system_is_one_root_under_whatever_path_and_host(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two, three = machine("one"), machine("two"), machine("three")
    first = one.record(lr=1)
    one.rows()
    two.root.mkdir(parents=True)
    told = on_another_host(two, _SECOND, two.root, f"mount --bind {one.root} {two.root}")
    assert told == f"[({os.uname().nodename!r}, False), ('second', False)]"
    assert len(team_server.ask(f"SELECT * FROM {SCHEMA}.roots", database)) == 1
    assert len(one.rows()) == 2
    one.cut_off()
    assert first in three.rows()
    assert len(three.rows()) == 2


def test_a_copy_of_a_root_is_another_root(machine: MakeMachine, tmp_path: Path) -> None:
    one, two = machine("one"), machine("two")
    first = one.record(lr=1)
    one.rows()
    shutil.copytree(one.root, two.root)
    second = two.record(lr=2)
    shutil.rmtree(two.root / "a" / first)
    two.rows()
    assert {*one.rows()} == {first, second}


def test_a_running_run_is_lost_to_others_once_its_machine_is_silent(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two = machine("one"), machine("two")
    with one:
        exp = Experiment(one.root, "a", code=False, console=False)
        exp.__enter__()
    one.rows()
    one.cut_off()
    assert two.rows()[exp.key].status == "running"
    silence = f"UPDATE {SCHEMA}.roots SET told = now() - interval '200 seconds'"
    team_server.ask(silence, database)
    assert two.rows()[exp.key].status == "lost"
    one.reached()
    assert one.rows()[exp.key].status == "running"  # which tells of it, though nothing has changed
    one.cut_off()
    assert two.rows()[exp.key].status == "running"
    one.reached()
    exp.__exit__(None, None, None)
    one.rows()
    one.cut_off()
    team_server.ask(silence, database)
    assert two.rows()[exp.key].status == "finished"
    one.reached()


def test_a_machine_rebuilds_and_removes_its_own_runs_only(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two = machine("one"), machine("two")
    far, near = one.record(lr=1), two.record(lr=2)
    one.rows()
    two.rows()
    with two:
        viewer = ExperimentViewer()
        viewer.reload()
        assert {*viewer.list()} == {far, near}
        viewer.drop()
    told = team_server.ask(f"SELECT key FROM {SCHEMA}.runs WHERE NOT gone", database)
    assert told == [(far,)]
    assert {*two.rows()} == {far, near}  # and is told again by the next reading
    ended = one.command("reindex")
    assert ended.returncode == 0
    assert {*one.rows()} == {far, near}


def test_a_database_that_was_made_anew_is_told_of_everything_again(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two = machine("one"), machine("two")
    keys = [one.record(lr=number) for number in range(2)]
    one.rows()
    two.rows()
    team_server.ask(f"DROP SCHEMA {SCHEMA} CASCADE", database)
    with one:
        shutil.rmtree(ExperimentViewer([one.root]).row(keys[0]).paths.folder)
    one.rows()
    one.cut_off()
    assert [*two.rows()] == keys[1:]


def test_the_copy_of_a_machine_may_be_deleted(machine: MakeMachine) -> None:
    one, two = machine("one"), machine("two")
    keys = {one.record(lr=1), two.record(lr=2)}
    one.rows()
    two.rows()
    one.cut_off()
    for file in two.home.glob("team-*"):
        file.unlink()
    assert {*two.rows()} == keys


@pytest.mark.parametrize("is_there", [True, False])
def test_only_who_names_a_team_needs_what_it_needs(machine: MakeMachine, is_there: bool) -> None:
    one = machine("one")
    hide = "" if is_there else "import sys; sys.modules['psycopg'] = None\n"
    main = f"{hide}from thexp_pl.cli.main import main\nimport sys\ncode = main(['list'])\n"
    told = main + "print([name for name in sys.modules if 'psycopg' in name or 'team' in name])"
    alone = one.python(told, THEXP_INDEX="")
    assert (alone.returncode, alone.stdout.splitlines()[-1]) == (
        0,
        "[]" if is_there else "['psycopg']",
    )
    if not is_there:
        ended = one.python(f"{main}sys.exit(code)")
        assert ended.returncode == 2
        assert "pip install 'thexp-pl[postgres]'" in ended.stderr
