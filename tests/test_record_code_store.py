"""The code store holds under many processes at once, damage, and machines without git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from record_code_helpers import git, repository, restored, run_script, store_files, tree_of, write

from thexp_pl.record.code import GitError, NoGitError, copy_plainly, take_snapshot
from thexp_pl.record.code import git as git_module
from thexp_pl.record.paths import code_store

COPY = """
import json, sys
from pathlib import Path
from thexp_pl.record.code import NoGitError, copy_plainly, find_project, git_facts, take_snapshot
try:
    take_snapshot(find_project(), Path(sys.argv[1]))
except NoGitError as error:
    print(error)
assert git_facts(find_project()) is None
facts = copy_plainly(Path(sys.argv[1], "code"), find_project(), Path(sys.argv[1]))
print(json.dumps(facts))
"""


def test_many_processes_that_start_together_on_nothing_all_keep_their_code(
    tmp_path: Path,
) -> None:
    projects = [
        repository(
            tmp_path / f"p{number}", {f"{name}.py": f"{number} {name}" for name in range(60)}
        )
        for number in range(2)
    ]
    root = tmp_path / "root"
    script = f"""
import json, sys
from pathlib import Path
from thexp_pl.record.code import take_snapshot
project = Path({str(tmp_path)!r}, f"p{{int(sys.argv[1]) % 2}}")
for _ in sys.stdin:
    print(json.dumps(take_snapshot(project, Path({str(root)!r}))), flush=True)
"""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(12)
    ]
    for content in ("first", "second"):
        write(projects[0], {"new.py": content})
        write(projects[1], {"new.py": content})
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        facts = [json.loads(worker.stdout.readline()) for worker in workers if worker.stdout]
        assert facts == facts[:2] * 6
        for number, project in enumerate(projects):
            found = restored(root, facts[number])
            assert found == {k: v for k, v in tree_of(project).items() if k[:5] != b".git/"}
    assert [worker.communicate()[1] for worker in workers] == [""] * len(workers)
    # One index and one lock a project, and nothing of a process.
    names = sorted(path.suffix for path in (code_store(root) / "thexp").iterdir())
    assert names == [".index", ".index", ".lock", ".lock"]
    assert sorted(path.name for path in (root / ".thexp").iterdir()) == ["code.git"]
    assert len([name for name in store_files(root) if name.endswith(".pack")]) == 2
    assert git(code_store(root), "fsck", "--strict", "--unreachable") == ""  # none did work twice


def test_a_last_index_that_is_damaged_costs_nothing_but_time(tmp_path: Path) -> None:
    write(tmp_path / "p", {"a.py": "1", "b.py": "2"})
    facts = take_snapshot(tmp_path / "p", tmp_path)
    (index,) = (code_store(tmp_path) / "thexp").glob("*.index")
    whole = index.read_bytes()
    for damaged in (b"", b"damaged", whole[: len(whole) // 2], b"\0" * len(whole)):
        index.write_bytes(damaged)
        assert take_snapshot(tmp_path / "p", tmp_path) == facts
        assert index.read_bytes()[:4] == b"DIRC"
    index.unlink()
    os.mkfifo(index)
    assert take_snapshot(tmp_path / "p", tmp_path) == facts


def test_objects_that_someone_removed_are_written_again(tmp_path: Path) -> None:
    write(tmp_path / "p", {"a.py": "1", "b.py": "2"})
    facts = take_snapshot(tmp_path / "p", tmp_path)
    store = code_store(tmp_path)
    for path in [*(store / "objects").rglob("*"), *(store / "refs").rglob("*")]:
        if path.is_file():
            path.unlink()
    assert take_snapshot(tmp_path / "p", tmp_path) == facts
    assert len(restored(tmp_path, facts)) == 2


def test_a_damaged_ref_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "p", {"a.py": "1"})
    facts = take_snapshot(tmp_path / "p", tmp_path)
    ref = code_store(tmp_path) / "refs" / "snapshots" / facts["tree"]
    for damaged in (b"", b"nonsense\n"):
        ref.write_bytes(damaged)
        assert take_snapshot(tmp_path / "p", tmp_path) == facts
        assert ref.read_text() == facts["commit"] + "\n"


def test_a_moved_root_keeps_its_code_and_takes_more(tmp_path: Path) -> None:
    write(tmp_path / "p", {"a.py": "1"})
    (tmp_path / "exp").mkdir()
    facts = take_snapshot(tmp_path / "p", tmp_path / "exp")
    (tmp_path / "exp").rename(tmp_path / "moved")
    assert take_snapshot(tmp_path / "p", tmp_path / "moved") == facts
    assert restored(tmp_path / "moved", facts) == {b"a.py": ("file", b"1")}


def test_a_full_disk_is_one_error_and_the_next_snapshot_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "p", {"a.py": "1" * 5000, "b.py": os.urandom(50_000)})
    script = f"""
import resource
from pathlib import Path
from thexp_pl.record.code import GitError, take_snapshot
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    take_snapshot(Path({str(tmp_path / "p")!r}), Path({str(tmp_path)!r}))
except GitError as error:
    print(error)
"""
    message = run_script(Path(), "-c", script, cwd=tmp_path)
    assert "update-index" in message
    assert message.count("\n") == 1
    assert len(restored(tmp_path, take_snapshot(tmp_path / "p", tmp_path))) == 2


def test_a_root_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    write(tmp_path, {"p/a.py": "", "file": ""})
    with pytest.raises(OSError, match="Not a directory"):
        take_snapshot(tmp_path / "p", tmp_path / "file" / "root")


def test_git_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"bin/git": "#!/bin/sh\nexec sleep 600\n", "p/a.py": ""})
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(git_module, "SECONDS", 0.2)
    begin = time.monotonic()
    with pytest.raises(GitError, match="took more than"):
        take_snapshot(tmp_path / "p", tmp_path)
    assert time.monotonic() - begin < 60  # not 600
    assert list((tmp_path / ".thexp").iterdir()) == []


def test_without_git_what_runs_is_copied(tmp_path: Path) -> None:
    write(tmp_path, {"p/train.py": f"import helper, pkg.model\n{COPY}", "p/helper.py": "1"})
    write(tmp_path, {"p/pkg/__init__.py": "", "p/pkg/model.py": "2", "p/not_loaded.py": "3"})
    (tmp_path / "p" / "train.py").chmod(0o755)
    (tmp_path / "empty").mkdir()
    script = tmp_path / "p" / "train.py"
    message, told = run_script(script, str(tmp_path), PATH=str(tmp_path / "empty")).splitlines()
    assert message.startswith("there is no git program")
    facts = json.loads(told)
    found = tree_of(tmp_path / "code")
    assert set(found) == {b"train.py", b"helper.py", b"pkg/__init__.py", b"pkg/model.py"}
    assert found[b"train.py"] == ("program", script.read_bytes())
    assert facts == {
        "how": "copy",
        "tree": None,
        "commit": None,
        "project": "p",
        "entry": "train.py",
        "files": 4,
        "untracked": None,
        "left_out": [],
        "left_out_count": 0,
    }


def test_a_script_without_a_project_is_copied_alone(tmp_path: Path) -> None:
    script = COPY.split("try:", maxsplit=1)[0] + COPY[COPY.index("facts =") :]
    write(tmp_path, {"home/train.py": f"import helper\n{script}", "home/helper.py": "1"})
    home = tmp_path / "home"
    facts = json.loads(run_script(home / "train.py", str(tmp_path), HOME=str(home)))
    assert (facts["project"], facts["entry"], facts["files"]) == (None, "train.py", 1)
    assert set(tree_of(tmp_path / "code")) == {b"train.py"}


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"code/x.py": "", "p/a.py": ""})
    with pytest.raises(OSError, match="not empty"):
        copy_plainly(tmp_path / "code", tmp_path / "p", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "p"]


def test_no_git_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoGitError, match="install git") as caught:
        take_snapshot(tmp_path, tmp_path)
    assert "\n" not in str(caught.value)
