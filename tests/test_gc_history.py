"""Whatever happens to runs: those that are kept can be restored, with the checkpoints they need."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_code_helpers import git, write
from upkeep_helpers import (
    add_checkpoint,
    make_old,
    record,
    restored,
    tree_in,
    went_on_from,
    with_code,
)

from thexp_pl.record.paths import RunPaths, code_store
from thexp_pl.runs import read_run
from thexp_pl.upkeep import collect, remove, restore
from thexp_pl.upkeep.folders import is_run, kept_runs, trash_of, trashed_runs
from thexp_pl.upkeep.purge import plan_purge, purge

DEEDS = ("change", "record", "go on", "remove", "restore", "purge", "age", "collect")


class History:
    """Runs of a project that changes, and what each of them needs."""

    def __init__(self, top: Path) -> None:
        self.top, self.root, self.project = top, top / "root", top / "project"
        self.code: dict[str, dict[bytes, tuple[str, bytes]]] = {}
        self.needs: dict[str, tuple[Path, bytes]] = {}
        self.state = 0
        self.change(0)

    def change(self, number: int) -> None:
        self.state = number % 3  # it comes back to what it was
        write(self.project, {"train.py": f"state {self.state}", f"{self.state}.py": "x"})

    def record(self, number: int) -> RunPaths:
        paths = with_code(self.root, self.project)
        add_checkpoint(paths, paths.key.encode())
        self.code[paths.key] = restored(self.root, tree_in(paths), self.top)
        return paths

    def go_on(self, number: int) -> None:
        runs = kept_runs(self.root)
        if runs:
            parent = runs[number % len(runs)]
            child = self.record(number)
            file = parent.folder / "modules" / "0000001.ckpt"
            went_on_from(child, parent, file)
            self.needs[child.key] = file, file.read_bytes()

    def do(self, deed: str, number: int) -> None:
        kept, trashed = kept_runs(self.root), trashed_runs(self.root)
        gone = [paths for paths in trashed if is_run(paths)]
        if deed == "change":
            self.change(number)
        elif deed == "record":
            self.record(number)
        elif deed == "go on":
            self.go_on(number)
        elif deed == "remove" and kept:
            remove([kept[number % len(kept)]])
        elif deed == "restore" and gone:
            restore([gone[number % len(gone)]])
        elif deed == "purge" and trashed:
            purge(plan_purge([trashed[number % len(trashed)]]))
        elif deed == "age":
            make_old(self.root)
        elif deed == "collect":
            collect(self.root, older_than=timedelta(days=30 * (number % 2)))

    def check(self) -> None:
        for paths in (*kept_runs(self.root), *filter(is_run, trashed_runs(self.root))):
            assert restored(self.root, tree_in(paths), self.top) == self.code[paths.key]
            if paths.key in self.needs:
                file, content = self.needs[paths.key]
                places = (self.root, trash_of(self.root))
                found = [place / file.relative_to(self.root) for place in places]
                assert content in [path.read_bytes() for path in found if path.exists()]
        if code_store(self.root).exists():
            assert git(code_store(self.root), "fsck", "--full", "--no-dangling") == ""


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5)), min_size=4, max_size=14)
)
def test_after_any_history_every_run_restores_with_what_it_went_on_from(
    deeds: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        history.record(0)
        history.go_on(0)
        for deed, number in (*deeds, ("age", 0), ("collect", 0)):
            history.do(deed, number)
        history.check()


SNAPSHOTS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from record_code_helpers import write
from upkeep_helpers import with_code
root, project, rounds = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
for number in range(rounds):
    write(project, {"train.py": f"{project.name} {number % 2}", f"{number}.py": str(number)})
    with_code(root, project, project.name)
"""


@pytest.mark.parametrize("rounds", [12, pytest.param(40, marks=pytest.mark.slow, id="long")])
def test_snapshots_of_several_processes_survive_a_gc_that_runs_all_the_time(
    tmp_path: Path, rounds: int
) -> None:
    root = tmp_path / "root"
    record(root)
    words = [sys.executable, "-c", SNAPSHOTS, str(Path(__file__).parent), str(root)]
    processes = [
        subprocess.Popen([*words, str(tmp_path / name), str(rounds)]) for name in ("one", "two")
    ]
    collected, deadline = 0, time.monotonic() + 300
    try:
        while any(process.poll() is None for process in processes):
            assert time.monotonic() < deadline
            # Only the refs are young: what is on its way into the store is held by its lock.
            make_old(root, refs=False)
            collected += not collect(root, older_than=timedelta(0)).refused
            done = [paths for paths in kept_runs(root) if read_run(paths).manifest["code"]]
            remove(done[:-2][:1])  # so that there is something to drop
    finally:
        for process in processes:
            process.kill()
            process.wait(60)
    assert [process.returncode for process in processes] == [0, 0]
    assert collected
    make_old(root)
    collect(root, older_than=timedelta(0))
    left = [paths for paths in kept_runs(root) if paths.experiment != "digits"]
    for paths in left:
        assert restored(root, tree_in(paths), tmp_path)
