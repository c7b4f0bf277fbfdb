"""`globs`: variables of the project over those of the user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thexp_pl.errors import GlobsError, RecordError, UsageError
from thexp_pl.globvars import find_project, globs
from thexp_pl.record import Experiment


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, the working directory being a folder deep inside it."""
    folder = tmp_path / "project"
    (folder / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder / "src" / "deep")
    globs.init(folder)
    return folder


def test_the_project_comes_before_the_user(project: Path, own_home: Path) -> None:
    globs.update("global", "datasets", "/user")
    globs.update("global", "seed", 7)
    globs.update("local", "datasets", "/project")
    assert globs["datasets"] == globs.datasets == "/project"
    assert globs["seed"] == 7
    assert "seed" in globs
    assert "sed" not in globs
    assert globs.list_config() == {
        "global": {"datasets": "/user", "seed": 7},
        "local": {"datasets": "/project"},
    }
    assert globs.list_config(globa=False, local=True) == {"local": {"datasets": "/project"}}
    assert globs.glob_fn == own_home / "config.json"
    assert globs.local_fn == project / ".thexp" / "config.json"
    globs.unset("local", "datasets")
    assert globs["datasets"] == "/user"


def test_a_missing_variable_offers_the_near_miss_and_the_way_to_set_it(project: Path) -> None:
    globs.update("global", "datasets", "/user")
    with pytest.raises(GlobsError, match=r"'dataset'.*did you mean 'datasets'.*; set it with"):
        globs["dataset"]
    assert getattr(globs, "dataset", None) is None
    with pytest.raises(KeyError):
        globs["x"]
    with pytest.raises(GlobsError, match="at the local level"):
        globs.unset("local", "datasets")


def test_outside_a_project_the_local_level_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GlobsError, match="thexp-pl init"):
        globs.update("local", "a", 1)
    assert list(tmp_path.iterdir()) == []
    assert globs.local_fn is None
    assert globs.list_config(globa=False) == {"local": {}}


def test_a_level_that_is_none_is_refused_with_the_near_miss() -> None:
    with pytest.raises(GlobsError, match="did you mean 'global'"):
        globs.update("globl", "a", 1)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[0m"])
def test_a_name_that_cannot_be_seen_is_refused(name: str) -> None:
    with pytest.raises(GlobsError, match="cannot name a variable"):
        globs.update("global", name, 1)


def test_an_experiment_root_is_taken_for_no_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Experiment(project / "experiment", "a") as exp:
        pass
    monkeypatch.chdir(exp.path)
    assert (project / "experiment" / ".thexp").is_dir()
    assert find_project() == project


def test_a_folder_may_be_a_project_and_an_experiment_root(project: Path) -> None:
    globs.update("local", "a", 1)
    with Experiment(project, "a"):
        pass
    assert find_project() == project
    assert globs.a == 1


def test_the_users_own_folder_is_taken_for_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.chdir(home / "work")
    monkeypatch.setenv("HOME", str(home))
    for named in (str(home / ".thexp"), str(tmp_path / "elsewhere"), ""):
        monkeypatch.setenv("THEXP_HOME", named)
        globs.update("global", "a", 1)
        assert find_project() is None
    monkeypatch.setenv("THEXP_HOME", str(home / ".thexp"))
    with pytest.raises(GlobsError, match="choose another folder"):
        globs.init(home)


def test_making_a_project_again_keeps_its_variables(project: Path) -> None:
    globs.update("local", "a", 1)
    globs.init(project)
    assert globs.a == 1


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
))  # fmt: skip
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_value_comes_back_with_its_type(own_home: Path, value: Any) -> None:
    globs.update("global", "value", value)
    assert globs["value"] == value
    assert type(globs["value"]) is type(value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": NaN}', "[" * 10_000])
def test_a_damaged_file_is_named_and_left_as_it_is(own_home: Path, text: str) -> None:
    globs.glob_fn.write_text(text)
    with pytest.raises(GlobsError, match=r"config\.json'.*mend it"):
        globs["a"]
    with pytest.raises(GlobsError, match="mend it"):
        globs.update("global", "a", 1)
    assert globs.glob_fn.read_text() == text


def test_a_home_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(GlobsError, match=r"Not a directory; .*THEXP_HOME"):
        globs.update("global", "a", 1)


def test_a_file_of_variables_that_is_a_pipe_is_not_waited_for(own_home: Path) -> None:
    os.mkfifo(own_home / "config.json")
    script = "from thexp_pl import globs; globs['a']"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=180)
    assert b"not a regular file" in done.stderr


def test_a_folder_that_leads_to_itself_cannot_be_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".thexp").symlink_to(".thexp")
    with pytest.raises(GlobsError, match="cannot write the variables"):
        globs.init(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find_project() is None


def test_in_a_deleted_folder_relative_paths_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    globs.update("global", "a", 1)
    assert globs.a == 1
    with pytest.raises(UsageError, match="was deleted"):
        globs.init()
    with pytest.raises(RecordError, match="was deleted"):
        Experiment("exp")
    monkeypatch.setenv("THEXP_HOME", "home")
    with pytest.raises(UsageError, match="was deleted"):
        globs.update("global", "a", 1)
