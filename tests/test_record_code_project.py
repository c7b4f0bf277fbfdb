"""The project is found from what was started, and its repository tells its state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from record_code_helpers import git, repository, restored, run_script, write

from thexp_pl.record.code import find_project, git_facts, take_snapshot

FIND = "from thexp_pl.record.code import find_project\nprint(find_project())\n"
TAKE = """
import json, sys
from pathlib import Path
from thexp_pl.record.code import find_project, take_snapshot
project = find_project(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
print(json.dumps(take_snapshot(project, Path(sys.argv[1]))))
"""


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (["top/.git/HEAD", "top/a/pyproject.toml"], "top"),
        (["top/pyproject.toml"], "top"),
        (["top/setup.py", "top/a/setup.cfg"], "top/a"),
        (["top/.thexp/config.json"], "top"),
        (["top/.thexp/root.json"], "top/a/b"),
        ([".git/HEAD", "top/setup.py"], "."),
        ([], "top/a/b"),
    ],
)
def test_the_project_is_found_from_the_script(
    tmp_path: Path, marks: list[str], expected: str
) -> None:
    write(tmp_path, {"top/a/b/train.py": FIND, **dict.fromkeys(marks, "")})
    found = run_script(tmp_path / "top" / "a" / "b" / "train.py", cwd=Path("/"))
    assert Path(found.strip()) == tmp_path / expected


def test_a_link_to_a_script_leads_to_the_scripts_own_project(tmp_path: Path) -> None:
    write(tmp_path, {"p/train.py": FIND})
    (tmp_path / "train").symlink_to("p/train.py")
    assert Path(run_script(tmp_path / "train").strip()) == tmp_path / "p"


def test_a_module_started_by_name_leads_to_its_project(tmp_path: Path) -> None:
    write(tmp_path, {"p/pkg/__init__.py": "", "p/pkg/__main__.py": FIND, "p/pyproject.toml": ""})
    write(tmp_path, {"p/pkg/sub/__init__.py": "", "p/pkg/sub/train.py": FIND})
    for module in ("pkg", "pkg.sub.train"):
        found = subprocess.run(
            [sys.executable, "-m", module],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "p")},
            capture_output=True,
            text=True,
        )
        assert Path(found.stdout.strip()) == tmp_path / "p", found.stderr


def test_without_a_script_of_the_users_the_working_directory_leads_to_the_project(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"p/setup.py": "", "p/deep/x": "", "env/lib/site-packages/tool.py": FIND})
    write(tmp_path, {"p/profiled.py": FIND})
    deep = tmp_path / "p" / "deep"
    installed = tmp_path / "env" / "lib" / "site-packages" / "tool.py"
    for words, feed in (
        (["-c", FIND], None),
        (["-"], FIND),
        ([str(installed)], None),
    ):
        found = subprocess.run(
            [sys.executable, *words], input=feed, cwd=deep, capture_output=True, text=True
        )
        assert Path(found.stdout.strip()) == tmp_path / "p", found.stderr
    assert find_project() is not None  # of this test run, which a program of the environment began
    profiled = run_script(Path(), "-m", "cProfile", "../p/profiled.py", cwd=tmp_path / "env")
    assert Path(profiled.splitlines()[0]) == tmp_path / "p"


def test_a_deleted_working_directory_is_no_project(tmp_path: Path) -> None:
    script = f"import os\nos.rmdir(os.getcwd())\n{FIND}"
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "gone", capture_output=True, text=True
    )
    assert done.stdout == "None\n", done.stderr


@pytest.mark.parametrize("home", ["top", "top/a", "top/a/b"])
def test_the_home_and_what_holds_it_are_never_the_project(tmp_path: Path, home: str) -> None:
    write(tmp_path, {"top/a/b/train.py": FIND, "top/.git/HEAD": "", "top/a/setup.py": ""})
    found = run_script(tmp_path / "top" / "a" / "b" / "train.py", HOME=str(tmp_path / home))
    expected = {"top": tmp_path / "top" / "a", "top/a": tmp_path / "top" / "a" / "b"}
    assert found.strip() == str(expected.get(home))


def test_a_folder_that_was_given_is_the_project_unless_it_is_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert find_project(tmp_path / "link") == tmp_path
    assert find_project(Path("/")) is None
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_project(tmp_path) is None
    assert find_project(tmp_path / "link" / "home") is None


def test_the_entry_is_named_as_it_lies_in_the_tree(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"scripts/train.py": TAKE, "elsewhere.py": ""})
    write(tmp_path, {"out/Elsewhere.py": TAKE})
    inside = json.loads(run_script(project / "scripts" / "train.py", str(tmp_path)))
    assert inside["entry"] == "scripts/train.py"
    assert set(restored(tmp_path, inside)) == {b"scripts/train.py", b"elsewhere.py"}
    outside = json.loads(run_script(tmp_path / "out" / "Elsewhere.py", str(tmp_path), str(project)))
    assert outside["entry"] == "Elsewhere_1.py"
    assert restored(tmp_path, outside)[b"Elsewhere_1.py"][1] == TAKE.encode()
    assert inside["project"] == outside["project"] == "p"


def test_what_runs_is_kept_though_git_ignores_it(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {".gitignore": "scratch\n_version.py\n*.tmp2\n"})
    write(project, {"scratch/train.py": f"import _version\n{TAKE}", "scratch/other.tmp2": ""})
    write(project, {"scratch/_version.py": "", "_version.py": ""})
    facts = json.loads(run_script(project / "scratch" / "train.py", str(tmp_path)))
    assert set(restored(tmp_path, facts)) == {
        *(b".gitignore", b"scratch/train.py", b"scratch/_version.py")
    }
    assert facts["entry"] == "scratch/train.py"
    assert facts["untracked"] == 0


def test_what_was_started_or_imported_by_a_way_through_the_folder_above_is_kept(
    tmp_path: Path,
) -> None:
    way = "import sys\nsys.path.insert(0, '../lib')\nimport part\n"
    files = {"a/train.py": way + TAKE, "lib/part.py": "", "a/run/x": ""}
    project = repository(tmp_path / "p", {**files, ".gitignore": "part.py"})
    expected = {os.fsencode(name) for name in (*files, ".gitignore")}
    for start in ("../a/train.py", "../../p/a/train.py", f"{project}/lib/../a/train.py"):
        facts = json.loads(run_script(Path(start), str(tmp_path), cwd=project / "a"))
        assert facts["entry"] == "a/train.py"
        assert set(restored(tmp_path, facts)) == expected


def test_the_state_of_a_repository(tmp_path: Path) -> None:
    project = tmp_path / "p"
    project.mkdir()
    assert git_facts(project) is None
    git(project, "init", "-q", "-b", "main")
    state = {"branch": "main", "dirty": False, "remote": None, "folder": str(project)}
    assert git_facts(project) == {"commit": None, **state}
    repository(project, {"a.py": "1", "sub/b.py": "1"})
    state["commit"] = git(project, "rev-parse", "HEAD").strip()
    assert git_facts(project) == git_facts(project / "sub") == state
    git(project, "checkout", "-q", "--detach")
    assert git_facts(project) == {**state, "branch": None}
    git(project, "checkout", "-q", "-b", "feature/数")
    assert git_facts(project) == {**state, "branch": "feature/数"}


def test_each_change_of_a_tracked_file_is_dirty(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1", "b.py": "1"})
    repository(tmp_path / "lib", {"lib.py": "1"})
    allow = ("-c", "protocol.file.allow=always")
    git(project, *allow, "submodule", "add", "-q", str(tmp_path / "lib"), "sub")
    git(project, "commit", "-q", "-m", "submodule")

    def is_dirty() -> bool:
        state = git_facts(project)
        assert state is not None
        return bool(state["dirty"])

    assert not is_dirty()
    for name, content in (("a.py", "2"), ("sub/lib.py", "2"), ("sub/new.py", "")):
        write(project, {name: content})
        assert is_dirty()
        git(project, "stash", "-q")
        git(project / "sub", "stash", "-q", "-u")
        assert not is_dirty()
    (project / "a.py").unlink()
    assert is_dirty()
    git(project, "rm", "-q", "a.py")
    assert is_dirty()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:hunter2@host/x.git", "https://host/x.git"),
        ("https://hunter2@host/x@y.git", "https://host/x@y.git"),
        ("https://host/x.git", "https://host/x.git"),
        ("git@host:x/y.git", "git@host:x/y.git"),
        ("ssh://git@host:22/x.git", "ssh://host:22/x.git"),
        ("/srv/x y.git", "/srv/x y.git"),
    ],
)
def test_the_remote_is_told_without_user_and_password(tmp_path: Path, url: str, shown: str) -> None:
    project = repository(tmp_path / "p", {})
    git(project, "remote", "add", "mirror", url)
    state = git_facts(project)
    assert state is not None
    assert state["remote"] == shown
    git(project, "remote", "add", "origin", "https://origin/x.git")
    state = git_facts(project)
    assert state is not None
    assert state["remote"] == "https://origin/x.git"


def test_a_repository_at_home_is_not_that_of_a_project_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, {".gitignore": "*", ".bashrc": ""})
    write(tmp_path, {"p/train.py": ""})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert git_facts(tmp_path / "p") is None
    facts = take_snapshot(tmp_path / "p", tmp_path / "exp")
    assert set(restored(tmp_path / "exp", facts)) == {b"train.py"}
