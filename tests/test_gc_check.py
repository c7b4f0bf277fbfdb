"""gc --check finds a byte that has changed, and says in which run and file."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_code_helpers import write
from upkeep_helpers import add_checkpoint, change, record, with_code

from thexp_pl.record import Experiment
from thexp_pl.record.paths import RunPaths, code_store
from thexp_pl.upkeep import check
from thexp_pl.upkeep.checking.check import Checked


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run with all kinds of files."""
    data = tmp_path / "data.csv"
    data.write_text("1,2,3\n")
    write(tmp_path / "project", {"train.py": "print('hello')\n" * 100})
    root = tmp_path / "experiment"
    options = {"project": tmp_path / "project", "console": False}
    with Experiment(root, "digits", **options) as exp:
        exp.uses(data)
        exp.log_metrics(0, 0, {"loss": 0.5})
        exp.log_metrics(1, 0, {"loss": 0.25})
        (exp.hold_exp_part("modules", [".bin"]) / "weights.bin").write_bytes(b"0123456789")
        exp.note("a note")
    add_checkpoint(exp.paths, b"state" * 100)
    return exp.paths


def flip(path: Path, at: int | None = None) -> None:
    """Change one byte, in the middle by default."""
    mode = path.stat().st_mode
    path.chmod(0o600)  # git writes its objects read-only
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 0x01
    path.write_bytes(data)
    path.chmod(mode)


def places(found: Checked) -> set[tuple[str, str]]:
    return {(fault.run, fault.path) for fault in found.damaged}


def test_what_is_whole_is_called_whole(run: RunPaths) -> None:
    found = check([run])
    assert (found.runs, found.damaged, found.gone, found.changed) == (1, [], [], [])


@pytest.mark.parametrize(
    "name",
    [
        "modules/0000001.ckpt",
        "modules/weights.bin",
        "rnd/start.rnd",
    ],
)
def test_a_flipped_byte_of_a_file_with_a_hash_is_found_anywhere(run: RunPaths, name: str) -> None:
    path = run.folder / name
    for at in (0, path.stat().st_size // 2, path.stat().st_size - 1):
        whole = path.read_bytes()
        flip(path, at)
        assert places(check([run])) == {(run.key, name)}
        path.write_bytes(whole)
    assert check([run]).damaged == []


def test_a_flipped_byte_of_a_sidecar_is_found(run: RunPaths) -> None:
    path = run.folder / "modules" / "0000001.ckpt.json"
    flip(path, path.read_bytes().index(b"sha256") + 12)
    assert places(check([run])) == {(run.key, "modules/0000001.ckpt")}


@pytest.mark.parametrize("name", ["run.json", "journal.jsonl", "notes.json"])
def test_a_file_that_is_no_json_any_more_is_found(run: RunPaths, name: str) -> None:
    path = run.folder / name
    flip(path, path.read_bytes().index(b'"'))
    assert (run.key, name) in places(check([run]))


def test_a_changed_digit_of_a_metric_is_found(run: RunPaths) -> None:
    flip(run.metrics, run.metrics.read_bytes().rindex(b"5"))
    assert places(check([run])) == {(run.key, "metrics.csv")}


def test_a_flipped_byte_of_the_code_is_found_and_the_run_named(
    run: RunPaths, tmp_path: Path
) -> None:
    write(tmp_path / "elsewhere", {"other.py": "other"})
    other = with_code(run.root, tmp_path / "elsewhere", "other")
    objects = [path for path in (code_store(run.root) / "objects").rglob("*") if path.is_file()]
    assert objects
    named = set()
    for path in objects:
        whole, mode = path.read_bytes(), path.stat().st_mode
        flip(path)
        found = check([run, other])
        assert ("", ".thexp/code.git") in places(found)
        named |= {fault.run for fault in found.damaged}
        path.chmod(0o600)
        path.write_bytes(whole)
        path.chmod(mode)
    assert named == {"", run.key, other.key}
    assert check([run, other]).damaged == []


def test_code_that_nothing_keeps_is_found(run: RunPaths) -> None:
    for ref in (code_store(run.root) / "refs" / "snapshots").iterdir():
        ref.unlink()
    (fault,) = check([run]).damaged
    assert fault.run == run.key
    assert "nothing keeps the tree" in fault.what


def test_a_lost_checkpoint_is_damage_and_one_that_was_deleted_with_its_sidecar_is_not(
    run: RunPaths,
) -> None:
    file = run.folder / "modules" / "0000001.ckpt"
    file.unlink()
    assert places(check([run])) == {(run.key, "modules/0000001.ckpt")}
    file.with_name("0000001.ckpt.json").unlink()
    (run.folder / "modules" / "weights.bin").unlink()
    found = check([run])
    assert found.damaged == []
    assert [fault.path for fault in found.gone] == ["modules/weights.bin"]


@pytest.mark.parametrize("name", ["final", "path", "sha256", "size", "event", "created"])
def test_a_changed_letter_in_the_journal_hides_no_hash(run: RunPaths, name: str) -> None:
    data = run.journal.read_bytes()
    at = data.rindex(f'"{name}"'.encode(), 0, data.index(b'"final": true') + 7) + 2
    flip(run.journal, at)
    assert places(check([run])) == {(run.key, "journal.jsonl")}


def test_a_journal_that_is_gone_is_told(run: RunPaths) -> None:
    run.journal.unlink()
    assert "journal.jsonl" in [fault.path for fault in check([run]).gone]


def test_an_event_of_a_user_is_no_damage_whatever_it_is_called(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        exp.log_event("created", path="x", sha256=1, final=2)
        exp.log_event("mine", path="x", size=1, sha256="y", more=True)
    assert check([exp.paths]).damaged == []


def test_a_users_own_checkpoint_needs_no_sidecar_where_its_hash_is_kept(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        file = exp.hold_exp_part("modules", [".ckpt"]) / "0000001.ckpt"
        file.write_bytes(b"mine")
    assert check([exp.paths]).damaged == []
    file.write_bytes(b"Mine")
    assert places(check([exp.paths])) == {(exp.key, "modules/0000001.ckpt")}


def test_data_that_has_changed_is_told_and_no_damage(run: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2,4\n")
    found = check([run])
    assert found.damaged == []
    assert [fault.what for fault in found.changed] == ["it is not what the run used"]


def test_of_a_running_run_only_manifest_and_code_are_checked(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        found = check([exp.paths])
        assert (found.running, found.damaged) == ([exp.key], [])


def test_a_hostile_journal_leads_nowhere_outside(tmp_path: Path) -> None:
    paths = record(tmp_path)
    for name in ("/etc/hostname", "../../x", "a\\u0000b"):
        with paths.journal.open("a") as file:
            file.write(f'{{"event": "created", "path": "{name}", "sha256": "0", "final": true}}\n')
    change(paths, uses=[{"state": "hashed", "path": "x\0y", "sha256": "0"}])
    found = check([paths])
    assert (found.damaged, found.gone, found.changed) == ([], [], [])
