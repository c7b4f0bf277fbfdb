"""Whatever is killed, and whenever: kept runs have their code, and the next gc can work."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from record_code_helpers import git, store_files, write
from upkeep_helpers import make_old, restored, tree_in, with_code

from thexp_pl.record.code import GitError, export_tree, holding, take_snapshot
from thexp_pl.record.code import git as git_module
from thexp_pl.record.code.store import Store
from thexp_pl.record.paths import RunPaths, code_store
from thexp_pl.upkeep import check, collect, remove
from thexp_pl.upkeep.folders import kept_runs
from thexp_pl.upkeep.purge import plan_purge, purge

GIT = shutil.which("git") or "git"
SECONDS = 180.0
# What `git repack` does, in its order: a pack of what is named now, then the old packs go.
REPACK = """
case " $* " in *" repack "*)
    old=$(ls objects/pack/pack-*)
    {git} --git-dir=. repack -a -q
    echo packed > {said}
    read line < {go}
    rm -f $old
    echo done > {said}
    exit 0
esac
exec {git} "$@"
"""
WRITE = """
case " $* " in *" update-index "*)
    echo adding > {said}
    read line < {go}
esac
exec {git} "$@"
"""
COLLECT = """
import sys
from thexp_pl.upkeep import collect
collect(sys.argv[1])
"""
SNAPSHOT = """
import sys
from pathlib import Path
from thexp_pl.record.code import take_snapshot
take_snapshot(Path(sys.argv[2]), Path(sys.argv[1]))
"""


class Pipe:
    """A named pipe that neither end waits to be opened."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path, self.descriptor = path, os.open(path, os.O_RDWR)

    def line(self) -> str:
        """Wait for what is said next."""
        assert select.select([self.descriptor], [], [], SECONDS)[0], "nothing was said"
        return os.read(self.descriptor, 1000).decode().strip()

    def say(self) -> None:
        os.write(self.descriptor, b"\n")


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path / "said")
    yield pipe
    os.close(pipe.descriptor)


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path / "go")
    yield pipe
    os.close(pipe.descriptor)  # whoever still waits goes on


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "experiment"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "project", {"train.py": "first", "data/large.py": "x" * 5000})
    return tmp_path / "project"


def git_instead(folder: Path, script: str) -> str:
    """Write a program that stands for git; give the PATH on which it is found first."""
    write(folder, {"git": f"#!/bin/sh\n{script}"})
    (folder / "git").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def dropped_run(root: Path, project: Path) -> RunPaths:
    """Record a run beside another one, long ago, and remove it for good."""
    run = with_code(root, project)
    write(root.parent / "other", {"other.py": "other"})
    with_code(root, root.parent / "other")
    make_old(root)
    purge(plan_purge(remove([run])))
    return run


def kill_when(said: Pipe, what: str, kind: signal.Signals, command: list[str], path: str) -> None:
    """Start a process, and kill it alone when its git says something."""
    with subprocess.Popen(command, env={**os.environ, "PATH": path}) as process:
        try:
            assert said.line() == what
        finally:
            process.send_signal(kind)
        assert process.wait(SECONDS) == -kind


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_starts_after_gc_was_killed_keeps_its_code(
    root: Path,
    project: Path,
    said: Pipe,
    go: Pipe,
    kind: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped_run(root, project)
    script = REPACK.format(git=GIT, said=said.path, go=go.path)
    path = git_instead(root.parent / "bin", script)
    kill_when(said, "packed", kind, [sys.executable, "-c", COLLECT, str(root)], path)
    # git lives on, and is about to delete what the next run finds there; it ends when that run
    # waits for it, or else when the run has its code.
    pausing = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: go.say())
    monkeypatch.setattr(holding, "time", pausing)
    run = with_code(root, project)
    go.say()
    assert said.line() == "done"
    assert restored(root, tree_in(run), root.parent)[b"train.py"] == ("file", b"first")
    assert check([run]).damaged == []
    assert collect(root).refused == ""


def test_code_of_which_a_killed_gc_has_dropped_a_part_is_kept_anew(
    root: Path, project: Path
) -> None:
    tree = take_snapshot(project, root)["tree"]
    Store(root).ref(tree).unlink()
    for file in (code_store(root) / "objects" / "pack").iterdir():
        file.unlink()  # of the files; the folders are objects of their own
    assert git(code_store(root), "cat-file", "-t", tree) == "tree\n"
    assert take_snapshot(project, root)["tree"] == tree
    assert restored(root, tree, root.parent)[b"train.py"] == ("file", b"first")


def test_nothing_is_dropped_while_the_git_of_a_killed_snapshot_adds(
    root: Path, project: Path, said: Pipe, go: Pipe
) -> None:
    dropped_run(root, project)
    script = WRITE.format(git=GIT, said=said.path, go=go.path)
    path = git_instead(root.parent / "bin", script)
    write(project, {"new.py": "new"})
    command = [sys.executable, "-c", SNAPSHOT, str(root), str(project)]
    kill_when(said, "adding", signal.SIGKILL, command, path)
    assert "a snapshot is being taken" in collect(root).refused
    go.say()
    deadline = time.monotonic() + SECONDS
    while collect(root).refused:
        assert time.monotonic() < deadline, "git has not ended"
        time.sleep(0.01)


def test_files_that_a_killed_git_has_left_go_after_an_hour(root: Path, project: Path) -> None:
    dropped_run(root, project)
    packs = code_store(root) / "objects" / "pack"
    old, young = packs / ".tmp-12-pack-ab.pack", packs / ".tmp-13-pack-ab.pack"
    then = time.time() - 2 * 3600
    for path in (old, young):
        path.touch()
    os.utime(old, (then, then))
    collect(root, dry_run=True)
    assert old.exists()
    collect(root)
    assert (old.exists(), young.exists()) == (False, True)


def test_the_next_gc_does_what_one_that_was_cut_off_has_left_to_do(
    root: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root.parent / "copy", {"train.py": "first", "data/large.py": "x" * 5000})
    tree = take_snapshot(root.parent / "copy", root)["tree"]
    names = [
        line.split()[0]
        for line in git(code_store(root), "rev-list", "--objects", tree).splitlines()
    ]
    dropped_run(root, project)
    script = f'case " $* " in *" repack "*) kill -9 $$; esac\nexec {GIT} "$@"\n'
    with monkeypatch.context() as patch:
        patch.setenv("PATH", git_instead(root.parent / "bin", script))
        assert "SIGKILL" in collect(root).refused
    assert collect(root).refused == ""
    left = git(code_store(root), "cat-file", "--batch-check", "--batch-all-objects")
    assert names
    assert not [name for name in names if name in left]


def test_a_fresh_lock_of_git_leaves_the_code_alone_for_a_minute(root: Path, project: Path) -> None:
    dropped_run(root, project)
    lock = code_store(root) / "packed-refs.lock"
    lock.touch()
    before = store_files(root)
    assert "another git is at work" in collect(root).refused
    assert store_files(root) == before
    then = time.time() - 2 * 60
    os.utime(lock, (then, then))
    assert len(collect(root).snapshots) == 1


def test_large_stores_may_take_their_time(
    root: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped_run(root, project)
    (run,) = kept_runs(root)
    monkeypatch.setattr(git_module, "SECONDS", 1e-9)
    with pytest.raises(GitError, match="took more than"):
        take_snapshot(project, root)
    done = collect(root)
    assert (done.refused, len(done.snapshots)) == ("", 1)
    assert check([run]).damaged == []


def test_a_git_is_ended_with_all_that_it_has_started(
    tmp_path: Path, said: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"sleep 600 &\necho $! > {said.path}\nwait"
    monkeypatch.setenv("PATH", git_instead(tmp_path / "bin", script))
    with git_module.Git(tmp_path).started("repack"):
        child = int(said.line())
    deadline = time.monotonic() + SECONDS
    while is_alive(child):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    """Say whether a process works; one that nobody has waited for has ended all the same."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_limit_that_ends_git_is_named(
    root: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = with_code(root, project)
    path = git_instead(root.parent / "bin", f'ulimit -f 0\nexec {GIT} "$@"\n')
    monkeypatch.setenv("PATH", path)
    with pytest.raises(GitError, match=r"SIGXFSZ \(file size limit exceeded\)") as caught:
        export_tree(root, tree_in(run), root.parent / "target")
    assert str(code_store(root)) in str(caught.value)  # the folder it wrote into is gone
    assert not [path for path in root.parent.iterdir() if path.name.startswith(("tar", ".tmp"))]


def test_a_check_says_what_git_has_found(root: Path, project: Path) -> None:
    run = with_code(root, project)
    objects = code_store(root) / "objects"
    (pack,) = (objects / "pack").glob("*.pack")
    pack.with_suffix(".idx").unlink()
    aside = pack.rename(root.parent / "pack")
    subprocess.run(
        ["git", "unpack-objects", "-q"],
        cwd=code_store(root),
        input=aside.read_bytes(),
        timeout=SECONDS,
        check=True,
    )
    assert check([run]).damaged == []
    blob = git(code_store(root), "rev-parse", f"{tree_in(run)}:train.py").strip()
    (objects / blob[:2] / blob[2:]).unlink()
    whole, named = check([run]).damaged
    assert whole.what == f"git fsck: missing blob {blob}"
    assert named.run == run.key
    assert blob in named.what
