"""The key of a sweep as a word: for all its runs, for one run, and in the trash."""

from __future__ import annotations

from pathlib import Path

import pytest
from reproduce_helpers import Terminal
from upkeep_helpers import change, record

from thexp_pl import ExperimentViewer
from thexp_pl.errors import RecordError
from thexp_pl.record.paths import RunPaths
from thexp_pl.upkeep import remove
from thexp_pl.upkeep.trash import find_any

FIRST, SECOND = "sweep-26-11-23-051200-k3f9", "sweep-26-11-23-061200-m4g8"


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


@pytest.fixture
def root() -> Path:
    return Path.cwd() / "experiment"


def swept(root: Path, key: str, count: int = 2) -> list[RunPaths]:
    """Record runs that say that they are a sweep's."""
    runs = [record(root) for _ in range(count)]
    for number, paths in enumerate(runs):
        change(paths, sweep={"key": key, "point": number, "digest": ""})
    return runs


def keys(root: Path) -> list[str]:
    return ExperimentViewer([root]).list()


def listed(type_in: Terminal, *words: str) -> list[str]:
    assert type_in("list", *words, "--columns", "key") == 0, type_in.err
    return type_in.out.split()[1:]


def test_list_takes_a_beginning_that_means_one_sweep_and_refuses_one_that_means_two(
    root: Path, type_in: Terminal
) -> None:
    record(root)
    assert type_in("list", "sweep-") == 0
    assert "No run is like that" in type_in.out
    first, second = swept(root, FIRST), swept(root, SECOND)
    assert listed(type_in, FIRST[:-2]) == [run.key for run in first]
    assert listed(type_in, SECOND, "--recent", "1d") == [run.key for run in second]
    for word in ("sweep-26", "sweep-2", "sweep-"):
        told = type_in.refused("list", word)
        assert "means 2 sweeps" in told
        assert FIRST in told
    with pytest.raises(RecordError, match="means 2 sweeps"):
        ExperimentViewer([root]).query("sweep-")
    assert type_in("list", "sweep-27") == 0
    assert "No run is like that" in type_in.out


@pytest.mark.parametrize("words", [["show"], ["resume"], ["reproduce"], ["rollback"]])
def test_a_command_for_one_run_says_that_the_word_is_a_sweep(
    root: Path, type_in: Terminal, words: list[str]
) -> None:
    swept(root, FIRST)
    told = type_in.refused(*words, FIRST[:-1])
    assert f"'{FIRST[:-1]}' is a sweep of 2 runs" in told
    assert f"`thexp-pl list {FIRST}` shows their keys" in told
    assert "no run has the key" in type_in.refused(*words, "sweep-27")


def test_a_sweep_that_was_removed_comes_back_by_its_key(root: Path, type_in: Terminal) -> None:
    runs, others = swept(root, FIRST), swept(root, SECOND)
    before = keys(root)
    assert type_in("rm", FIRST, "--yes") == 0
    remove(others)
    assert keys(root) == []
    assert "means 2 sweeps" in type_in.refused("rm", "--restore", "sweep-26")
    assert type_in("rm", "--restore", FIRST) == 0
    assert keys(root) == [run.key for run in runs]
    assert type_in("rm", "--restore", SECOND[:-1]) == 0
    assert keys(root) == before
    assert "no removed run has the key" in type_in.refused("rm", "--restore", FIRST)


def test_purging_a_sweep_means_its_kept_and_its_removed_runs_and_no_others(
    root: Path, type_in: Terminal
) -> None:
    runs, others = swept(root, FIRST, 3), swept(root, SECOND)
    removed = remove([runs[0], others[0]])
    viewer = ExperimentViewer([root])
    assert find_any(viewer, [root], FIRST) == [*runs[1:], removed[0]]
    with pytest.raises(RecordError, match="means 2 sweeps"):
        find_any(viewer, [root], "sweep-26")
    remove(others[1:])
    with pytest.raises(RecordError, match="means 2 sweeps"):
        find_any(viewer, [root], "sweep-26")
    assert type_in("rm", "--purge", "--yes", FIRST) == 0
    with pytest.raises(RecordError, match="no run has the key"):
        find_any(viewer, [root], FIRST)
    assert len(find_any(viewer, [root], "sweep-26")) == 2


def test_a_beginning_that_means_one_sweep_here_and_another_in_the_trash_is_refused(
    root: Path,
) -> None:
    swept(root, FIRST)
    remove(swept(root, SECOND))
    with pytest.raises(RecordError, match="kept runs and one with removed ones"):
        find_any(ExperimentViewer([root]), [root], "sweep-26")
