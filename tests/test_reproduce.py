"""`thexp-pl reproduce`: the recorded code runs again, as a new run, and gives the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reproduce_helpers import PLAIN, SECONDS, Terminal, forget, last, record, write

from thexp_pl import ExperimentViewer
from thexp_pl.rerun import reproduce

SHOW = "print('ran', *sys.argv[1:], os.getcwd(), os.environ.get('OMP_NUM_THREADS'))\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, {"pyproject.toml": "", "train.py": PLAIN})
    return folder


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def test_the_run_is_again_and_its_parent_is_the_recorded_one(
    project: Path, type_in: Terminal
) -> None:
    run = record(project)
    assert type_in("reproduce", run.key, "--verify") == 0
    again = last(project)
    assert type_in.said("run") == [f"digits/{again.key} reproduces digits/{run.key}"]
    assert type_in.said("verify") == ["identical: 10 values of metrics, no weights"]
    assert again.manifest["parent"] == {"key": run.key, "how": "reproduced"}
    assert again.manifest["code"]["tree"] == run.manifest["code"]["tree"]
    assert again.params == run.params
    assert again.status == "finished"
    assert not (project / "experiment" / "digits" / run.key / ".heartbeat").exists()


def test_the_recorded_code_runs_though_the_project_has_changed_or_is_gone(
    project: Path, type_in: Terminal
) -> None:
    write(project, {"lib/scale.py": "factor = 2.0", "lib/__init__.py": ""})
    script = PLAIN.replace("import os", "from lib.scale import factor\nimport os")
    write(project, {"train.py": script.replace("random.random()", "factor * random.random()")})
    run = record(project)
    write(project, {"lib/scale.py": "factor = 3.0"})
    assert type_in("reproduce", run.key, "--verify") == 0
    assert type_in.said("verify")[0].startswith("identical")
    forget(project)
    assert type_in("reproduce", run.key, "--verify") == 0
    assert type_in.said("verify")[0].startswith("identical")
    assert {path.name for path in project.iterdir()} == {"experiment"}


def test_arguments_and_variables_are_as_recorded(project: Path, type_in: Terminal) -> None:
    write(project, {"train.py": PLAIN + SHOW, "conf/a.yaml": ""})
    config = project / "conf" / "a.yaml"
    words = (
        "-u",
        "train.py",
        "--lr",
        "0.1 0.2",
        f"--config={config}",
        str(config),
        "/etc/hostname",
    )
    record(project, *words, env={"OMP_NUM_THREADS": "3", "WORLD_SIZE": "7"})
    assert type_in("reproduce", "@last") == 0
    (folder,) = map(Path, type_in.said("code"))
    moved = folder / "conf" / "a.yaml"
    assert (
        f"ran --lr 0.1 0.2 --config={moved} {moved} /etc/hostname {folder} 3"
        in type_in.out.splitlines()
    )


@pytest.mark.parametrize(
    ("words", "cwd"),
    [
        (("train.py",), "."),
        (("./train.py",), "."),
        (("{project}/train.py",), "."),
        (("../train.py",), "sub"),
        (("project/train.py",), ".."),
        (("-m", "train"), "."),
        (("-c", "import train"), "."),
        (("-B", "-W", "ignore", "-m", "pkg.inner"), "."),
    ],
)
def test_however_the_script_was_started(
    words: tuple[str, ...], cwd: str, project: Path, type_in: Terminal
) -> None:
    script = PLAIN.replace('"./experiment"', "os.environ['ROOT']")
    write(project, {"train.py": script, "pkg/inner.py": script, "sub/x.py": ""})
    named = [word.format(project=project) for word in words]
    run = record(project, *named, cwd=project / cwd, env={"ROOT": str(project / "experiment")})
    forget(project)
    os.environ["ROOT"] = str(project / "experiment")  # no variable that a record keeps
    try:
        assert type_in("reproduce", run.key, "--verify") == 0, type_in.err
    finally:
        del os.environ["ROOT"]
    assert type_in.said("verify")[0].startswith("identical")


def test_a_package_of_the_project_installed_in_place_is_the_recorded_one(
    project: Path, type_in: Terminal
) -> None:
    site = project / "site"
    info = site / "mine-1.0.dist-info"
    url = json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}})
    write(info, {"METADATA": "Name: mine\nVersion: 1.0\n", "direct_url.json": url})
    write(project, {"src/mine.py": "factor = 2.0", ".gitignore": "site\n"})
    # as pip does: the working tree is on the path, after PYTHONPATH
    start = f"import sys; sys.path += [{str(site)!r}, {str(project / 'src')!r}]\n"
    script = PLAIN.replace("random.random()", "mine.factor")
    write(project, {"train.py": f"{start}import mine\n{script}"})
    run = record(project)
    assert "mine" in run.manifest["editable"]
    write(project, {"src/mine.py": "factor = 3.0"})
    assert type_in("reproduce", run.key, "--verify") == 0
    assert type_in.said("verify")[0].startswith("identical")


def test_all_runs_of_one_process_have_their_parents_in_order(
    project: Path, type_in: Terminal
) -> None:
    write(project, {"train.py": PLAIN + PLAIN.replace("digits", "letters")})
    record(project)
    viewer = ExperimentViewer([project / "experiment"])
    first, second = viewer.runs()
    assert type_in("reproduce", first.key, "--verify") == 0
    again = viewer.runs()[2:]
    assert [run.manifest["parent"]["key"] for run in again] == [first.key, second.key]
    assert type_in.said("run") == [f"digits/{again[0].key} reproduces digits/{first.key}"]
    assert type_in("reproduce", second.key, "--verify") == 0
    assert type_in.said("verify")[0].startswith("identical")


def test_a_reproduction_can_be_reproduced(project: Path, type_in: Terminal) -> None:
    reads = "from thexp_pl import ExperimentViewer\nExperimentViewer(['experiment']).run('@last')\n"
    write(project, {"train.py": PLAIN + reads})
    trees = {record(project).manifest["code"]["tree"]}
    for _ in range(2):
        assert type_in("reproduce", "digits", "--verify") == 0
        trees.add(last(project).manifest["code"]["tree"])
    assert len(trees) == 1


def test_a_failing_command_is_one_line_and_code_1(project: Path, type_in: Terminal) -> None:
    write(project, {"train.py": PLAIN + "    sys.exit(3 if 'AGAIN' in os.environ else 0)\n"})
    run = record(project)
    os.environ["AGAIN"] = "1"
    try:
        told = type_in.refused("reproduce", run.key, code=1)
    finally:
        del os.environ["AGAIN"]
    assert "the command ended with exit code 3" in told
    assert len(type_in.said("run")) == 1


def test_what_the_snapshot_left_out_is_named_and_can_be_linked(
    project: Path, type_in: Terminal
) -> None:
    write(
        project, {"train.py": f"{PLAIN}open('table.txt').read()\n", "table.txt": "1" * 11_000_000}
    )
    run = record(project)
    assert type_in("reproduce", run.key) == 1
    told = type_in.err.splitlines()[-1]
    assert "the snapshot had left out 'table.txt' (larger than" in told
    assert told.endswith("--link brings them in")
    assert type_in("reproduce", run.key, "--link", "table.txt") == 0
    for name in ("gone.bin", "../project/../x", "."):
        told = type_in.refused("reproduce", run.key, "--link", name)
        assert f"--link '{name}' names nothing in the project" in told


def test_a_dry_run_restores_and_prints_the_command_that_then_works(
    project: Path, type_in: Terminal, tmp_path: Path
) -> None:
    run = record(project, "train.py", "it's", "a\nb", "$HOME", env={"PYTHONHASHSEED": "5"})
    assert type_in("reproduce", run.key, "--dry_run", "--to", str(tmp_path / "to")) == 0
    assert len(ExperimentViewer([project / "experiment"]).list()) == 1
    (line,) = type_in.said("command")
    assert line.startswith(f"cd {tmp_path}/to/code && env ")
    assert f" {sys.executable} train.py " in line
    assert subprocess.run(["bash", "-c", line], timeout=SECONDS).returncode == 0
    again = last(project)
    assert again.manifest["parent"]["key"] == run.key
    assert again.manifest["argv"] == run.manifest["argv"]
    assert again.manifest["environment"]["PYTHONHASHSEED"] == "5"


def test_the_python_door_gives_what_the_command_prints(project: Path) -> None:
    run = record(project)
    done = reproduce(run, verified=True)
    assert done.run is not None
    assert done.run.manifest["parent"]["key"] == run.key
    assert (done.fault, done.differences) == ("", [])
    assert done.verdict is not None
    assert done.verdict.identical
    assert done.verdict.values == 10
