"""Where a run is: names that can be folders, keys that nobody else has, roots that are known."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.errors import ExperimentNameError, RecordError
from thexp_pl.record import Experiment, folders
from thexp_pl.record.folders import as_root, make_run_folder, run_folders
from thexp_pl.record.names import check_experiment_name
from thexp_pl.record.roots import known_roots, register_root


@pytest.mark.parametrize(
    "name",
    ["mytrainer_lr=0.01", "手写数字", "👩‍🔬 run", "a" * 255, "数" * 85, 'it\'s "x"', "-x", "[red]"],
)
def test_a_name_of_any_script_names_a_folder(name: str, tmp_path: Path) -> None:
    made = make_run_folder(tmp_path, check_experiment_name(name))
    assert made.folder.parent == tmp_path / name
    assert made.folder.is_dir()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a/b", "'/'"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("a\0b", "cannot be shown"),
        ("a\x1b[31mb", "cannot be shown"),
        ("two\nlines", "cannot be shown"),
        ("\udc80", "cannot be shown"),
        ("", "empty"),
        ("  ", "empty"),
        ("a ", "space"),
        ("a" * 256, "256 bytes"),
        ("数" * 100, "300 bytes"),
    ],
)
def test_a_name_that_no_folder_can_have_is_refused_in_one_line(name: str, rule: str) -> None:
    with pytest.raises(ExperimentNameError) as caught:
        Experiment("./exp", name)
    message = str(caught.value)
    assert rule in message
    assert "; " in message  # the way out
    assert message.isprintable()
    assert len(message) < 300


@given(st.text())
@settings(deadline=None)
def test_a_name_that_passes_the_check_can_be_made_a_folder(name: str) -> None:
    with contextlib.suppress(ExperimentNameError), tempfile.TemporaryDirectory() as root:
        made = make_run_folder(Path(root), check_experiment_name(name))
        assert made.folder.resolve().parent.parent == Path(root).resolve()


def test_a_key_is_the_local_time_and_a_tail_that_no_seed_decides(tmp_path: Path) -> None:
    tails = set()
    for _ in range(3):
        random.seed(0)
        key = make_run_folder(tmp_path, "seeded").key
        assert re.fullmatch(r"\d\d-\d\d-\d\d-\d{6}-[a-z0-9]{4}", key)
        tails.add(key[-4:])
        assert random.random() == random.Random(0).random()
    assert len(tails) > 1


def test_a_key_that_is_taken_is_never_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_TAIL_LETTERS", "ab")
    monkeypatch.setattr(folders, "_TAIL_LENGTH", 3)
    keys = [make_run_folder(tmp_path, "full").key for _ in range(8)]
    assert len(set(keys)) == 8


def test_processes_that_start_together_on_nothing_all_get_a_folder(
    tmp_path: Path, own_home: Path
) -> None:
    root = tmp_path / "not" / "there" / "yet"
    script = f"""
import sys
from pathlib import Path
from thexp_pl.record.folders import make_run_folder
from thexp_pl.record.roots import register_root
sys.stdin.readline()
for _ in range(20):
    paths = make_run_folder(Path({str(root)!r}), "same")
    register_root(Path({str(root)!r}))
    print(paths.key)
"""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    outputs = [worker.communicate() for worker in workers]
    assert [errors for _, errors in outputs] == [""] * 6
    keys = [key for output, _ in outputs for key in output.split()]
    assert len(set(keys)) == 120
    assert sorted(path.name for path in (root / "same").iterdir()) == sorted(keys)
    assert known_roots() == [root.resolve()]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine reaches; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of the super-user, who may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_root_is_refused_in_one_line_and_left_alone(open_folder: Path) -> None:
    root = open_folder / "exp"
    root.mkdir()
    root.chmod(0o555)
    with as_nobody(), pytest.raises(RecordError) as caught:
        Experiment(root, "a").start_exp()
    message = str(caught.value)
    assert str(root / "a") in message
    assert "Permission denied" in message
    assert "choose an experiment root" in message
    assert "\n" not in message
    assert list(root.iterdir()) == []


def test_a_root_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"Not a directory.*; choose an experiment root"):
        Experiment(tmp_path / "file" / "exp", "a").start_exp()


@pytest.mark.parametrize("existed", [True, False])
def test_a_full_disk_at_the_start_is_one_error_and_leaves_nothing(
    tmp_path: Path, existed: bool
) -> None:
    root = tmp_path / "above" / "exp"
    if existed:
        root.mkdir(parents=True)
    script = f"""
import resource
from thexp_pl.errors import RecordError
from thexp_pl.record import Experiment, folders
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    Experiment({str(root)!r}, "a").start_exp()
except RecordError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "File too large; choose" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
    left = sorted(tmp_path.rglob("*"))
    assert left == ([root.parent, root] if existed else [])


@pytest.mark.parametrize("root", ["", "a\0b"])
def test_a_root_that_cannot_be_a_path_is_refused(root: str) -> None:
    with pytest.raises(RecordError, match="give a path such as"):
        as_root(root)


def test_roots_that_are_gone_or_whose_entry_is_damaged_are_passed_over(
    tmp_path: Path, own_home: Path
) -> None:
    for name in ("kept", "gone"):
        (tmp_path / name).mkdir()
        register_root(tmp_path / name)
    for mark in (tmp_path / "gone" / ".thexp").iterdir():
        mark.unlink()
    (tmp_path / "gone" / ".thexp").rmdir()
    (tmp_path / "gone").rmdir()
    (own_home / "roots" / "x.json").write_text("{")
    (own_home / "roots" / "y.json").write_text('{"path": 3}')
    (own_home / "roots" / "z.json").write_text('{"path": "a\\u0000b"}')
    assert known_roots() == [tmp_path / "kept"]


def test_folders_without_a_manifest_are_no_runs(tmp_path: Path) -> None:
    made = make_run_folder(tmp_path, "a")
    assert run_folders(tmp_path) == []
    made.manifest.write_text("")
    (tmp_path / "a" / "file").write_text("")
    assert run_folders(tmp_path) == [made]
