"""A path outside the run's folder still holds when project and root are moved together."""

from __future__ import annotations

from pathlib import Path

import pytest

from thexp_pl.record.places import placed


def found(place: str, root: Path) -> Path:
    """What a reader makes of a written path."""
    return (root.resolve() / place).resolve()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def tree(home: Path, project: str, mark: str) -> Path:
    """A project with data, scripts and a root, marked as one."""
    folder = home / project
    for name in ("data/images", "scripts", "out/experiment"):
        (folder / name).mkdir(parents=True)
    (folder / mark).parent.mkdir(exist_ok=True)
    (folder / mark).write_text("{}")
    return folder


@pytest.mark.parametrize("mark", [".git", ".thexp/config.json", "pyproject.toml"])
@pytest.mark.parametrize("name", ["data/images", "scripts", "out/experiment", "out/experiment/a"])
def test_what_is_in_the_roots_project_is_found_after_a_move(
    home: Path, mark: str, name: str
) -> None:
    project = tree(home, "mine", mark)
    place = placed(project / name, project / "out/experiment")
    assert not place.startswith("/")
    moved = project.rename(home / "elsewhere")
    assert found(place, moved / "out/experiment") == moved / name


def test_without_a_mark_the_working_directory_is_the_project(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tree(home, "mine", "train.py")
    data, root = project / "data", project / "out/experiment"
    assert placed(data, root) == str(data)
    monkeypatch.chdir(project)
    assert placed("data", root) == "../../data"


def test_the_project_itself_is_the_folder_around_the_root_without_any_mark(home: Path) -> None:
    project = tree(home, "mine", "train.py")
    assert placed(project, project / "out/experiment") == "../.."


@pytest.mark.parametrize("mark", [".git", ".thexp/config.json"])
def test_a_home_is_no_project_though_it_looks_like_one(
    home: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(home, ".", mark)
    monkeypatch.chdir(home)
    root = home / "out" / "experiment"
    assert placed(home / "data", root) == str(home / "data")
    assert placed(home, root) == str(home)
    assert placed("/", root) == "/"


def test_data_that_a_link_in_the_project_names_stays_under_that_name(home: Path) -> None:
    project = tree(home, "mine", ".git")
    (home / "server").mkdir()
    (project / "linked").symlink_to(home / "server")
    place = placed(project / "linked", project / "out/experiment")
    assert place == "../../linked"


def test_a_root_behind_a_link_is_where_it_really_is(home: Path) -> None:
    project = tree(home, "mine", ".git")
    (home / "scratch").mkdir()
    (project / "linked").symlink_to(home / "scratch")
    data = project / "data"
    assert found(placed(data, project / "linked"), project / "linked") == data
    (home / "short").symlink_to(project)
    assert placed(home / "short" / "data", project / "out/experiment") == "../../data"


def test_a_deleted_working_directory_is_no_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "gone").mkdir()
    monkeypatch.chdir(home / "gone")
    (home / "gone").rmdir()
    assert placed(home / "a", home / "b") == str(home / "a")
