"""The code of a run is written out again as it was recorded, and never over anything."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from record_code_helpers import git, repository, tree_of, write

from thexp_pl import Experiment, ExperimentViewer
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.rerun import restore_code, rollback
from thexp_pl.runs import Run

SECONDS = 180


def recorded(project: Path, root: Path) -> Run:
    with Experiment(root, "digits", project=project, console=False) as exp:
        pass
    return ExperimentViewer([root]).run(exp.key)


def hash_of(folder: Path) -> str:
    """Let git hash a folder, all files in it."""
    git(folder, "-c", "core.autocrlf=false", "init", "-q")
    git(folder, "add", "-A", "-f")
    return git(folder, "write-tree").strip()


def clean(project: Path) -> None:
    repository(project, {"train.py": "a", "lib/model.py": "b"})


def dirty(project: Path) -> None:
    clean(project)
    write(project, {"train.py": "changed"})


def staged(project: Path) -> None:
    clean(project)
    write(project, {"train.py": "staged", "new.py": "new"})
    git(project, "add", "-A")
    write(project, {"train.py": "and changed since"})


def untracked(project: Path) -> None:
    clean(project)
    write(project, {"notes/idea.py": "untracked"})


def executable(project: Path) -> None:
    repository(project, {"run.sh": "#!/bin/sh\n", "plain.sh": "#!/bin/sh\n"})
    (project / "run.sh").chmod(0o755)


def symlinked(project: Path) -> None:
    repository(project, {"train.py": "a"})
    (project / "inside.py").symlink_to("train.py")
    (project / "outside").symlink_to("/etc/hostname")
    (project / "up").symlink_to("../elsewhere")
    (project / "to_nothing").symlink_to("gone.py")


def renamed(project: Path) -> None:
    clean(project)
    git(project, "mv", "lib/model.py", "lib/net.py")
    (project / "train.py").rename(project / "main.py")


def chinese(project: Path) -> None:
    repository(project, {"训练.py": "a", "模型/网络 1.py": "b", "a\tb.py": "c", "crlf.py": "a\r\n"})


def without_git(project: Path) -> None:
    write(project, {"pyproject.toml": "", "train.py": "a", "lib/model.py": "b"})


KINDS = (clean, dirty, staged, untracked, executable, symlinked, renamed, chinese, without_git)


@pytest.mark.parametrize("make", KINDS, ids=[make.__name__ for make in KINDS])
def test_the_restored_tree_is_the_recorded_one(make, tmp_path: Path) -> None:
    project = tmp_path / "project"
    make(project)
    before = tree_of(project)
    run = recorded(project, tmp_path / "experiment")
    shutil.rmtree(project)

    restore_code(run, tmp_path / "restored")

    expected = {name: kept for name, kept in before.items() if not name.startswith(b".git/")}
    assert tree_of(tmp_path / "restored") == expected
    assert hash_of(tmp_path / "restored") == run.manifest["code"]["tree"]


def test_where_git_refuses_the_plain_copy_is_restored(tmp_path: Path) -> None:
    project = tmp_path / "project"
    script = "from thexp_pl import Experiment\nimport helper\nwith Experiment('e', 'a'): pass\n"
    write(project, {"train.py": script, "helper.py": "x = 1", "unused.py": ""})
    broken = tmp_path / "bin" / "git"
    write(broken.parent, {"git": "#!/bin/sh\nexit 1\n"})
    broken.chmod(0o755)
    environment = {**os.environ, "PATH": str(broken.parent), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "train.py"]
    subprocess.run(command, cwd=project, env=environment, check=True, timeout=SECONDS)
    run = ExperimentViewer([project / "e"]).run("@last")
    assert run.manifest["code"]["how"] == "copy"

    restore_code(run, tmp_path / "restored")

    assert {path.name for path in (tmp_path / "restored").iterdir()} == {"train.py", "helper.py"}
    assert (tmp_path / "restored" / "train.py").read_text() == script


def test_nothing_is_written_over_anything(tmp_path: Path) -> None:
    project = tmp_path / "project"
    clean(project)
    run = recorded(project, tmp_path / "experiment")
    taken = tmp_path / "taken"
    write(taken, {"mine.txt": "mine"})
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()

    for target in (taken, taken / "mine.txt", link):
        with pytest.raises(UsageError, match="nothing is written over it"):
            rollback(run, to=target)

    assert tree_of(taken) == {b"mine.txt": ("file", b"mine")}
    assert list((tmp_path / "empty").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {
        *("project", "experiment", "taken", "empty", "link")
    }
    rollback(run, to=tmp_path / "empty")
    assert (tmp_path / "empty" / "code" / "train.py").read_text() == "a"


def test_by_default_a_rollback_stands_beside_the_project_under_a_free_name(tmp_path: Path) -> None:
    project = tmp_path / "project"
    clean(project)
    run = recorded(project, tmp_path / "experiment")

    folders = [rollback(run).prepared.folder.folder for _ in range(3)]

    names = [f"project@{run.key}", f"project@{run.key}-2", f"project@{run.key}-3"]
    assert [folder.relative_to(tmp_path) for folder in folders] == list(map(Path, names))


def test_a_run_without_its_code_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with Experiment(tmp_path / "experiment", "a", code=False, console=False) as exp:
        pass
    run = ExperimentViewer([tmp_path / "experiment"]).run(exp.key)
    with pytest.raises(RecordError, match=r"code .* was not kept"):
        rollback(run, to=tmp_path / "some" / "where")
    assert not (tmp_path / "some").exists()


def test_a_store_that_lost_the_tree_is_one_line(tmp_path: Path) -> None:
    project = tmp_path / "project"
    clean(project)
    run = recorded(project, tmp_path / "experiment")
    shutil.rmtree(tmp_path / "experiment" / ".thexp" / "code.git")
    with pytest.raises(RecordError) as told:
        rollback(run, to=tmp_path / "restored")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "restored").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    project = tmp_path / "project"
    repository(project, {"train.py": "a" * 100_000})
    run = recorded(project, tmp_path / "experiment")
    words = f"rollback {run.key} --to {tmp_path}/restored --exps_dir {tmp_path}/experiment"
    limited = f"ulimit -f 20; exec {sys.executable} -m thexp_pl {words}"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"project", "experiment"}


def test_a_kill_leaves_no_folder_of_the_final_name(tmp_path: Path) -> None:
    project = tmp_path / "project"
    repository(project, {"train.py": "a"})
    run = recorded(project, tmp_path / "experiment")
    os.mkfifo(run.paths.config)  # is no file: passed over
    script = f"""
import os, signal
from pathlib import Path
from thexp_pl import ExperimentViewer
from thexp_pl.rerun import rolling_back, rollback
kept = rolling_back._keep_settings
def die(run, folder):
    kept(run, folder)
    assert (folder.code / "train.py").read_text() == "a"
    os.kill(os.getpid(), signal.SIGKILL)
rolling_back._keep_settings = die
rollback(ExperimentViewer([{str(run.paths.root)!r}]).run({run.key!r}), to="restored")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, timeout=SECONDS)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "restored").exists()
    rollback(run, to=tmp_path / "restored")
    assert (tmp_path / "restored" / "code" / "train.py").read_text() == "a"
