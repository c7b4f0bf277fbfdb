"""Damaged and hostile files: in the runs, in the place of the index; and a home without room."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest
from index_helpers import index_file, read_by, record, rows, statuses

from benchmarks.stores import make_store
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.index import Index


def sparse(path: Path) -> None:
    os.truncate(path, 1 << 30)


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_text(""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "html": lambda path: path.write_text("<html><body>404</body></html>"),
    "10,000 levels deep": lambda path: path.write_text('{"a":' * 10_000 + "1" + "}" * 10_000),
    "a gigabyte": sparse,
    "of a later version": lambda path: path.write_text('{"schema": 99}'),
    "a pipe": replace_by(os.mkfifo),
    "a folder": replace_by(Path.mkdir),
    "a link to itself": replace_by(lambda path: path.symlink_to(path.name)),
    "a device without end": replace_by(lambda path: path.symlink_to("/dev/zero")),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_manifest_is_one_damaged_run_and_hides_no_other(
    tmp_path: Path, kind: str
) -> None:
    whole, hurt = record(tmp_path), record(tmp_path)
    HOSTILE[kind](hurt.paths.manifest)
    found = rows(tmp_path)
    assert {key: row.status for key, row in found.items()} == {
        whole.key: "finished",
        hurt.key: "damaged",
    }
    assert "run.json" in found[hurt.key].damage
    assert ExperimentViewer([tmp_path]).query("status == 'damaged'") == [hurt.key]


def test_a_damaged_run_that_is_mended_is_whole_again(tmp_path: Path) -> None:
    exp = record(tmp_path)
    whole = exp.paths.manifest.read_bytes()
    exp.paths.manifest.write_text("{")
    assert statuses(tmp_path) == {exp.key: "damaged"}
    exp.paths.manifest.write_bytes(whole)
    assert statuses(tmp_path) == {exp.key: "finished"}


def of_another_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 4711")
        connection.execute("DROP TABLE runs")
    connection.close()


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE bodies")
    connection.close()


def with_broken_json(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE bodies SET params = '{'")
    connection.close()


def torn_in_the_middle(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


SPOILT: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "no database": lambda path: path.write_bytes(b"SQLite format 3\0" + b"x" * 10_000),
    "cut": lambda path: os.truncate(path, 8192),
    "torn": torn_in_the_middle,
    "of another version": of_another_version,
    "without a table": without_a_table,
    "broken inside": with_broken_json,
    "a pipe": replace_by(os.mkfifo),
    "a link to nothing": replace_by(lambda path: path.symlink_to("/nowhere/at/all")),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_index_is_made_anew(tmp_path: Path, kind: str) -> None:
    runs = {record(tmp_path, lr=0.1).key for _ in range(3)}
    assert set(rows(tmp_path)) == runs
    SPOILT[kind](index_file())
    found = rows(tmp_path)
    assert set(found) == runs
    assert all(row.params == {"lr": 0.1} for row in found.values())
    with sqlite3.connect(index_file()) as connection:  # on disk too, not in memory only
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (3,)
    connection.close()


def test_a_folder_in_the_place_of_the_index_is_left_alone(tmp_path: Path) -> None:
    exp = record(tmp_path)
    index_file().mkdir(parents=True)
    (index_file() / "mine").touch()
    assert list(rows(tmp_path)) == [exp.key]
    assert (index_file() / "mine").exists()


WRITES_HALF = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE junk (text)")
for _ in range(500):
    connection.execute("INSERT INTO junk VALUES (?)", ("x" * 4000,))
connection.execute("UPDATE runs SET key = 'wrong'")
os._exit(0)
"""


@pytest.mark.parametrize("deleted", [True, False])
def test_the_journal_of_a_killed_writer_never_gets_into_a_new_index(
    tmp_path: Path, deleted: bool
) -> None:
    exp = record(tmp_path)
    rows(tmp_path)
    subprocess.run([sys.executable, "-c", WRITES_HALF, str(index_file())], check=True, timeout=180)
    journal = index_file().with_name("index.sqlite-journal")
    assert journal.stat().st_size > 4096
    if deleted:
        index_file().unlink()
    make_store(tmp_path / "other", 100)
    with contextlib.closing(Index([tmp_path / "other"])) as index:
        index.refresh()
        with sqlite3.connect(index_file()) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        assert len(index.keys()) == 100
    assert list(rows(tmp_path)) == [exp.key]
    assert not journal.exists()


def test_where_the_home_cannot_be_written_the_runs_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp = record(tmp_path / "root")
    (tmp_path / "file").touch()
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "file" / "home"))
    viewer = ExperimentViewer([tmp_path / "root"])
    assert viewer.list() == [exp.key]
    with pytest.warns(match="not recorded in full"):  # in a home that cannot be written either
        other = record(tmp_path / "root")
    assert set(viewer.list()) == {exp.key, other.key}
    assert viewer.exp_info("@last")["key"] == other.key
    index = Index([tmp_path / "root"])
    assert [read_by(index), read_by(index)] == [2, 0]


def test_a_lock_that_another_process_keeps_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thexp_pl.runs.index.store._LOCK_SECONDS", 0.1)
    first = record(tmp_path)
    rows(tmp_path)
    second = record(tmp_path)
    with filelock.FileLock(index_file().with_name("index.lock")):
        assert set(rows(tmp_path)) == {first.key, second.key}
    with sqlite3.connect(index_file()) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("room", [0, 20_000, 60_000])
def test_a_full_disk_is_no_error(tmp_path: Path, room: int) -> None:
    runs = {record(tmp_path, text="x" * 10_000).key for _ in range(10)}
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            os._exit(0 if set(rows(tmp_path)) == runs else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert set(rows(tmp_path)) == runs


def test_dropping_the_index_touches_no_run(tmp_path: Path) -> None:
    exp = record(tmp_path)
    viewer = ExperimentViewer()
    assert viewer.list() == [exp.key]
    before = sorted(path.name for path in exp.path.rglob("*"))
    viewer.drop()
    assert not index_file().exists()
    assert sorted(path.name for path in exp.path.rglob("*")) == before
    assert viewer.list() == [exp.key]
