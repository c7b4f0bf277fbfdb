"""A team's index where machines, disks and runs are copies of others, or are gone."""

from __future__ import annotations

import os
import pty
import shutil
from pathlib import Path

import pytest
from postgres_helpers import Machine, MakeMachine, PostgresServer, needs_postgres

from thexp_pl import ExperimentViewer
from thexp_pl.cli.main import main
from thexp_pl.errors import RecordError
from thexp_pl.report.page.building import page_data
from thexp_pl.runs.index.team.tables import SCHEMA

pytestmark = needs_postgres


def copied_disk(one: Machine, two: Machine) -> tuple[str, str, str]:
    """Let a root of two machines be of one id and inode; give a run of both, and one of each."""
    both = one.record(lr=1)
    one.rows()
    shutil.copytree(one.root, two.root)  # as it was when the disk was copied
    own = one.record(lr=2)
    one.rows()
    mark = one.root / ".thexp/root.json"
    (two.root / ".thexp/root.json").unlink()
    (two.root / ".thexp/root.json").hardlink_to(mark)
    one.cut_off()
    return both, own, two.record(lr=3)


# -- machines and disks --------------------------------------------------------------------------


def test_two_machines_of_one_name_and_path_keep_each_others_runs(
    machine: MakeMachine, tmp_path: Path
) -> None:
    one, two = machine("one"), machine("two")
    two.root = one.root
    keys = [one.record(lr=1)]
    for number in range(4):  # each reads in turn, and sees its own folder at the path
        here, there = (one, two) if number % 2 == 0 else (two, one)
        here.rows()
        one.root.rename(tmp_path / f"of {here.home.parent.name}")
        kept = tmp_path / f"of {there.home.parent.name}"
        if kept.exists():
            kept.rename(one.root)
        else:
            keys.append(there.record(lr=2))
        seen = there.rows()
        assert [*seen] == keys
        assert [bool(row.away) for row in seen.values()] == [here is one, here is two]


def test_a_copied_disk_is_another_root(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two, three = machine("one"), machine("two"), machine("three")
    both, first, second = copied_disk(one, two)
    seen = two.rows()
    assert {key: bool(row.away) for key, row in seen.items()} == {
        both: False, first: True, second: False,
    }  # fmt: skip
    assert len(team_server.ask(f"SELECT * FROM {SCHEMA}.roots", database)) == 2
    two.cut_off()
    assert {*three.rows()} == {both, first, second}


def test_a_copied_disk_with_the_home_on_it_removes_nothing_of_the_other(
    machine: MakeMachine,
) -> None:
    one, two, three = machine("one"), machine("two"), machine("three")
    keys = {*copied_disk(one, two)}
    shutil.rmtree(two.home)
    shutil.copytree(one.home, two.home)
    shutil.move(two.root, one.root)  # at the same path, too
    assert {*two.rows()} == keys
    assert (one.home / "teller").read_text() != (two.home / "teller").read_text()
    one.root.rename(two.root)
    assert {*three.rows()} == keys


def test_a_root_stays_the_same_where_what_was_left_in_it_is_gone_or_torn(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one = machine("one")
    for content in (None, b"{", b'{"told": 3}', b"[" * 100_000):
        told = one.root / ".thexp/told.json"
        if told.exists():
            told.unlink()
        if content is not None:
            told.write_bytes(content)
        one.record(lr=1)
        one.rows()
    assert len(team_server.ask(f"SELECT * FROM {SCHEMA}.roots", database)) == 1


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"x" * 1000])
def test_a_home_whose_id_is_damaged_or_cannot_be_made_lists_the_team(
    machine: MakeMachine, content: bytes | None
) -> None:
    one = machine("one")
    key = one.record(lr=1)
    if content is None:
        (one.home / "teller").mkdir()
    else:
        (one.home / "teller").write_bytes(content)
    assert [*one.rows()] == [key]


def test_a_root_that_is_gone_from_here_is_passed_over_here_as_without_a_server(
    machine: MakeMachine,
) -> None:
    one, two = machine("one"), machine("two")
    key = one.record(lr=1)
    one.rows()
    one.cut_off()
    assert one.rows() == {}
    assert [*two.rows()] == [key]
    one.reached()
    assert [*one.rows()] == [key]


# -- runs ----------------------------------------------------------------------------------------


def test_a_run_that_was_brought_here_counts_once_and_is_the_one_here(
    machine: MakeMachine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one, two, three = machine("one"), machine("two"), machine("three")
    key, file = one.record(lr=1), str(tmp_path / "run.zip")
    with one:
        assert main(["export", key, "-o", file]) == 0
    one.rows()
    one.cut_off()
    with two:
        two.root.mkdir(parents=True)
        assert main(["import", file, "--exps_dir", str(two.root)]) == 0
    assert not two.rows()[key].away
    with two:
        assert ExperimentViewer().run(key).paths.root == two.root
    two.cut_off()
    assert [*three.rows()] == [key]
    one.reached()
    two_runs = one.rows()
    assert [row.away for row in two_runs.values()] == [""]
    with one:
        assert ExperimentViewer().run(key).paths.root == one.root
        assert main(["compare", key, "--json"]) == 0
    capsys.readouterr()


def test_a_key_and_an_experiment_mean_the_run_with_files_here_first(
    machine: MakeMachine, team_server: PostgresServer, database: str
) -> None:
    one, two = machine("one"), machine("two")
    near = two.record(lr=1)
    newer, other = one.record(lr=2), one.record(lr=3)
    one.rows()
    one.cut_off()
    team_server.ask(f"UPDATE {SCHEMA}.runs SET key = '{near}' WHERE key = '{newer}'", database)
    with two:
        for word in (near, near[:-1], "a"):
            assert ExperimentViewer().run(word).paths.root == two.root
        assert ExperimentViewer().row(other).away == os.uname().nodename
        with pytest.raises(RecordError, match="are on"):
            ExperimentViewer().run(other)


@pytest.mark.parametrize(
    ("table", "column"), [("runs", "experiment"), ("runs", "key"), ("roots", "path"),
                          ("roots", "host")]
)  # fmt: skip
@pytest.mark.parametrize("name", [r"\ud800", "\\"])
def test_a_name_that_no_file_can_have_hides_no_run(
    machine: MakeMachine,
    team_server: PostgresServer,
    database: str,
    table: str,
    column: str,
    name: str,
) -> None:
    one, two = machine("one"), machine("two")
    bad, good = one.record(lr=1), one.record(lr=2)
    one.rows()
    one.cut_off()
    which = f"WHERE key = '{bad}'" if table == "runs" else ""
    team_server.ask(f"UPDATE {SCHEMA}.{table} SET {column} = '{name}' {which}", database)
    with two:
        listed = ExperimentViewer().rows()
        assert main(["list", "--json"]) == main(["list"]) == main(["reindex"]) == 0
    assert len(listed) == 2
    assert good in {row.key for row in listed}
    if table == "runs":
        assert {row.status for row in listed} == {"finished", "damaged"}


def test_a_list_at_a_terminal_says_how_many_runs_are_elsewhere(
    machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machine("one"), machine("two")
    one.record(lr=1)
    one.rows()
    one.cut_off()
    two.record(lr=2)
    screen, terminal = pty.openpty()
    with two, os.fdopen(terminal, "w") as out, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", out)
        assert main(["list"]) == 0
        print("end", file=out, flush=True)
        told = ""
        while "end\r\n" not in told:  # a terminal gives what it was told in parts
            told += os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert told.splitlines()[-2] == f"Elsewhere: 1 run whose files are on {os.uname().nodename!r}"


# -- curves, which stay with their files ---------------------------------------------------------


def test_a_page_and_a_figure_say_once_which_machine_has_the_curves(
    machine: MakeMachine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one, two = machine("one"), machine("two")
    for number in range(3):
        one.record(lr=number)
    one.rows()
    one.cut_off()
    two.record(lr=9)
    there = f"3 runs whose files are on {os.uname().nodename!r}"
    with two:
        data = page_data(ExperimentViewer().rows())
        assert (data["curves_left"], data["curves_away"], len(data["curves"])) == (0, 3, 1)
        assert main(["report", "experiment == 'a'", "-o", str(tmp_path / "a.html")]) == 0
        assert capsys.readouterr().err == f"note: without the curves of {there}\n"
        assert main(["plot", "experiment == 'a'", "-o", str(tmp_path / "a.svg")]) == 0
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith(f"note: left out: {there}: bring them here, with `thexp-pl export`")
