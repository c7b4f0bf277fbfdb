"""The code of two runs compared: every kind of change, and every way in which code is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from diff_helpers import make_project, record, record_here
from record_code_helpers import git, repository, store_files, write

from thexp_pl.compare.diff import Difference, diff_runs
from thexp_pl.record.keycode import write_source
from thexp_pl.record.paths import code_store
from thexp_pl.runs import Run

_LINES = "".join(f"line {number}\n" for number in range(50))
_FILES: dict[str, str | bytes] = {
    "changed.py": "a = 1\nb = 2\n",
    "gone.py": "gone\n",
    "old.py": _LINES,
    "run.sh": "echo\n",
    "文件.py": "名 = 1\n",
    "windows.txt": b"a\r\nb\r\n",
    "binary.py": b"\x89PNG\0\1",
    "latin.txt": b"caf\xe9\n",
    "link.py": "a file\n",
    "same.py": "same\n",
}


def changed_project(tmp_path: Path) -> tuple[Run, Run]:
    """Record a project before and after every kind of change."""
    project = tmp_path / "project"
    write(project, _FILES)
    first = record_here(tmp_path / "root", project)
    (project / "gone.py").unlink()
    (project / "old.py").rename(project / "新 name.py")
    (project / "run.sh").chmod(0o755)
    (project / "link.py").unlink()
    (project / "link.py").symlink_to("same.py")
    changed: dict[str, str | bytes] = {
        "changed.py": "a = 1\nb = 3\nc = 4\n",
        "added.py": "\x1b[31mred\n",
        "文件.py": "名 = 2\n",
        "windows.txt": b"a\r\nc\r\n",
        "binary.py": b"\x89PNG\0\2",
        "latin.txt": b"caf\xe8\n",
    }
    write(project, changed)
    return first, record_here(tmp_path / "root", project)


def files(difference: Difference) -> dict[str, tuple[str, int | None, int | None]]:
    """Give of each file how it differs, and the lines that were added and removed."""
    return {file.name: (file.how, file.added, file.removed) for file in difference.code.files}


def test_each_kind_of_change_is_told_with_its_lines(tmp_path: Path) -> None:
    first, second = changed_project(tmp_path)
    difference = diff_runs(first, second)
    assert difference.categories == ("code",)
    assert files(difference) == {
        "added.py": ("added", 1, 0),
        "gone.py": ("removed", 0, 1),
        "old.py => 新 name.py": ("renamed", 0, 0),
        "run.sh": ("mode", 0, 0),
        "link.py": ("other kind", 1, 1),
        "changed.py": ("changed", 2, 1),
        "文件.py": ("changed", 1, 1),
        "windows.txt": ("changed", 1, 1),
        "binary.py": ("changed", None, None),
        "latin.txt": ("changed", 1, 1),
    }
    patch = difference.code.patch
    assert b"-b = 2\n+b = 3\n+c = 4\n" in patch
    assert "--- a/文件.py\n+++ b/文件.py\n".encode() in patch
    assert b"-b\r\n+c\r\n" in patch
    assert b"-caf\xe9\n+caf\xe8\n" in patch
    assert b"old mode 100644\nnew mode 100755\n" in patch
    assert "caf\\xe9" in difference.to_dict()["code"]["patch"]


def test_the_other_way_round_everything_is_mirrored(tmp_path: Path) -> None:
    first, second = changed_project(tmp_path)
    there, back = diff_runs(first, second).code.files, diff_runs(second, first).code.files
    mirror = {"added": "removed", "removed": "added"}
    assert {(mirror.get(f.how, f.how), f.b, f.a, f.removed, f.added) for f in there} == {
        (f.how, f.a, f.b, f.added, f.removed) for f in back
    }


def test_the_patch_makes_one_code_of_the_other(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, _FILES)
    first = record_here(tmp_path / "root", project)
    shutil.copytree(project, tmp_path / "copy")
    write(project, {"changed.py": "a = 2\n", "新/added.py": "x", "windows.txt": b"z\r\n"})
    write(project, {"changed.txt": "Binary files differ\ndiff --git a b\n"})
    (project / "binary.py").chmod(0o755)  # of binary files the name and the mode are in it
    (project / "old.py").rename(project / "new.py")
    second = record_here(tmp_path / "root", project)
    (tmp_path / "all.patch").write_bytes(diff_runs(first, second).code.patch)
    git(tmp_path / "copy", "apply", "../all.patch")
    for path in (tmp_path / "copy").rglob("*.*"):
        assert path.read_bytes() == (project / path.relative_to(tmp_path / "copy")).read_bytes()
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == sorted(
        path.name for path in project.iterdir()
    )


def test_the_stores_of_two_roots_are_brought_together_and_neither_is_written(
    tmp_path: Path,
) -> None:
    runs, roots = [], []
    for name, text in (("one", "a = 1\n"), ('tw"o\\', "a = 2\n")):
        project = tmp_path / name
        write(project, {"train.py": text, "same.py": "same\n"})
        roots.append(tmp_path / f"root {name}")
        runs.append(record_here(roots[-1], project))
    before = [(store_files(root), code_store(root).stat().st_mtime_ns) for root in roots]
    difference = diff_runs(*runs)
    assert files(difference) == {"train.py": ("changed", 1, 1)}
    assert b"-a = 1\n+a = 2\n" in difference.code.patch
    assert difference.remarks == ()
    assert [(store_files(root), code_store(root).stat().st_mtime_ns) for root in roots] == before


def test_neither_the_users_git_settings_nor_those_of_a_root_have_a_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = changed_project(tmp_path)
    plain = diff_runs(first, second).code
    mark = tmp_path / "mark"
    settings = f"[diff]\nexternal = touch {mark}\nnoprefix = true\ncontext = 0\nrenames = false\n"
    settings += f'[diff "x"]\ntextconv = touch {mark}\ncommand = touch {mark}\n'
    home = tmp_path / "user"
    attributes = "* binary\n*.py diff=x\n"
    write(home, {".gitconfig": settings, ".config/git/attributes": attributes})
    store = code_store(first.paths.root)
    (store / "config").write_text((store / "config").read_text() + settings)
    (store / "info" / "attributes").write_text(attributes)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {mark}")
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=0")
    assert diff_runs(first, second).code == plain
    assert not mark.exists()


def test_where_git_failed_the_copies_of_what_ran_are_compared(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    write(tmp_path / "bin", {"git": "#!/bin/sh\nexit 1\n"})
    (tmp_path / "bin" / "git").chmod(0o755)
    no_git = {"PATH": str(tmp_path / "bin")}
    copied = record(project, **no_git)
    script = (project / "train.py").read_text()
    (project / "train.py").write_text(f"{script}\nprint(1)\n")
    changed = record(project, **no_git)
    assert copied.manifest["code"]["how"] == changed.manifest["code"]["how"] == "copy"
    difference = diff_runs(copied, changed)
    assert files(difference) == {"train.py": ("changed", 2, 0)}
    assert difference.remarks == ()
    kept = record(project)  # model.py is in its snapshot, and was not copied, as it did not run
    with_tree = diff_runs(copied, kept)
    assert files(with_tree) == {"train.py": ("changed", 2, 0)}
    assert with_tree.remarks[0].startswith(f"of '{copied.key}' only what ran was copied")
    assert files(diff_runs(kept, changed)) == {}


def test_where_no_code_was_kept_the_key_code_is_compared(tmp_path: Path) -> None:
    runs = [record_here(tmp_path / "root", None) for _ in range(2)]
    without = diff_runs(*runs)
    assert not without
    keys = f"'{runs[0].key}' and '{runs[1].key}'"
    assert without.remarks == (f"the code of {keys} was not kept: it is not compared",)
    for number, run in enumerate(runs):
        write_source(run.paths.keycode, "__main__.train", f"def train():\n    return {number}\n")
    difference = diff_runs(*runs)
    assert files(difference) == {"__main__.train.py": ("changed", 1, 1)}
    assert difference.remarks == (
        f"the code of {keys} was not kept: only the key code is compared",
    )


def test_a_missing_file_of_a_snapshot_is_one_line_and_the_rest_is_shown(tmp_path: Path) -> None:
    first, second = changed_project(tmp_path)
    (file,) = (f for f in diff_runs(first, second).code.files if f.name == "changed.py")
    assert file.b is not None
    sha1 = file.b.sha1
    (code_store(first.paths.root) / "objects" / sha1[:2] / sha1[2:]).unlink()
    difference = diff_runs(first, second)
    assert difference.categories == ("code",)
    assert files(difference)["changed.py"] == ("changed", None, None)
    assert files(difference)["gone.py"] == ("removed", None, None)
    assert difference.remarks == (
        f"the snapshot of '{second.key}' is damaged, so not all that differs in the code is shown;"
        " `thexp-pl gc --check` tells more",
    )


def test_a_store_that_is_gone_is_one_line_and_the_code_is_known_to_differ(tmp_path: Path) -> None:
    first, second = changed_project(tmp_path)
    shutil.rmtree(code_store(first.paths.root))
    difference = diff_runs(first, second)
    assert difference.categories == ("code",)
    assert len(difference.remarks) == 1
    assert f"the snapshot of '{first.key}' and '{second.key}' is damaged" in difference.remarks[0]
    assert not code_store(first.paths.root).exists()


def test_without_a_git_program_the_code_is_known_to_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = changed_project(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    difference = diff_runs(first, second)
    assert difference.categories == ("code",)
    assert difference.remarks == ("there is no git program to compare the code with: install git",)


def test_the_commit_counts_where_the_code_is_not_known_to_be_the_same(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", {"train.py": "a\n"})
    first = record_here(tmp_path / "root", project)
    no_code = record_here(tmp_path / "root", project, code=False)
    git(project, "commit", "-q", "--allow-empty", "-m", "second")
    assert not diff_runs(first, record_here(tmp_path / "root", project))
    other = record_here(tmp_path / "root", project, code=False)
    (change,) = diff_runs(no_code, other).code.git
    assert (change.name, change.b) == ("commit", git(project, "rev-parse", "HEAD").strip())


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = changed_project(tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert diff_runs(first, second)
    assert list(temporary.iterdir()) == []
