"""A snapshot leaves the user's own repository as it is, whatever it is set to, killed or not."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from record_code_helpers import git, owner_sees, repository, restored, tree_of, write

from thexp_pl.record.code import git_facts, take_snapshot
from thexp_pl.record.code.store import Store
from thexp_pl.record.paths import code_store

FILES = {"a.py": "1", "b.py": "2", "pkg/c.py": "3"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with something of everything: staged, changed, stashed, untracked, stale."""
    folder = repository(tmp_path / "p", FILES)
    write(folder, {"a.py": "stashed"})
    git(folder, "stash", "-q")
    write(folder, {"staged.py": "4", "b.py": "changed", "new/x.py": "5"})
    git(folder, "add", "staged.py")
    os.utime(folder / "pkg" / "c.py", (1, 1))  # git would like to note this in its index
    return folder


def code_of(project: Path) -> dict[bytes, tuple[str, bytes]]:
    return {name: entry for name, entry in tree_of(project).items() if name[:5] != b".git/"}


def test_head_index_stash_and_status_are_as_before(project: Path, tmp_path: Path) -> None:
    owner_sees(project)
    os.utime(project / "pkg" / "c.py", (1, 1))
    before = tree_of(project)
    facts = take_snapshot(project, tmp_path)
    git_facts(project)
    assert tree_of(project) == before
    said = owner_sees(project)[1]
    assert restored(tmp_path, facts) == code_of(project)
    assert owner_sees(project)[1] == said


def hooks(project: Path, marks: Path) -> None:
    script = project.parent / "hooks" / "hook"
    write(script.parent, {"hook": f"#!/bin/sh\ntouch '{marks}/hook'\n"})
    script.chmod(0o755)
    for name in ("post-index-change", "pre-commit", "reference-transaction"):
        (script.parent / name).symlink_to(script)
    git(project, "config", "core.hooksPath", str(script.parent))
    git(project, "config", "core.fsmonitor", str(script))


def signing(project: Path, marks: Path) -> None:
    git(project, "config", "commit.gpgsign", "true")
    git(project, "config", "gpg.program", "false")


def converting(project: Path, marks: Path) -> None:
    for name, value in {"autocrlf": "input", "fileMode": "false", "symlinks": "false"}.items():
        git(project, "config", f"core.{name}", value)


def splitting(project: Path, marks: Path) -> None:
    git(project, "config", "core.untrackedCache", "true")
    git(project, "config", "feature.manyFiles", "true")
    git(project, "update-index", "--split-index", "--untracked-cache")


@pytest.mark.parametrize("setting", [hooks, signing, converting, splitting])
def test_no_setting_of_the_user_has_a_say(
    project: Path, tmp_path: Path, setting: Callable[[Path, Path], None]
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    setting(project, marks)
    (project / "b.py").chmod(0o755)
    (project / "link").symlink_to("a.py")
    before = tree_of(project)
    assert restored(tmp_path, take_snapshot(project, tmp_path)) == code_of(project)
    state = git_facts(project)
    assert state is not None
    assert state["dirty"]
    assert tree_of(project) == before
    assert list(marks.iterdir()) == []


def test_no_variable_of_git_has_a_say(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", {"other.py": ""})
    expected = git_facts(project)
    before = tree_of(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_TRACE", "1")
    facts = take_snapshot(project, tmp_path)
    assert git_facts(project) == expected
    monkeypatch.undo()
    assert restored(tmp_path, facts) == code_of(project)
    assert tree_of(other) == before


def test_no_setting_of_the_users_home_has_a_say(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    config = (
        '[core]\n\tattributesFile = {0}/attributes\n[init]\n\ttemplateDir = {0}\n[filter "x"]\n'
    )
    config += "\tclean = false\n\trequired = true\n[commit]\n\tgpgsign = true\n[gc]\n\tauto = 1\n"
    write(home, {".gitconfig": config.format(home), "attributes": "* filter=x text=auto\n"})
    monkeypatch.setenv("HOME", str(home))
    (project / "b.py").write_bytes(b"a\r\n")
    assert restored(tmp_path, take_snapshot(project, tmp_path)) == code_of(project)
    assert not (code_store(tmp_path) / "attributes").exists()


def test_a_linked_worktree_is_a_project(project: Path, tmp_path: Path) -> None:
    tree = tmp_path / "linked"
    git(project, "worktree", "add", "-q", str(tree), "-b", "other")
    write(tree, {"w.py": "6", "a.py": "7"})
    before = tree_of(project), tree_of(tree)
    found = restored(tmp_path, take_snapshot(tree, tmp_path))
    assert {name: content for name, (_, content) in found.items()} == {
        b"a.py": b"7",
        b"b.py": b"2",
        b"pkg/c.py": b"3",
        b"w.py": b"6",
    }
    state = git_facts(tree)
    assert state is not None
    assert (state["branch"], state["dirty"], state["folder"]) == ("other", True, str(tree))
    assert (tree_of(project), tree_of(tree)) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only the super-user can give files away")
def test_a_repository_of_another_owner_is_a_project(project: Path, tmp_path: Path) -> None:
    expected = git_facts(project)
    for path in [project, *project.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    assert restored(tmp_path, take_snapshot(project, tmp_path)) == code_of(project)
    assert git_facts(project) == expected


def test_a_damaged_repository_does_not_cost_the_snapshot(project: Path, tmp_path: Path) -> None:
    (project / ".git" / "index").write_bytes(b"damaged")
    assert restored(tmp_path, take_snapshot(project, tmp_path)) == code_of(project)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_kills_in_the_midst_leave_the_owner_and_the_next_snapshot_as_they_were(
    project: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    script = f"""
import itertools, sys
from pathlib import Path
from thexp_pl.record.code import take_snapshot
for number in itertools.count():
    Path({str(project)!r}, "new", "x.py").write_text(f"{{sys.argv[1]}} {{number}}")
    Path({str(project)!r}, "new", f"{{number % 50}}.py").write_text(sys.argv[1] * number)
    print(flush=True)
    take_snapshot(Path({str(project)!r}), Path({str(root)!r}))
"""
    before = {name: entry for name, entry in tree_of(project).items() if name[:4] != b"new/"}
    chance = random.Random(0)
    for attempt in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(attempt)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 3)):
            process.stdout.readline()
        time.sleep(chance.random() * 0.06)  # where the kill hits is meant to be any place
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    after = {name: entry for name, entry in tree_of(project).items() if name[:4] != b"new/"}
    assert after == before
    assert restored(root, take_snapshot(project, root)) == code_of(project)
    git(code_store(root), "fsck", "--strict", "--no-dangling")
    tips = git(code_store(root), "for-each-ref", "--format=%(refname:lstrip=2) %(tree)").split()
    assert tips[::2] == tips[1::2]
    assert len(tips) >= 2


def test_leftovers_of_the_killed_are_in_nobodys_way_and_go_when_they_are_old(
    project: Path, tmp_path: Path
) -> None:
    facts = take_snapshot(project, tmp_path)
    store = code_store(tmp_path)
    index = next((store / "thexp").glob("*.index"))
    old = [
        *(store / "thexp" / "tmp-0" / "index.lock", store / "objects" / "pack" / "tmp_pack_0"),
        store / "objects" / "tmp_objdir-bulk-fsync-0" / "aa" / "bb",
    ]
    locks = [index.with_suffix(".index.lock"), index.with_suffix(".lock"), store / "config.lock"]
    locks += [store / "packed-refs.lock", Store(tmp_path).ref(facts["tree"]).with_suffix(".lock")]
    locks += [store / "index.lock", store / "HEAD.lock", project / ".git" / "index.lock"]
    for path in [*old, *locks]:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"")
    assert take_snapshot(project, tmp_path) == facts
    assert all(path.exists() for path in old)  # they may be of a process that lives
    for path in [*old, *(path.parent for path in old[::2])]:
        os.utime(path, (1, 1))
    os.utime(old[2].parents[1], (1, 1))
    write(project, {"a.py": "changed"})
    for path in locks:
        path.touch()
    assert restored(tmp_path, take_snapshot(project, tmp_path)) == code_of(project)
    assert not any(path.exists() for path in old)
    (project / ".git" / "index.lock").unlink()


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of the super-user, who may read anything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_cannot_be_read_is_left_out_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users
        monkeypatch.setenv("HOME", folder)
        Path(folder).chmod(0o755)
        project = repository(Path(folder, "p"), FILES)
        write(project, {"closed.py": "6", "shut/x.py": "7"})
        root = Path(folder, "root")
        root.mkdir()
        root.chmod(0o777)
        closed = [project / "closed.py", project / "shut"]
        for path in closed:
            path.chmod(0)
        with as_nobody():
            facts = take_snapshot(project, root)
            state = git_facts(project, untracked=facts["untracked"])
        for path in closed:
            path.chmod(0o700)
    assert (facts["files"], facts["untracked"]) == (len(FILES), 0)
    assert state is not None
    assert state["dirty"]  # it may be run by those who can read it
    assert {entry["path"]: entry["why"] for entry in facts["left_out"]} == {
        "closed.py": "cannot be read",
        "shut/": "cannot be read",
    }
