"""Runs as one file: what goes out comes in again, on any machine."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_code_helpers import write
from upkeep_helpers import (
    add_checkpoint,
    change,
    listing,
    make_old,
    record,
    restored,
    tree_in,
    with_code,
)

from thexp_pl.errors import RecordError
from thexp_pl.record import Experiment
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs import ExperimentViewer, read_run
from thexp_pl.upkeep import check, collect, export_runs, import_runs


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run with code, a checkpoint, a link and a program."""
    project = tmp_path / "project"
    write(project, {"train.py": "first", "数据.py": "x"})
    (project / "go.sh").write_text("#!/bin/sh\n")
    (project / "go.sh").chmod(0o755)
    (project / "link").symlink_to("train.py")
    paths = with_code(tmp_path / "experiment", project)
    file = add_checkpoint(paths)
    (file.parent / "last.ckpt").symlink_to(file.name)
    return paths


def other_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Go to another machine."""
    monkeypatch.setenv("THEXP_HOME", str(folder / "home of another"))


def test_what_is_imported_is_the_same_byte_for_byte_and_listed(
    run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = export_runs([run], tmp_path / "run.zip")
    assert done.left_out == ()
    other_home(monkeypatch, tmp_path)
    found = import_runs(tmp_path / "run.zip", tmp_path / "elsewhere" / "root")
    (paths,) = found.runs
    assert paths.relative == run.relative
    assert listing(paths.folder) == listing(run.folder)
    tree = tree_in(run)
    assert restored(paths.root, tree, tmp_path) == restored(run.root, tree, tmp_path)
    assert ExperimentViewer().list() == [run.key]
    assert read_run(paths).status == "finished"
    assert check([paths]).damaged == []
    assert sorted(path.name for path in (paths.root / ".thexp").iterdir()) == [
        "code.git",
        "root.json",
    ]


def test_the_same_runs_make_the_same_file(run: RunPaths, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        export_runs([run], tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_twice_imported_is_once_there(run: RunPaths, tmp_path: Path) -> None:
    export_runs([run], tmp_path / "run.zip")
    root = tmp_path / "root"
    import_runs(tmp_path / "run.zip", root)
    before = listing(root / "digits")
    again = import_runs(tmp_path / "run.zip", root)
    assert (again.runs, [paths.key for paths in again.known]) == ((), [run.key])
    assert listing(root / "digits") == before


def test_another_run_of_that_key_is_named_and_nothing_comes_in(
    run: RunPaths, tmp_path: Path
) -> None:
    second = record(run.root)
    export_runs([run, second], tmp_path / "run.zip")
    root = tmp_path / "root"
    import_runs(tmp_path / "run.zip", root)
    change(RunPaths(root, "digits", run.key), params={"lr": 1})
    (moved := root / "digits" / second.key).rename(tmp_path / "aside")
    before = listing(root)
    with pytest.raises(RecordError, match=f"another run '{run.key}'"):
        import_runs(tmp_path / "run.zip", root)
    assert listing(root) == before
    assert not moved.exists()


def test_imported_code_is_kept_by_gc_once_its_run_is_there(run: RunPaths, tmp_path: Path) -> None:
    export_runs([run], tmp_path / "run.zip")
    (paths,) = import_runs(tmp_path / "run.zip", tmp_path / "root").runs
    make_old(paths.root)
    assert collect(paths.root).snapshots == []
    assert restored(paths.root, tree_in(run), tmp_path)


def test_without_checkpoints_the_rest_is_there(run: RunPaths, tmp_path: Path) -> None:
    export_runs([run], tmp_path / "run.zip", checkpoints=False)
    (paths,) = import_runs(tmp_path / "run.zip", tmp_path / "root").runs
    assert not (paths.folder / "modules").exists()
    assert check([paths]).damaged == []


def test_what_cannot_travel_is_left_out_and_said(run: RunPaths, tmp_path: Path) -> None:
    os.mkfifo(run.folder / "pipe")
    (run.folder / "out").symlink_to("../../../secret")
    (run.folder / "round").symlink_to("modules/../..")
    (run.folder / "back\\slash").write_text("x")
    (run.folder / ".notes.lock").touch()
    (run.folder / ".my.lock").write_text("mine")
    (run.folder / ".part.tmp").write_text("mine")
    (run.folder / ".heartbeat").touch()
    done = export_runs([run], tmp_path / "run.zip")
    told = [path.rpartition("/")[2] for path, _ in done.left_out]
    assert sorted(told) == ["back\\slash", "out", "pipe", "round"]
    (paths,) = import_runs(tmp_path / "run.zip", tmp_path / "root").runs
    found = listing(paths.folder)
    assert {"pipe", "out", ".heartbeat", ".notes.lock"}.isdisjoint(found)
    assert found[".my.lock"] == found[".part.tmp"] == b"mine"


def test_a_running_run_is_not_exported(tmp_path: Path) -> None:
    with (
        Experiment(tmp_path / "root", "a", code=False, console=False) as exp,
        pytest.raises(RecordError, match="is running"),
    ):
        export_runs([exp.paths], tmp_path / "run.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_a_file_that_is_there_is_not_written_over(run: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "run.zip").write_text("mine")
    with pytest.raises(RecordError, match="remove it, or name another"):
        export_runs([run], tmp_path / "run.zip")
    assert (tmp_path / "run.zip").read_text() == "mine"


def test_a_run_whose_machine_is_not_this_one_is_lost_and_not_running(
    run: RunPaths, tmp_path: Path
) -> None:
    process = json.loads(run.manifest.read_text())["process"]
    change(run, status="running", process=process | {"host": f"not {socket.gethostname()}"})
    export_runs([run], tmp_path / "run.zip")
    (paths,) = import_runs(tmp_path / "run.zip", tmp_path / "root").runs
    assert read_run(paths).status == read_run(run).status == "lost"


def test_code_that_is_gone_is_said(run: RunPaths, tmp_path: Path) -> None:
    change(run, code={"how": "git", "tree": "0" * 40})
    done = export_runs([run], tmp_path / "run.zip")
    assert [why for _, why in done.left_out] == ["its code, which the store has not kept"]
    assert import_runs(tmp_path / "run.zip", tmp_path / "root").without_code == (run.key,)


def test_a_damaged_run_is_not_exported(run: RunPaths, tmp_path: Path) -> None:
    run.manifest.write_text("{")
    with pytest.raises(RecordError, match=r"is damaged .*: mend it, or leave it out"):
        export_runs([run], tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def test_a_full_disk_is_told_of_the_new_file(
    run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("thexp_pl.upkeep.archive.writing.os.fsync", full)
    with pytest.raises(RecordError, match=r"cannot write '.*y\.zip': No space left .* free some"):
        export_runs([run], tmp_path / "y.zip")
    assert list(tmp_path.glob(".tmp-*")) == []


def test_imports_at_once_bring_a_run_in_once_and_all_know_it(run: RunPaths, tmp_path: Path) -> None:
    export_runs([run], tmp_path / "run.zip")
    # both have looked for the run, and unpacked it, before either brings it in
    met = threading.Barrier(2, timeout=180)

    def waiting(done: int, total: int) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait()

    with ThreadPoolExecutor(2) as pool:
        started = [
            pool.submit(import_runs, tmp_path / "run.zip", tmp_path / "root", progress=waiting)
            for _ in range(2)
        ]
        done = [each.result(timeout=180) for each in started]
    assert sorted(len(each.runs) for each in done) == [0, 1]
    assert {paths.key for each in done for paths in (*each.runs, *each.known)} == {run.key}


PARTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=9
).filter(lambda part: part not in (".", "..") and not part.endswith(".lock"))
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=st.dictionaries(NAMES, st.binary(max_size=300), max_size=6))
def test_whatever_a_run_holds_comes_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    top = tmp_path_factory.mktemp("trip")
    paths = record(top / "root")
    for name, content in files.items():
        path = paths.folder / "mine" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a file and a folder of one name
    export_runs([paths], top / "run.zip")
    (found,) = import_runs(top / "run.zip", top / "other").runs
    assert listing(found.folder) == {
        name: content for name, content in listing(paths.folder).items() if name != ".notes.lock"
    }


def test_the_file_is_one_that_other_tools_can_read(run: RunPaths, tmp_path: Path) -> None:
    export_runs([run], tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as file:
        assert file.testzip() is None
        assert f"runs/{run.relative}/run.json" in file.namelist()
