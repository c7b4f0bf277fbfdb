"""A snapshot holds the project's code as it is, byte for byte, and grows by what changed alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_code_helpers import git, kept, repository, restored, store_files, tree_of, write

from thexp_pl.errors import RecordError
from thexp_pl.record.code import GitError, export_tree, take_snapshot
from thexp_pl.record.paths import code_store

# Names that git can keep: any bytes but NUL and `/`, and nothing that is `.git` to some system.
NAMES = (
    st.binary(min_size=1, max_size=12)
    .map(lambda name: b"n" + name.replace(b"\0", b"0").replace(b"/", b"1"))
    .map(lambda name: name + b".py")
)


def test_tracked_staged_changed_and_untracked_files_are_kept_deleted_and_ignored_are_not(
    tmp_path: Path,
) -> None:
    project = repository(
        tmp_path / "p", {"same.py": "1", "changed.py": "1", "gone.py": "1", ".gitignore": "*.tmp2"}
    )
    write(project, {"changed.py": "2", "staged.py": "3", "twice.py": "4", "new/x.py": "5"})
    git(project, "add", "staged.py", "twice.py")
    write(project, {"twice.py": "6", "scrap.tmp2": "", "new/scrap.tmp2": ""})
    (project / "gone.py").unlink()
    facts = take_snapshot(project, tmp_path)
    assert {name: content for name, (_, content) in restored(tmp_path, facts).items()} == {
        b"same.py": b"1",
        b"changed.py": b"2",
        b"staged.py": b"3",
        b"twice.py": b"6",
        b"new/x.py": b"5",
        b".gitignore": b"*.tmp2",
    }
    assert facts["how"] == "git"
    assert facts["untracked"] == 1
    assert facts["left_out"] == []


def test_executable_bits_and_links_wherever_they_point_are_kept(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"run.sh": "#!/bin/sh\n", "pkg/a.py": ""})
    (project / "run.sh").chmod(0o755)
    links = {"dangling": "nowhere", "outside": "/etc/hostname", "folder": "pkg", "self": "self"}
    for name, target in links.items():
        (project / name).symlink_to(target)
    found = restored(tmp_path, take_snapshot(project, tmp_path))
    assert found[b"run.sh"][0] == "program"
    assert found[b"pkg/a.py"][0] == "file"
    for name, target in links.items():
        assert found[name.encode()] == ("link", target.encode())


@pytest.mark.parametrize("tracked", [True, False])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(NAMES, st.binary(max_size=100), max_size=5))
def test_any_name_and_content_comes_back_byte_for_byte(
    tracked: bool, files: dict[bytes, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "p")
        project.mkdir()
        for name, content in files.items():
            (project / os.fsdecode(name)).write_bytes(content)
        if tracked:
            repository(project, {})
        found = restored(Path(folder), take_snapshot(project, Path(folder)))
        assert {name: content for name, (_, content) in found.items()} == files


def test_odd_names_are_kept(tmp_path: Path) -> None:
    names = ["a\nb.py", 'it\'s "x".py', "手写/数字.py", "👩‍🔬.py", "-x.py", " .py", "a\\b.py"]
    names += ["git~1", "[x]*?.py", ":(top)x.py", "GIT~1.py", "con.py", "x" * 250 + ".py"]
    write(tmp_path / "p", dict.fromkeys(names, "1"))
    assert kept(tmp_path / "p", tmp_path) == set(names)


def test_bytes_are_kept_though_the_project_asks_git_to_convert_them(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "dos.py": b"a = 1\r\nb = 2\r\n",
        "mixed.txt": b"a\r\nb\n\xff\x00",
        "ident.py": b"# $Id$\n",
        "version.py": b"# $Format:%H$\n",
        "weights.lfs": b"not a pointer\r\n",
        "wide.txt": "ä\r\n".encode("utf-16"),
        "sub/.gitattributes": b"* eol=crlf\n",
        "sub/unix.py": b"a\nb\n",
    }
    project = tmp_path / "p"
    project.mkdir()
    git(project, "init", "-q")
    git(project, "config", "core.autocrlf", "true")
    git(project, "config", "core.safecrlf", "true")
    git(project, "config", "filter.lfs.clean", "false")
    git(project, "config", "filter.lfs.required", "true")
    write(project, files)
    attributes = (
        "* text=auto\nident.py ident\nversion.py export-subst\ndos.py export-ignore\n"
        "*.lfs filter=lfs diff=lfs merge=lfs -text\nwide.txt text working-tree-encoding=UTF-16\n"
    )
    write(project, {".gitattributes": attributes})
    before = {name: entry for name, entry in tree_of(project).items() if b".git/" not in name}
    assert restored(tmp_path, take_snapshot(project, tmp_path)) == before


def test_an_unchanged_tree_adds_no_object_and_no_ref(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1", "pkg/b.py": "2"})
    first = take_snapshot(project, tmp_path)
    before = store_files(tmp_path)
    assert take_snapshot(project, tmp_path) == first
    assert store_files(tmp_path) == before
    write(project, {"pkg/b.py": "3"})
    second = take_snapshot(project, tmp_path)
    assert second["tree"] != first["tree"]
    added = store_files(tmp_path) - before
    assert len(added) == 5  # the file, its folder, the top, the commit and its ref
    write(project, {"pkg/b.py": "2"})
    assert take_snapshot(project, tmp_path) == first
    assert store_files(tmp_path) == before | added
    assert restored(tmp_path, first)[b"pkg/b.py"][1] == b"2"
    assert restored(tmp_path, second)[b"pkg/b.py"][1] == b"3"


def test_any_garbage_collection_keeps_what_a_manifest_names(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1"})
    first = take_snapshot(project, tmp_path)
    write(project, {"a.py": "2"})
    second = take_snapshot(project, tmp_path)
    git(code_store(tmp_path), "gc", "-q", "--prune=now")
    git(code_store(tmp_path), "pack-refs", "--all")
    before = store_files(tmp_path)
    assert restored(tmp_path, first)[b"a.py"][1] == b"1"
    assert take_snapshot(project, tmp_path) == second
    again = f"refs/snapshots/{second['tree']}"  # young again, for whoever drops what is old
    assert store_files(tmp_path) == {*before, again}
    git(code_store(tmp_path), "fsck", "--strict")


def test_what_takes_the_place_of_something_else_is_followed(tmp_path: Path) -> None:
    project = tmp_path / "p"
    write(project, {"x": "1", "y/a.py": "2", "z/b.py": "3", "n": "4", "kept.py": "5"})
    assert kept(project, tmp_path) == {"x", "y/a.py", "z/b.py", "n", "kept.py"}
    (project / "x").unlink()
    write(project, {"x/deep/er.py": "6", ".gitignore": "n\n"})
    (project / "y" / "a.py").unlink()
    (project / "y").rmdir()
    (project / "y").write_text("7")
    (project / "z").rename(project / "w")
    (project / "z").symlink_to("w")
    (lock,) = (code_store(tmp_path) / "thexp").glob("*.lock")
    lock.unlink()
    found = restored(tmp_path, take_snapshot(project, tmp_path))
    assert {name: content for name, (_, content) in found.items()} == {
        b"x/deep/er.py": b"6",
        b"y": b"7",
        b"w/b.py": b"3",
        b"z": b"w",
        b"kept.py": b"5",
        b".gitignore": b"n\n",
    }
    assert not lock.exists()  # all was not read anew


def test_what_is_in_a_folder_that_took_the_place_of_a_tracked_file_is_kept(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"d": "old", "in/e": "1", "data": "2", ".gitignore": ""})
    assert kept(project, tmp_path) == {"d", "in/e", "data", ".gitignore"}
    for name in ("d", "in/e", "data"):
        (project / name).unlink()
    write(project, {"d/n.py": "", "d/deep/m.py": "", "in/e/f.py": "", "d/x.tmp": "", "data/k": ""})
    write(project, {".gitignore": "*.tmp\ndata/\n"})
    expected = {"d/n.py", "d/deep/m.py", "in/e/f.py", ".gitignore"}
    assert kept(project, tmp_path) == expected
    assert kept(project, tmp_path / "other") == expected  # with no index of before


def test_files_in_a_submodule_that_is_no_repository_any_more_are_kept(tmp_path: Path) -> None:
    inner = repository(tmp_path / "p" / "sub", {"a.py": "1"})
    project = repository(tmp_path / "p", {"b.py": "2"})
    assert git(project, "ls-files", "--stage", "sub").startswith("160000")
    shutil.rmtree(inner / ".git")
    assert kept(project, tmp_path) == {"sub/a.py", "b.py"}


def test_a_tracked_folder_that_became_a_link_is_kept_as_the_link(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"pkg/a.py": "1"})
    (project / "pkg").rename(tmp_path / "elsewhere")
    (project / "pkg").symlink_to(tmp_path / "elsewhere")
    found = restored(tmp_path, take_snapshot(project, tmp_path))
    assert found == {b"pkg": ("link", os.fsencode(tmp_path / "elsewhere"))}


def test_an_empty_project_has_an_empty_tree(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    facts = take_snapshot(tmp_path / "p", tmp_path)
    assert restored(tmp_path, facts) == {}
    git(tmp_path / "p", "init", "-q")
    assert take_snapshot(tmp_path / "p", tmp_path) == facts


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1"})
    take_snapshot(project, tmp_path)
    facts = (project / "a.py").stat()
    write(project, {"a.py": "2"})
    os.utime(project / "a.py", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert restored(tmp_path, take_snapshot(project, tmp_path))[b"a.py"][1] == b"2"


def test_only_a_tree_that_is_kept_is_written_out_and_only_into_an_empty_folder(
    tmp_path: Path,
) -> None:
    write(tmp_path / "p", {"a.py": "1"})
    tree = take_snapshot(tmp_path / "p", tmp_path)["tree"]
    with pytest.raises(GitError, match=r"cannot write out the tree 0{40}"):
        export_tree(tmp_path, "0" * 40, tmp_path / "out")
    with pytest.raises(RecordError, match="names no tree"):
        export_tree(tmp_path, "--help", tmp_path / "out")
    with pytest.raises(OSError, match="not empty"):
        export_tree(tmp_path, tree, tmp_path / "p")
    assert tree_of(tmp_path / "p") == {b"a.py": ("file", b"1")}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".thexp", "p"]
    (tmp_path / "out").mkdir()
    export_tree(tmp_path, tree, tmp_path / "out")
    assert tree_of(tmp_path / "out") == {b"a.py": ("file", b"1")}


def test_two_snapshots_are_compared_by_git_itself(tmp_path: Path) -> None:
    write(tmp_path / "p", {"a.py": "lr = 1\n"})
    before = take_snapshot(tmp_path / "p", tmp_path)["commit"]
    write(tmp_path / "p", {"a.py": "lr = 2\n"})
    after = take_snapshot(tmp_path / "p", tmp_path)["commit"]
    words = ["git", f"--git-dir={code_store(tmp_path)}", "diff", before, after]
    difference = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "-lr = 1\n+lr = 2\n" in difference
