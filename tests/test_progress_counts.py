"""What the rooms below tell of how far they are: it grows, ends, and is about what there is."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upkeep_helpers import add_checkpoint, change, record, with_code

from thexp_pl.record.paths import RunPaths
from thexp_pl.rerun import verify
from thexp_pl.runs import read_run
from thexp_pl.upkeep import check, collect, export_runs, import_runs, remove, sizes_of
from thexp_pl.upkeep.checking.course import Course

MEGABYTE = 1 << 20
SIZES = st.integers(0, 5 * MEGABYTE)


class Told:
    """Takes what is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))

    def known(self) -> list[tuple[int, int]]:
        """What was told of a known total: never back, never beyond."""
        known = [(done, total) for done, total in self.calls if total]
        assert all(0 <= done <= total for done, total in known)
        assert [done for done, _ in known] == sorted(done for done, _ in known)
        assert len({total for _, total in known}) == 1
        return known


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run with code and a checkpoint of 3 MiB."""
    project = tmp_path / "code"
    project.mkdir()
    (project / "train.py").write_text("pass\n")
    paths = with_code(tmp_path / "experiment", project)
    add_checkpoint(paths, os.urandom(3 * MEGABYTE))
    return paths


@pytest.fixture
def told() -> Told:
    return Told()


def test_before_a_check_reads_it_tells_at_how_many_runs_it_has_looked(
    run: RunPaths, told: Told
) -> None:
    runs = [run, record(run.root), record(run.root)]
    sizes = sizes_of(runs, told)
    assert told.calls == [(0, 3), (1, 3), (2, 3)]
    told.calls.clear()
    check(runs, sizes=sizes, progress=told)
    assert told.known()[-1][1] == sum(sizes) > 6 * MEGABYTE


def test_an_export_and_its_import_tell_the_bytes_of_the_runs_up_to_the_last(
    run: RunPaths, told: Told, tmp_path: Path
) -> None:
    done = export_runs([run, record(run.root)], tmp_path / "runs.zip", progress=told)
    size = sum(file.bytes for file in done.table.files if file.path.startswith("runs/"))
    assert told.known()[-1] == (size, size)
    assert len(told.known()) > 4
    assert told.calls[-1] == (0, 0)  # the code
    back = Told()
    import_runs(tmp_path / "runs.zip", tmp_path / "other", progress=back)
    total = sum(file.bytes for file in done.table.files)
    assert back.known()[-1] == (total, total)
    assert back.calls[-1] == (0, 0)


def test_what_is_not_exported_does_not_count(run: RunPaths, told: Told, tmp_path: Path) -> None:
    export_runs([run], tmp_path / "run.zip", checkpoints=False, progress=told)
    assert told.known()[-1][1] < MEGABYTE


def test_a_check_tells_bytes_of_files_and_declared_data(
    run: RunPaths, told: Told, tmp_path: Path
) -> None:
    data = tmp_path / "data.bin"
    data.write_bytes(bytes(2 * MEGABYTE))
    used = {"path": str(data), "kind": "file", "state": "hashed", "sha256": "0" * 64}
    change(run, uses=[{**used, "bytes": 2 * MEGABYTE}])
    found = check([run], progress=told)
    assert [fault.what for fault in found.changed] == ["it is not what the run used"]
    (total,) = {total for _, total in told.known()}
    assert 8 * MEGABYTE < total < 9 * MEGABYTE  # a checkpoint is read twice
    assert told.calls[-1] == (0, 0)


def test_a_manifest_that_declares_more_bytes_than_there_can_be_spoils_no_bar(
    run: RunPaths, told: Told
) -> None:
    used = {"path": "gone.bin", "kind": "file", "state": "hashed", "sha256": "0" * 64}
    sizes = (10**400, -1, True, "many", None)
    change(run, uses=[{**used, "bytes": size} for size in sizes])
    check([run], progress=told)
    assert told.known()[-1][1] < 7 * MEGABYTE


def test_a_collection_tells_the_runs_that_it_reads(run: RunPaths, told: Told) -> None:
    remove([record(run.root)])
    collect(run.root, older_than=timedelta(), dry_run=True, progress=told)
    assert {total for _, total in told.calls} == {2, 3, 0}
    assert all(done < total for done, total in told.calls if total)


def test_verifying_tells_the_bytes_of_both_runs(run: RunPaths, told: Told) -> None:
    other = record(run.root)
    for folder in (run.folder, other.folder):
        (folder / "a.pt").write_bytes(b"no weights")
        (folder / "b.pt").write_bytes(b"nor here")
    (run.folder / "modules" / "0000001.ckpt").unlink()
    verify(read_run(run), read_run(other), progress=told)
    assert told.calls == [(0, 0), (0, 36), (20, 36)]


@given(sizes=st.lists(SIZES, max_size=4), reads=st.lists(SIZES, max_size=6))
def test_a_course_never_goes_back_or_beyond_whatever_is_read(
    sizes: list[int], reads: list[int]
) -> None:
    told = Told()
    course = Course(sizes, told)
    for part, size in enumerate(sizes):
        course.begin(part)
        assert told.calls[-1] == (sum(sizes[:part]), sum(sizes))
        for read in reads:
            course.read(read)
        stop = course.reading(size)
        assert not any(stop() for _ in range(size // MEGABYTE + 2))
        assert told.calls[-1][0] == sum(sizes[: part + 1])
    if any(sizes):
        told.known()
