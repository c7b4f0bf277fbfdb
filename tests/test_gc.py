"""gc drops what nothing needs, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from record_code_helpers import git, store_files, write
from upkeep_helpers import DAY, add_checkpoint, make_old, record, restored, tree_in, with_code

from thexp_pl.record import Experiment
from thexp_pl.record.code import GitError, take_snapshot
from thexp_pl.record.code.store import Store
from thexp_pl.record.paths import code_store
from thexp_pl.upkeep import collect, collecting, remove
from thexp_pl.upkeep.folders import kept_runs
from thexp_pl.upkeep.leftovers import now_in
from thexp_pl.upkeep.purge import plan_purge, purge

NOW = timedelta(0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "experiment"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, {"train.py": "first", "data/large.py": "x" * 5000})
    return folder


def test_code_goes_with_the_last_run_that_names_it(root: Path, project: Path) -> None:
    one, two = with_code(root, project), with_code(root, project)
    write(project, {"train.py": "second", "other.py": "y" * 3000})
    three = with_code(root, project)
    make_old(root)
    remove([one, three])
    assert collect(root, older_than=timedelta(days=1)).snapshots == []  # it could come back
    done = collect(root, older_than=NOW)
    assert sorted(done.runs) == sorted([one.key, three.key])
    (tree,) = done.snapshots
    with pytest.raises(GitError):
        restored(root, tree, root.parent)
    assert restored(root, tree_in(two), root.parent)[b"train.py"] == ("file", b"first")
    assert git(code_store(root), "fsck", "--strict", "--unreachable") == ""
    assert done.freed > 0


def test_a_dry_run_tells_the_same_and_changes_nothing(root: Path, project: Path) -> None:
    paths = with_code(root, project)
    make_old(root)
    remove([paths])
    before = store_files(root)
    told = collect(root, older_than=NOW, dry_run=True)
    assert store_files(root) == before
    done = collect(root, older_than=NOW)
    assert (told.runs, told.snapshots) == (done.runs, done.snapshots)
    assert told.runs
    assert told.snapshots
    assert told.freed > 0


def test_what_is_younger_than_a_day_stays(root: Path, project: Path) -> None:
    tree = take_snapshot(project, root)["tree"]  # its run has not written it down yet
    assert collect(root, older_than=NOW).snapshots == []
    assert restored(root, tree, root.parent)
    make_old(root)
    assert collect(root, older_than=NOW).snapshots == [tree]


def test_a_young_object_that_no_ref_names_stays_while_an_old_snapshot_goes(
    root: Path, project: Path
) -> None:
    def added(content: str) -> str:
        """Write what a snapshot that is being taken has written first: an object without a ref."""
        file = root.parent / "content"
        file.write_text(content)
        name = git(code_store(root), "hash-object", "-w", str(file)).strip()
        return f"objects/{name[:2]}/{name[2:]}"

    tree = take_snapshot(project, root)["tree"]
    left = added("left behind long ago")
    make_old(root)
    young = added("of a snapshot that has no ref yet")
    assert {left, young} <= store_files(root)
    assert collect(root).snapshots == [tree]
    assert store_files(root) & {left, young} == {young}
    git(code_store(root), "cat-file", "-e", young.removeprefix("objects/").replace("/", ""))


@pytest.mark.parametrize("packed", [False, True])
def test_a_snapshot_that_finds_its_code_there_makes_it_young(
    root: Path, project: Path, packed: bool
) -> None:
    tree = take_snapshot(project, root)["tree"]
    if packed:
        git(code_store(root), "pack-refs", "--all")
        then = time.time() - 3 * DAY
        os.utime(code_store(root) / "packed-refs", (then, then))
    make_old(root)
    assert take_snapshot(project, root)["tree"] == tree
    assert collect(root, older_than=NOW).snapshots == []
    assert restored(root, tree, root.parent)


def test_packed_refs_are_dropped_too(root: Path, project: Path) -> None:
    tree = take_snapshot(project, root)["tree"]
    git(code_store(root), "pack-refs", "--all")
    then = time.time() - 3 * DAY
    os.utime(code_store(root) / "packed-refs", (then, then))
    make_old(root)
    assert collect(root).snapshots == [tree]
    assert git(code_store(root), "for-each-ref") == ""


def test_after_its_code_was_dropped_a_project_is_kept_anew(root: Path, project: Path) -> None:
    tree = take_snapshot(project, root)["tree"]
    make_old(root)
    assert collect(root).snapshots == [tree]
    assert take_snapshot(project, root)["tree"] == tree  # by the index that it had left
    assert restored(root, tree, root.parent)[b"train.py"] == ("file", b"first")


def test_a_damaged_run_keeps_all_code_until_it_is_removed(root: Path, project: Path) -> None:
    paths = with_code(root, project)
    damaged = record(root)
    damaged.manifest.write_text('{"schema": 2, "code": {"tr')
    remove([paths])
    make_old(root)
    done = collect(root, older_than=NOW)
    assert damaged.key in done.refused
    assert done.snapshots == []
    assert len(store_files(root)) > 0
    purge(plan_purge(remove([damaged])))
    assert len(collect(root).snapshots) == 1


def test_a_tree_that_the_journal_alone_names_stays(root: Path, project: Path) -> None:
    earlier = take_snapshot(project, root)["tree"]
    with Experiment(root, "a", code=False, console=False) as exp:
        exp.log_event("resume", code={"tree": earlier})
    make_old(root)
    assert collect(root).snapshots == []


def test_while_a_snapshot_is_being_taken_gc_leaves_the_code_alone(
    root: Path, project: Path
) -> None:
    take_snapshot(project, root)
    make_old(root)
    with Store(root).adding():
        done = collect(root)
    assert "a snapshot is being taken" in done.refused
    assert done.snapshots == []
    assert len(collect(root).snapshots) == 1


def test_a_killed_snapshot_does_not_hold_gc_up(root: Path, project: Path) -> None:
    take_snapshot(project, root)
    script = f"""
import os, signal
from pathlib import Path
from thexp_pl.record.code.store import Store
with Store(Path({str(root)!r})).adding():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], timeout=180, check=False)
    make_old(root)
    assert len(collect(root).snapshots) == 1


def test_a_lock_of_git_that_a_kill_left_does_not_hold_gc_up(root: Path, project: Path) -> None:
    take_snapshot(project, root)
    lock = code_store(root) / "packed-refs.lock"
    lock.touch()
    make_old(root)
    then = time.time() - 2 * 3600
    os.utime(lock, (then, then))
    assert len(collect(root).snapshots) == 1


def test_runs_in_the_trash_go_by_the_time_they_were_there(root: Path) -> None:
    remove([record(root)])
    assert collect(root).runs == []
    assert len(collect(root, older_than=NOW).runs) == 1


def test_without_a_store_there_is_nothing_to_drop_and_none_is_made(root: Path) -> None:
    record(root)
    done = collect(root)
    assert (done.snapshots, done.refused) == ([], "")
    assert not code_store(root).exists()


def pass_days(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Have a later collection take it that so many days have passed: no file's age can be set."""
    monkeypatch.setattr(collecting, "now_in", lambda folder: now_in(folder) + days * DAY)


def test_leftovers_of_killed_processes_go_and_a_users_own_files_stay(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = record(root)
    own = paths.folder / "mine.tmp"
    own.write_text("keep")
    young = paths.folder / ".tmp-0123456789abcdef"
    young.write_text("x")
    folder = root / ".thexp" / "reproduced" / "26-01-01-000000-abcd-x1"
    folder.mkdir(parents=True)
    (folder / "data").symlink_to(own)
    assert collect(root).temporary == []  # too young
    then = time.time() - 2 * DAY
    old = paths.folder / "rnd" / ".tmp-0123456789abcde0"
    for file in (old, own):
        file.touch()
        os.utime(file, (then, then))
    done = collect(root, older_than=NOW)
    assert (done.temporary, done.folders) == ([old], [])  # a process in it may not record yet
    assert (old.exists(), own.exists(), young.exists()) == (False, True, True)
    pass_days(monkeypatch, 2)
    assert collect(root).folders == []
    assert collect(root, older_than=NOW).folders == [folder]
    assert (folder.exists(), own.exists()) == (False, True)


def test_a_save_that_a_kill_cut_off_is_brought_to_its_end(root: Path) -> None:
    paths = record(root)
    file = add_checkpoint(paths)
    sidecar = file.with_name(f"{file.name}.json")
    sidecar.rename(file.with_name(f".{file.name}.json.tmp"))  # between the two moves
    assert collect(root, dry_run=True).temporary == [file]
    assert not sidecar.exists()
    assert collect(root).temporary == [file]
    assert sidecar.exists()


def test_a_folder_in_which_a_run_is_running_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_days(monkeypatch, 2)
    folder = root / ".thexp" / "resumed" / "x"
    folder.mkdir(parents=True)
    with Experiment(root, "a", code=False, console=False) as exp:
        exp.flush()
        text = exp.paths.manifest.read_text()
        exp.paths.manifest.write_text(text.replace('"cwd": ', '"cwd": ".thexp/resumed/x", "was": '))
        assert collect(root, older_than=NOW).folders == []
    assert [paths.key for paths in kept_runs(root)] == [exp.key]
