"""Which packages a run had, and which code stood behind those whose version does not tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record.code import git as git_module
from thexp_pl.record.facts import package_facts
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor

GIT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    **{f"GIT_{who}_NAME": "someone" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "someone" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=GIT
    ).stdout.strip()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that packages are installed in."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "missing"), str(folder)])
    return folder


def facts(root: Path) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    told = package_facts(RunPaths(root, "e", "k"), Redactor())
    return told["packages"], told["editable"]


def install(folder: Path, name: str, text: str = "", **direct_url: Any) -> Path:
    info = folder / name
    info.mkdir(parents=True)
    file = "METADATA" if name.endswith("dist-info") else "PKG-INFO"
    (info / file).write_text(text)
    if direct_url:
        (info / "direct_url.json").write_text(json.dumps(direct_url))
    return info


def install_in_place(site: Path, name: str, project: Path) -> None:
    project.mkdir(parents=True)
    url = project.as_uri()
    install(site, f"{name}-1.0.dist-info", url=url, dir_info={"editable": True})


@pytest.fixture
def project(site: Path, tmp_path: Path) -> Path:
    """A package in a repository of its own, installed in place."""
    folder = tmp_path / "work" / "mine"
    install_in_place(site, "mine", folder)
    (folder / "code.py").write_text("x = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", "code.py")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_the_packages_are_those_that_python_itself_finds(tmp_path: Path) -> None:
    expected: dict[str, str] = {}
    for found in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        expected.setdefault(name, found.version)
    packages, _ = facts(tmp_path)
    assert packages == expected
    assert list(packages) == sorted(packages)


def test_names_and_versions_are_read_where_the_folder_does_not_tell(
    site: Path, tmp_path: Path
) -> None:
    install(site, "torch-2.3.0+cu121.dist-info")
    install(site, "Ruamel.Yaml_clib-1!0.2.dist-info")
    install(site, "old_style-1.2-py3.8.egg-info")
    install(site, "no_version.egg-info", "Name: no-version\r\nVersion: 3.4\r\n\r\nVersion: 9")
    install(site, "with-hyphen-1.0.dist-info", "Version: 1.0\nName: with-hyphen\n")
    install(site, "empty.dist-info")
    install(site, "~roken-1.0.dist-info")
    (site / "single_file-0.1.egg-info").write_text("Name: whatever\n")
    (site / "module.py").write_text("")
    packages, editable = facts(tmp_path)
    assert packages == {
        "no-version": "3.4",
        "old-style": "1.2",
        "ruamel-yaml-clib": "1!0.2",
        "single-file": "0.1",
        "torch": "2.3.0+cu121",
        "with-hyphen": "1.0",
    }
    assert editable == {}


def test_of_two_versions_the_first_on_the_path_counts(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "pack-1.0.dist-info")
    install(tmp_path / "user", "Pack-2.0.dist-info")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "user"), str(site)])
    assert facts(tmp_path)[0] == {"pack": "2.0"}


def test_a_package_in_place_has_its_commit_and_whether_it_was_changed(
    project: Path, tmp_path: Path
) -> None:
    commit = git(project, "rev-parse", "HEAD")
    root = tmp_path / "work" / "mine" / "experiment"
    assert facts(root)[1] == {"mine": {"path": "..", "url": None, "commit": commit, "dirty": False}}
    (project / "data.bin").write_text("not tracked")
    assert facts(root)[1]["mine"]["dirty"] is False
    (project / "code.py").write_text("x = 2\n")
    assert facts(root)[1]["mine"]["dirty"] is True


def test_looking_changes_nothing_of_the_repository(project: Path, tmp_path: Path) -> None:
    (project / "code.py").touch()  # now git would like to refresh its index
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    facts(tmp_path)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_someone_else_is_asked_all_the_same(project: Path, tmp_path: Path) -> None:
    commit = git(project, "rev-parse", "HEAD")
    for path in (project, project / ".git"):
        os.chown(path, 1234, 1234)
    assert facts(tmp_path)[1]["mine"]["commit"] == commit


def test_the_repository_that_a_git_hook_points_at_is_not_asked(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert facts(tmp_path)[1]["mine"]["commit"] == git(project, "rev-parse", "HEAD")


def test_a_package_in_place_without_a_commit_has_none(site: Path, tmp_path: Path) -> None:
    install_in_place(site, "plain", tmp_path / "plain")
    install_in_place(site, "new", tmp_path / "数 据")
    git(tmp_path / "数 据", "init", "-q")
    install_in_place(site, "gone", tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    _, editable = facts(tmp_path / "experiment")
    assert [(name, told["commit"]) for name, told in editable.items()] == [
        ("gone", None),
        ("new", None),
        ("plain", None),
    ]
    assert editable["new"]["path"] == str(tmp_path / "数 据")


def test_without_git_there_is_no_commit_and_no_error(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts(tmp_path)[1]["mine"] | {"path": ""} == {
        "path": "", "url": None, "commit": None, "dirty": None,
    }  # fmt: skip


def test_a_git_that_hangs_does_not_hold_up_the_start(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    monkeypatch.setattr(git_module, "SECONDS", 0.2)
    assert facts(tmp_path)[1]["mine"]["commit"] is None


def test_sources_that_are_on_the_path_themselves_are_in_place(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project, "mine.egg-info", "Name: mine\nVersion: 1.1.dev0\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.chdir(project)  # as for a script beside its package
    packages, editable = facts(project / "experiment")
    assert packages == {"mine": "1.1.dev0"}
    assert editable["mine"]["path"] == ".."
    assert editable["mine"]["commit"] == git(project, "rev-parse", "HEAD")


def test_a_package_from_a_repository_has_the_commit_that_was_installed(
    site: Path, tmp_path: Path
) -> None:
    install(
        site,
        "fork-0.1.dist-info",
        url="https://me:planted@host/fork.git",
        vcs_info={"vcs": "git", "commit_id": "a" * 40},
    )
    install(site, "copied-0.1.dist-info", url="file:///wheels/copied.whl", archive_info={})
    _, editable = facts(tmp_path)
    assert editable == {
        "fork": {
            "path": None,
            "url": "https://<redacted>@host/fork.git",
            "commit": "a" * 40,
            "dirty": None,
        }
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"url": 1}', '{"url": "x", "vcs_info": 1}', "{"]
)
def test_a_damaged_direct_url_hides_no_package(site: Path, tmp_path: Path, text: str) -> None:
    (install(site, "pack-1.0.dist-info") / "direct_url.json").write_text(text)
    os.mkfifo(install(site, "pipe-1.0.dist-info") / "direct_url.json")
    assert facts(tmp_path) == ({"pack": "1.0", "pipe": "1.0"}, {})
