"""Submitting a sweep: what its runs run, and that it is whole whatever happens."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
from swept_helpers import (
    SCRIPT,
    finished,
    forked,
    git,
    point_of,
    points_of,
    run_of,
    submitted,
    wait_for,
    write,
)

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.code import NoGitError
from thexp_pl.record.sweep_folder import SweepFolder, sweeps_of
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.submission import held, submit
from thexp_pl.sweeps.sweep import read_points, read_sweep

SECONDS = 120


@pytest.fixture(autouse=True)
def project() -> Path:
    folder = Path.cwd()
    write(folder, {"train.py": SCRIPT, "pyproject.toml": ""})
    return folder


def test_what_was_submitted_runs_whatever_becomes_of_the_project(project: Path) -> None:
    sweep = submitted("0.5")
    write(project, {"train.py": "raise SystemExit('edited')"})
    assert finished(sweep).params["lr"] == 0.5


def test_the_same_command_on_the_same_code_goes_on_with_the_same_sweep(project: Path) -> None:
    first = submitted("0.1", "0.2")
    again = submitted("0.2", "0.3", "0.3")
    assert again == first
    points = read_points(again)
    assert [(point.number, point.values["lr"]) for point in points] == [
        (0, "0.1"),
        (1, "0.2"),
        (2, "0.3"),
    ]
    write(project, {"train.py": SCRIPT + "\n"})
    assert submitted("0.1").key != first.key


def test_other_words_names_or_folders_are_another_sweep(project: Path) -> None:
    write(project, {"sub/train.py": SCRIPT, "sub/other.py": ""})
    sweeps = [
        submit("experiment", words, names, points_of("1"), command="", folder=project / folder)
        for words, names, folder in (
            (["train.py"], ["lr"], "."),
            (["train.py", "--seed=1"], ["lr"], "."),
            (["train.py"], ["lr", "seed"], "."),
            (["train.py"], ["lr"], "sub"),
        )
    ]
    assert len({sweep.key for sweep in sweeps}) == 4


def test_what_the_snapshot_leaves_out_is_seen_through_links(project: Path) -> None:
    ignored = "data/\n*.bin\n.env*\nlocal.py\n"
    write(project, {".gitignore": ignored, "data/x.csv": "1", "pkg/big.bin": "2", "pkg/a.py": ""})
    write(
        project,
        {"local.py": "here = 1", ".env": "KEY=1", "sp ace\n/b.bin": "3", "sp ace\n/c.py": ""},
    )
    write(project, {"vendor/own.py": "", "vendor/own.bin": "x" * 9})
    git(project / "vendor", "init", "-q")
    write(project, {"venv/pyvenv.cfg": "", "__pycache__/x.pyc": "", "runs.log": "by its name"})
    git(project, "init", "-q")
    code = submitted().paths.code
    assert {path.name for path in code.iterdir()} == {
        *(".gitignore", "data", "pkg", "local.py", ".env", "sp ace\n", "runs.log", "vendor"),
        *("train.py", "pyproject.toml"),
    }
    linked = ("data", "pkg/big.bin", "local.py", ".env", "sp ace\n/b.bin", "runs.log")
    assert all((code / name).is_symlink() for name in linked)
    assert not any(
        (code / name).is_symlink() for name in ("pkg", "pkg/a.py", "train.py", "sp ace\n")
    )
    assert sorted(path.name for path in (code / "vendor").iterdir()) == ["own.bin", "own.py"]
    assert (code / "data/x.csv").samefile(project / "data/x.csv")
    write(project, {"data/later.csv": "4"})
    assert (code / "data/later.csv").read_text() == "4"


def test_a_root_in_a_folder_of_outputs_is_not_linked_but_its_neighbours_are(project: Path) -> None:
    write(project, {".gitignore": "out/", "out/results.csv": "1"})
    git(project, "init", "-q")
    code = submitted("0.1", root="out/experiment").paths.code
    assert sorted(path.name for path in (code / "out").iterdir()) == ["results.csv"]


def test_a_project_that_is_its_own_root_does_not_hold_its_sweeps(project: Path) -> None:
    first = submitted("0.1", root=".")
    assert submitted("0.2", root=".") == first
    names = {path.name for path in first.paths.code.iterdir()}
    assert names == {"train.py", "pyproject.toml"}


def test_a_project_that_is_moved_with_its_root_goes_on(project: Path) -> None:
    write(
        project,
        {
            ".gitignore": "data",
            "data/x": "seen",
            "train.py": SCRIPT + "print(open('data/x').read())",
        },
    )
    git(project, "init", "-q")
    key = submitted("0.1").key
    moved = project.with_name(f"{project.name}-moved")
    project.rename(moved)
    os.chdir(moved)
    sweep = read_sweep(SweepFolder(moved / "experiment", key))
    finished(sweep)
    assert sweep.paths.log(0).read_text() == "seen\n"
    assert submitted("0.1", "0.2").key == key
    finished(sweep, 1)


def test_a_link_that_leads_nowhere_any_more_is_made_anew(project: Path, tmp_path: Path) -> None:
    write(project, {".gitignore": "data", "data/x": "seen", "broken.txt": ""})
    (project / "broken.txt").unlink()
    (project / "broken.txt").symlink_to("nowhere")
    git(project, "init", "-q")
    root = tmp_path / "elsewhere" / "root"
    first = submitted("0.1", root=root)
    moved = project.with_name(f"{project.name}-moved")
    project.rename(moved)
    assert not (first.paths.code / "data/x").exists()
    os.chdir(moved)
    assert submitted("0.1", root=root) == first
    assert (first.paths.code / "data/x").read_text() == "seen"
    assert (first.paths.code / "broken.txt").readlink() == Path("nowhere")


def test_packages_of_the_project_are_those_that_were_submitted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        project,
        {"src/factor.py": "value = 1", "train.py": SCRIPT + "import factor; print(factor.value)"},
    )
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    sweep = submitted("0.1")
    write(project, {"src/factor.py": "value = 2"})
    finished(sweep)
    assert sweep.paths.log(0).read_text() == "1\n"


def test_two_that_submit_the_same_at_once_get_one_sweep(project: Path) -> None:
    with contextlib.ExitStack() as stack:
        for child in [stack.enter_context(forked(submitted)) for _ in range(4)]:
            os.waitpid(child, 0)
    assert len(list(sweeps_of(project / "experiment").glob("sweep-*"))) == 1
    assert len(read_points(submitted())) == 2


def killed_while_it_submits(seconds: float) -> None:
    with forked(lambda: submitted("0.1")) as child:
        time.sleep(seconds)  # nothing is waited for: it is the moment of the kill
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_kill_at_any_moment_leaves_nothing_that_the_next_one_stumbles_on(project: Path) -> None:
    write(project, {f"pkg/m{number}.py": f"x = {number}" for number in range(200)})
    chance = random.Random(8)
    for turn in range(8):
        write(project, {"turn.py": str(turn)})
        killed_while_it_submits(chance.random() * 0.12)
        shutil.rmtree(submitted("0.1").paths.code)  # as `thexp-pl gc` does
        killed_while_it_submits(chance.random() * 0.06)
        sweep = submitted("0.1")
        assert (sweep.paths.code / "turn.py").read_text() == str(turn)
        assert len(list((sweep.paths.code / "pkg").iterdir())) == 200
        assert [point.values for point in read_points(sweep)] == [{"lr": "0.1"}]
        folders = {path.name for path in sweeps_of(project / "experiment").iterdir()}
        assert all((sweeps_of(project / "experiment") / name / "sweep.json").exists()
                   for name in folders - {".submit.lock"})  # fmt: skip
    assert finished(sweep).status == "finished"


def test_without_git_it_is_refused_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoGitError, match=r"^there is no git program[^\n]*install git$"):
        submitted()
    assert not sweeps_of(project / "experiment").exists()


def test_a_disk_that_takes_no_more_leaves_no_sweep(project: Path) -> None:
    write(project, {"large.txt": "x" * 200_000})
    submitted("0.1")
    write(project, {"turn.py": ""})

    def starved() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with pytest.raises(RecordError, match=r"^[^\n]+$"):
            submitted("0.1")
        (project / "told").touch()

    with forked(starved) as child:
        os.waitpid(child, 0)
    assert (project / "told").exists()
    assert len(list(sweeps_of(project / "experiment").glob("sweep-*"))) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian.py"], "there is no script 'trian.py'"),
        (["../train.py"], "the script '../train.py' is not in the project"),
    ],
)
def test_a_script_that_is_not_in_the_project_is_refused(
    project: Path, words: list[str], told: str
) -> None:
    (project / "inner").mkdir()
    write(project / "inner", {"pyproject.toml": ""})
    os.chdir(project / "inner")
    with pytest.raises(UsageError, match=told):
        submit("experiment", words, [], points_of("1"), command="")


@pytest.mark.parametrize(
    ("words", "values", "name"),
    [
        (["--api_key=abcDEF123456"], {}, "--api_key"),
        (["--password", "abcDEF123456"], {}, "--password"),
        (["--data=https://me:abcDEF123456@host/x"], {}, "--data"),
        ([], {"hf.token": "abcDEF123456"}, "--hf.token"),
    ],
)
def test_a_secret_is_refused_before_anything_is_written(
    project: Path, words: list[str], values: dict[str, str], name: str
) -> None:
    points = [Point(0, values, "x")]
    with pytest.raises(UsageError, match=rf"^'?{name}'? takes a secret") as refused:
        submit("experiment", ["train.py", *words], ["x"], points, command="")
    assert "abcDEF" not in str(refused.value)
    assert not (project / "experiment").exists()


def test_one_process_at_a_time_works_on_a_sweep(project: Path) -> None:
    sweep = submitted()

    def hold() -> None:
        with held(sweep):
            (project / "held").touch()
            time.sleep(SECONDS)

    with forked(hold) as child:
        wait_for((project / "held").exists)
        with (
            pytest.raises(RecordError, match=rf"another process \(process {child} on "),
            held(sweep),
        ):
            pass
    with held(sweep):
        pass


def test_the_command_runs_in_the_folder_in_which_it_was_typed(project: Path) -> None:
    write(project, {"sub/train.py": SCRIPT + "print(os.path.relpath(os.getcwd(), '..'))"})
    os.chdir(project / "sub")
    sweep = submit(project / "experiment", ["train.py"], [], points_of("1"), command="")
    process = begin_attempt(sweep, point_of(sweep))
    assert process.wait(SECONDS) == 0
    assert sweep.paths.log(0).read_text() == "sub\n"
    assert not (project / "sub" / "experiment").exists()
    assert run_of(sweep).manifest["code"]["entry"] == "sub/train.py"
