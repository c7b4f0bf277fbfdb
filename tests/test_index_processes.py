"""Many processes at one index: on an empty home, while runs are recorded, while it is deleted."""

from __future__ import annotations

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
