"""A process that is told to be a run again: who is meant, and what its runs take over."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerun_record_helpers import call, keys, manifests

from thexp_pl.errors import RecordError
from thexp_pl.record.folders import run_folders
from thexp_pl.record.rerun import Rerun, current

RUN = "begun().end_exp()\n"


def recorded(tmp_path: Path, body: str = RUN) -> tuple[Path, Path]:
    """Run a script once: its project, and the root that it recorded to."""
    project = tmp_path / "project"
    assert call(project, body)[::2] == (0, "")
    return project, project / "runs"


def test_what_is_written_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Rerun("resumed", ("a", "b"), tmp_path, tmp_path / "code", "/some/file.ckpt", True)
    for name, value in told.write(tmp_path / "rerun.json").items():
        monkeypatch.setenv(name, value)
    assert current() == told


@pytest.mark.parametrize(
    "change",
    [
        {"how": "copied"},
        {"runs": "abc"},
        {"runs": ["../../etc"]},
        {"root": "relative"},
        {"root": "/with\0nul"},
        {"project": 3},
        {"checkpoint": None},
        {"in_place": "yes"},
        {"how": "reproduced", "in_place": True},
    ],
)
def test_a_file_that_says_something_else_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    path = tmp_path / "rerun.json"
    for name, value in Rerun("resumed", ("a",), tmp_path).write(path).items():
        monkeypatch.setenv(name, value)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RecordError, match=r"^THEXP_PL_RERUN=.* unset the variable$"):
        current()


@given(content=st.binary(max_size=200))
def test_a_file_of_anything_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("told") / "rerun.json"
    environment = Rerun("resumed", ("a",), path.parent).write(path)
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(RecordError, match=r"\A[^\n]*\Z"):
            current()


def test_a_script_whose_file_is_gone_says_so_in_one_line(tmp_path: Path) -> None:
    told = Rerun("reproduced", ("a",), tmp_path)
    environment = told.write(tmp_path / "rerun.json")
    (tmp_path / "rerun.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        code, _, errors = call(tmp_path / "project", RUN)
    assert code == 1
    assert "No such file" in errors.splitlines()[-1]


def test_a_run_that_is_told_to_be_one_again_has_it_as_its_parent_in_the_same_root(
    tmp_path: Path,
) -> None:
    project, root = recorded(tmp_path)
    told = Rerun("reproduced", keys(root), root)
    # elsewhere the same script names another folder
    assert call(tmp_path / "copy", RUN, told)[::2] == (0, "")
    first, second = manifests(root)
    assert second["parent"] == {"key": first["key"], "how": "reproduced"}
    assert not (tmp_path / "copy" / "runs").exists()
    assert project.is_dir()


def test_a_run_that_is_reproduced_stays_so_where_its_training_goes_on_from_a_checkpoint(
    tmp_path: Path,
) -> None:
    body = "exp = begun()\nexp.set_parent('of old', 'resumed', '/a/b.ckpt', 'abc')\nexp.end_exp()\n"
    project, root = recorded(tmp_path, body)
    assert call(project, body, Rerun("reproduced", keys(root), root))[0] == 0
    first, second = manifests(root)
    origin = {"key": "of old", "how": "resumed", "checkpoint": "/a/b.ckpt", "sha256": "abc"}
    assert first["parent"] == origin
    assert second["parent"] == {**origin, "key": first["key"], "how": "reproduced"}


def test_the_runs_of_a_process_take_their_parents_in_the_order_of_their_start(
    tmp_path: Path,
) -> None:
    body = (
        "one, two = begun(), begun(name='other')\none.end_exp()\ntwo.end_exp()\n"
        "begun('elsewhere').end_exp()\n"
    )
    project, root = recorded(tmp_path, body)
    parents = keys(root)
    code, _, errors = call(project, body + RUN, Rerun("reproduced", parents, root))
    assert code == 0
    assert errors.count("this is run 3 of a process that recorded 2 before") == 1
    again = manifests(root)[2:]
    found = [run["parent"] and run["parent"]["key"] for run in again]
    assert found == [*parents, None]
    assert [run["parent"] for run in manifests(project / "elsewhere")] == [None, None]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_the_process_starts_for_something_else_is_not_meant(tmp_path: Path, when: str) -> None:
    other = tmp_path / "other.py"
    other.write_text(
        "from thexp_pl.record import Experiment\n"
        "with Experiment('runs', 'other', code=False, console=False): pass\n"
    )
    start = f"subprocess.run([sys.executable, {str(other)!r}], check=True, timeout=180)\n"
    body = start + RUN if when == "before" else RUN + start
    _, root = recorded(tmp_path, body)
    parent = next(run["key"] for run in manifests(root) if run["experiment"] == "digits")
    assert call(tmp_path / "project", body, Rerun("reproduced", (parent,), root))[0] == 0
    found = [(run["experiment"], bool(run["parent"])) for run in manifests(root)[2:]]
    assert sorted(found) == [("digits", True), ("other", False)]


def test_a_rank_that_the_process_starts_goes_on_from_the_checkpoint_and_takes_no_run(
    tmp_path: Path,
) -> None:
    body = (
        "from thexp_pl.record.rerun import current\n"
        "print(current(), flush=True)\n"
        "if not sys.argv[1:]:\n"
        "    for rank in '01':\n"
        "        again = {**os.environ, 'LOCAL_RANK': rank}\n"
        "        words = [sys.executable, __file__, 'again']\n"
        "        subprocess.run(words, env=again, check=True, timeout=180)\n"
    )
    told = Rerun("resumed", ("a",), tmp_path, None, "/some/0000001.ckpt")
    _, printed, _ = call(tmp_path / "project", body, told)
    ranks = replace(told, runs=())
    # a rank 0 is what the user starts from a process whose rank is 0
    assert printed.splitlines() == [repr(told), "None", repr(ranks)]


def test_a_forked_child_of_the_process_is_not_meant(tmp_path: Path) -> None:
    body = (
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "child = os.fork()\n"
        "if child == 0:\n    begun(name='child').end_exp()\n    os._exit(0)\n"
        "os.waitpid(child, 0)\n" + RUN
    )
    _, root = recorded(tmp_path, RUN)
    assert call(tmp_path / "project", body, Rerun("reproduced", keys(root), root))[0] == 0
    found = [(run["experiment"], bool(run["parent"])) for run in manifests(root)[1:]]
    assert sorted(found) == [("child", False), ("digits", True)]


def test_the_random_states_of_the_recorded_start_are_set(tmp_path: Path) -> None:
    body = (
        "import numpy.random\nexp = begun()\n"
        "print(random.random(), numpy.random.rand(), random.gauss(0, 1))\nexp.end_exp()\n"
    )
    project = tmp_path / "project"
    _, first, _ = call(project, body)
    root = project / "runs"
    _, again, errors = call(project, body, Rerun("reproduced", keys(root), root))
    _, resumed, _ = call(project, body, Rerun("resumed", keys(root)[:1], root))
    assert errors == ""
    assert again == first
    assert resumed != first  # its own checkpoint says where it goes on
    states = [paths.start_state.read_bytes() for paths in run_folders(root)]
    assert len(set(states)) == 2  # recorded after they were set


def test_a_parent_without_its_random_states_is_a_warning(tmp_path: Path) -> None:
    project, root = recorded(tmp_path)
    (paths,) = run_folders(root)
    paths.start_state.write_text("{}")
    code, _, errors = call(project, RUN, Rerun("reproduced", keys(root), root))
    assert code == 0
    assert "is damaged or no random state" in errors or "is no random state" in errors
    assert manifests(root)[1]["parent"]["how"] == "reproduced"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done.stdout


def test_the_snapshot_of_restored_code_is_the_recorded_tree_and_has_no_repository(
    tmp_path: Path,
) -> None:
    body = "begun(code=True).end_exp()\n"
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "data" / "mean.npy").write_text("1,2\n")  # code only because git tracks it
    (project / "script.py").write_text("")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "all")
    root = tmp_path / "experiments"
    body = body.replace("begun(", f"begun({str(root)!r}, ")
    assert call(project, body)[0] == 0
    (first,) = manifests(root)
    # below a repository of somebody else, which would ignore it
    around = tmp_path / "around"
    restored = around / "restored"
    restored.mkdir(parents=True)
    git(around, "init", "-q")
    (around / ".gitignore").write_text("restored\n")
    store, tree = str(root / ".thexp" / "code.git"), first["code"]["tree"]
    archive = subprocess.run(
        ["git", f"--git-dir={store}", "archive", tree], check=True, capture_output=True, timeout=180
    )
    subprocess.run(["tar", "-x"], cwd=restored, input=archive.stdout, check=True, timeout=180)
    told = Rerun("reproduced", keys(root), root, restored)
    assert call(restored, body, told)[0] == 0
    second = manifests(root)[1]
    assert "data/mean.npy" in git(root, f"--git-dir={store}", "ls-tree", "-r", tree)
    assert second["code"]["tree"] == tree
    assert first["git"]["commit"]
    assert second["git"] is None
    # in the user's own project all is as ever
    assert call(project, body, Rerun("resumed", keys(root)[:1], root, project))[0] == 0
    assert manifests(root)[2]["git"]["commit"] == first["git"]["commit"]


def test_a_run_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    _, root = recorded(tmp_path)
    code, _, errors = call(tmp_path / "project", RUN, Rerun("reproduced", ("gone",), root))
    assert code == 1
    assert errors.splitlines()[-1].endswith(f"it is not in {str(root)!r}")
    assert len(list((root / "digits").iterdir())) == 1
