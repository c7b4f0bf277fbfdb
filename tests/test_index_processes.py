"""Many processes at one index: on an empty home, while runs are recorded, while it is deleted."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from index_helpers import index_file, record

from benchmarks.stores import make_store
from thexp_pl.runs import ExperimentViewer

pytestmark = pytest.mark.timeout(120)  # seconds; a process that hangs fails the test

LISTS = """
import sys
from thexp_pl.runs import ExperimentViewer
print("ready", flush=True)
for line in sys.stdin:
    print(len(ExperimentViewer().list()), flush=True)
"""
RECORDS = """
import sys
from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer
for _ in range(10):
    with Experiment(sys.argv[1], "a", code=False, console=False) as exp:
        pass
    print(ExperimentViewer().run(exp.key).status)
"""

# A process that makes the index anew and is killed: in the midst of the tables, or of the runs, or
# when all is written and only the move into its place is left.
DIES = """
import os, signal, sys
from pathlib import Path
from thexp_pl.runs.index import Index, schema, store, writing

def die(*given):
    os.kill(os.getpid(), signal.SIGKILL)

def make_tables(connection):
    connection.set_trace_callback(lambda sql: "TABLE bodies" in sql and die())
    schema.make_tables(connection)

when, root = sys.argv[1:]
writing._BATCH = 40  # else hundreds of runs are needed to be in the midst of them
if when == "tables":
    store.make_tables = make_tables
elif when == "move":
    Path.replace = die
Index([Path(root)]).rebuild(lambda done, total: when == "runs" and done < total and die())
"""


class Reader:
    """A process that lists the runs each time it is told to."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", LISTS], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, times: int = 1) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n" * times)
        self.process.stdin.flush()

    def answers(self) -> list[int]:
        try:
            out, err = self.process.communicate(timeout=120)
        finally:
            self.process.kill()
        assert (self.process.returncode, err) == (0, "")
        return [int(line) for line in out.splitlines()]


def test_sixteen_processes_on_an_empty_home_all_see_all_runs(tmp_path: Path) -> None:
    make_store(tmp_path / "root", 300)
    readers = [Reader() for _ in range(16)]
    for reader in readers:
        reader.ask()
    assert [reader.answers() for reader in readers] == [[300]] * 16


def test_the_index_may_be_deleted_while_others_use_it(tmp_path: Path) -> None:
    make_store(tmp_path / "root", 100)
    readers = [Reader() for _ in range(4)]
    for reader in readers:
        reader.ask(30)
    deleted = 0
    while deleted < 20 and any(reader.process.poll() is None for reader in readers):
        try:
            index_file().unlink()
            deleted += 1
            record(tmp_path / "other")  # so that there is something to write
        except FileNotFoundError:
            ExperimentViewer().list()
    for reader in readers:
        answers = reader.answers()
        assert len(answers) == 30
        assert answers == sorted(answers)
        assert 100 <= answers[0] <= answers[-1] <= 100 + deleted
    assert len(ExperimentViewer().list()) == 100 + deleted


def test_a_run_is_found_as_soon_as_another_process_has_recorded_it(tmp_path: Path) -> None:
    recorders = [
        subprocess.Popen(
            [sys.executable, "-c", RECORDS, str(tmp_path / "root")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for recorder in recorders:
        try:
            out, err = recorder.communicate(timeout=120)
        finally:
            recorder.kill()
        assert (out, err) == ("finished\n" * 10, "")
    assert len(ExperimentViewer().list()) == 40


@pytest.mark.parametrize("when", ["tables", "runs", "move"])
def test_after_a_kill_while_the_index_is_made_the_next_list_has_all_runs(
    tmp_path: Path, when: str
) -> None:
    root = make_store(tmp_path / "root", 60)
    new = index_file().with_suffix(".new")

    def killed() -> None:
        done = subprocess.run([sys.executable, "-c", DIES, when, str(root)], timeout=180)
        assert done.returncode == -signal.SIGKILL
        assert new.exists()

    def listed() -> int:
        command = [sys.executable, "-m", "thexp_pl", "list", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        assert (done.returncode, done.stderr) == (0, "")
        with contextlib.closing(sqlite3.connect(index_file())) as connection:
            ((kept,),) = connection.execute("SELECT count(*) FROM runs")
        runs = len(json.loads(done.stdout))
        assert kept == runs  # in the file, not in the memory of that process
        return runs

    killed()
    assert not index_file().exists()
    assert listed() == 60
    assert not new.exists()
    killed()  # beside a whole one, which stays in use
    record(tmp_path / "other")
    assert listed() == 61
