"""Tags and notes, the trash, and what is deleted for good."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from upkeep_helpers import add_checkpoint, change, listing, record, went_on_from

from thexp_pl.errors import RecordError
from thexp_pl.record import Experiment
from thexp_pl.record.notes import change_notes, read_notes
from thexp_pl.runs import ExperimentViewer
from thexp_pl.upkeep import remove, restore
from thexp_pl.upkeep.folders import is_run, kept_runs, trash_of, trashed_runs
from thexp_pl.upkeep.purge import plan_purge, purge
from thexp_pl.upkeep.trash import find_trashed


def keys(root: Path) -> list[str]:
    return ExperimentViewer([root]).list()


def test_tags_and_a_note_change_in_one_step_while_the_run_goes_on(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        exp.tag("first")
        change_notes(exp.paths, add=["best", "best", "\x1b[31m"], remove=["first"], note="good")
        exp.tag("last")
    kept = read_notes(exp.paths)
    assert kept["tags"] == ["best", "\x1b[31m", "last"]
    assert [note["text"] for note in kept["notes"]] == ["good"]


def test_removing_a_tag_that_is_not_there_changes_nothing_else(tmp_path: Path) -> None:
    paths = record(tmp_path)
    change_notes(paths, add=["a", "b"])
    change_notes(paths, remove=["c", "a"])
    assert read_notes(paths)["tags"] == ["b"]


def test_a_removed_run_is_not_listed_and_comes_back_byte_for_byte(tmp_path: Path) -> None:
    paths = record(tmp_path, lr=0.1)
    before = listing(paths.folder)
    (trashed,) = remove([paths])
    assert keys(tmp_path) == []
    assert not paths.folder.parent.exists()
    assert listing(trashed.folder) == before
    assert restore(find_trashed([tmp_path], paths.key[:-1])) == [paths]
    assert keys(tmp_path) == [paths.key]
    assert listing(paths.folder) == before


def test_other_runs_of_the_experiment_stay(tmp_path: Path) -> None:
    one, two = record(tmp_path), record(tmp_path)
    remove([one])
    assert keys(tmp_path) == [two.key]


def test_a_running_run_is_not_removed_nor_any_with_it(tmp_path: Path) -> None:
    ended = record(tmp_path)
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        with pytest.raises(RecordError, match=f"{exp.key}' is running"):
            remove([ended, exp.paths])
        assert keys(tmp_path) == [ended.key, exp.key]


def test_a_manifest_has_no_say_in_which_folder_goes(tmp_path: Path) -> None:
    victim, hostile = record(tmp_path), record(tmp_path)
    change(hostile, path=victim.relative, key=victim.key, experiment="../..")
    (trashed,) = remove([hostile])
    purge(plan_purge([trashed]))
    assert keys(tmp_path) == [victim.key]
    assert trashed_runs(tmp_path) == []


def test_of_a_linked_run_the_link_goes_and_its_target_stays(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = record(root)
    elsewhere = tmp_path / "elsewhere"
    paths.folder.rename(elsewhere)
    paths.folder.symlink_to(os.path.relpath(elsewhere, paths.folder.parent))
    before = listing(elsewhere)
    (trashed,) = remove([paths])
    assert is_run(trashed)  # the link leads there from the trash, too
    purge(plan_purge([trashed]))
    assert not os.path.lexists(trashed.folder)
    assert listing(elsewhere) == before


def test_a_taken_place_is_named_and_nothing_moves(tmp_path: Path) -> None:
    paths = record(tmp_path)
    (trashed,) = remove([paths])
    paths.folder.mkdir(parents=True)
    with pytest.raises(RecordError, match="remove that one first"):
        restore([trashed])
    (paths.folder / "run.json").write_bytes((trashed.folder / "run.json").read_bytes())
    with pytest.raises(RecordError, match=r"holds a run .* already"):
        remove([paths])


def test_an_unknown_key_in_the_trash_offers_the_near_miss(tmp_path: Path) -> None:
    paths = record(tmp_path)
    remove([paths])
    typo = paths.key[:-1] + ("x" if paths.key[-1] != "x" else "y")
    with pytest.raises(RecordError, match=f"did you mean '{paths.key}'"):
        find_trashed([tmp_path], typo)


@pytest.mark.parametrize("says_which", [True, False])
def test_a_purge_leaves_the_checkpoint_that_a_kept_run_went_on_from(
    tmp_path: Path, says_which: bool
) -> None:
    parent, child = record(tmp_path), record(tmp_path)
    old, used = add_checkpoint(parent, b"old", 1), add_checkpoint(parent, b"used", 2)
    went_on_from(child, parent, used if says_which else None)
    (trashed,) = remove([parent])
    purge(plan_purge([trashed]))
    left = {path.name for path in (trashed.folder / "modules").iterdir()}
    assert {used.name, f"{used.name}.json"} <= left
    assert (old.name in left) != says_which  # where it is not known which, all stay
    assert not is_run(trashed)
    with pytest.raises(RecordError, match="was purged"):
        restore([trashed])
    purge(plan_purge(remove([child])))
    purge(plan_purge(trashed_runs(tmp_path)))
    assert list(trash_of(tmp_path).iterdir()) == []


def test_a_checkpoint_that_moved_is_known_by_its_hash(tmp_path: Path) -> None:
    root = tmp_path / "root"
    parent, child = record(root), record(root)
    add_checkpoint(parent, b"one", 1)
    used = add_checkpoint(parent, b"two", 2)
    change(
        child,
        parent={
            "key": parent.key,
            "how": "resumed",
            "checkpoint": "/somewhere/else/x.ckpt",
            "sha256": "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
        },
    )
    (trashed,) = remove([parent])
    purge(plan_purge([trashed]))
    assert [p.name for p in sorted((trashed.folder / "modules").iterdir())] == [
        used.name,
        f"{used.name}.json",
    ]


def test_a_damaged_run_may_need_any_checkpoint(tmp_path: Path) -> None:
    parent, child = record(tmp_path), record(tmp_path)
    file = add_checkpoint(parent)
    child.manifest.write_text("{")
    (plan,) = plan_purge(remove([parent]))
    assert [path.name for path in plan.needed] == [file.name, f"{file.name}.json"]


def test_a_damaged_run_in_another_root_may_need_any_checkpoint(tmp_path: Path) -> None:
    parent, child = record(tmp_path / "one"), record(tmp_path / "two")
    file = add_checkpoint(parent)
    went_on_from(child, parent, file)
    child.manifest.write_text("")
    (trashed,) = remove([parent])
    (plan,) = plan_purge([trashed])
    assert child.key in plan.doubt
    purge([plan])
    assert (trashed.folder / "modules" / file.name).read_bytes() == b"weights"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    paths = record(tmp_path)
    paths.folder.parent.chmod(0)
    try:
        with pytest.raises(RecordError, match="cannot look into"):
            kept_runs(tmp_path)
    finally:
        paths.folder.parent.chmod(0o700)


def test_a_link_that_leads_nowhere_is_no_empty_folder(tmp_path: Path) -> None:
    record(tmp_path)
    (tmp_path / "archive").symlink_to(tmp_path / "unmounted")
    with pytest.raises(RecordError, match="leads nowhere"):
        kept_runs(tmp_path)
