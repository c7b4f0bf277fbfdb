"""Configuration files that a sweep is given: kept at submission, and counted by their content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import FACADE, environment
from sweep_command_helpers import SECONDS, begun, key_of, manifests, sweep, until
from swept_helpers import git, write

SCRIPT = """
import os, time
from pathlib import Path
import yaml
from thexp_pl import Experiment, Params

params = Params()
params.own, params.local, params.far, params.seed = "", "", "", 0
params.from_args()
gate = os.environ.get("GATE")
told = {}
for name in ("own", "local", "far"):
    path = Path(params[name])
    told |= yaml.safe_load(path.read_text())
    told[f"beside {name}"] = (path.parent / told.pop("beside")).read_text()
with Experiment("./experiment", "light", console=False) as exp:
    exp.params = {"seed": params.seed, "told": told}
    exp.log_metrics(0, 0, {"acc": 1.0})
    while gate and not Path(gate).exists():
        time.sleep(0.02)
"""
FIRST = {"own": 1, "local": 2, "far": 3}
BESIDE = {f"beside {name}": name for name in FIRST}
EDITED = dict.fromkeys(FIRST, 9)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a configuration in its code and an ignored one; a third lies beside it."""
    here = tmp_path / "project"
    write(
        here,
        {"train.py": SCRIPT, ".gitignore": "experiment\nlocal/\n", "points.csv": "seed\n0\n1\n"},
    )
    write(here, {"conf/own.txt": "own", "local/deep/local.txt": "local"})
    write(tmp_path, {"shared/far.txt": "far"})
    git(here, "init", "-q")
    configure(here, FIRST)
    monkeypatch.chdir(here)
    return here


def configure(here: Path, values: dict[str, int]) -> None:
    for path, beside in (
        (here / "conf/own.yaml", "own.txt"),
        (here / "local/deep/local.yaml", "./local.txt"),
        (here / "../shared/sub/far.yaml", "../far.txt"),
    ):
        text = f"{path.stem}: {values[path.stem]}\nbeside: {beside}\n"
        write(path.parent, {path.name: text})


def words(here: Path) -> list[str]:
    far = os.path.relpath(here.parent / "shared/sub/far.yaml", here)
    files = ("--own=conf/own.yaml", "--local=local/deep/local.yaml", f"--far={far}")
    return ["train.py", *files, "--points=points.csv"]


def told(here: Path) -> list[tuple[int, dict[str, Any]]]:
    """Give what the runs have read, by their seeds."""
    found = [(run["params"]["seed"], run["params"]["told"]) for run in manifests(here)]
    return sorted(found, key=lambda one: (one[0], one[1]["own"]))


def test_configuration_that_is_edited_while_points_wait_stays_as_it_was_submitted(
    here: Path,
) -> None:
    gate = here.parent / "gate"
    process = begun({"GATE": str(gate)}, *words(here))
    try:
        until(lambda: manifests(here) or process.poll() is not None)  # one runs, one waits
        configure(here, EDITED)
        (here / "points.csv").write_text("seed\n5\n")
        gate.touch()
        out, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, out
    assert told(here) == [(0, {**FIRST, **BESIDE}), (1, {**FIRST, **BESIDE})]
    (code,) = {run["code"]["tree"] for run in manifests(here)}
    (submitted,) = here.glob("experiment/.thexp/sweeps/*/sweep.json")
    assert json.loads(submitted.read_text())["facts"]["code"]["tree"] == code


@pytest.mark.parametrize("name", ["far", pytest.param("local", marks=pytest.mark.slow)])
def test_the_same_command_with_an_edited_configuration_makes_new_points(
    here: Path, name: str
) -> None:
    first = key_of(sweep(*words(here), "-j", "2"))
    configure(here, {**FIRST, name: 9})
    lines = sweep(*words(here), "-j", "2")
    assert key_of(lines) != first
    assert lines[0].endswith("2 points, engine local, -j 2")
    (note,) = [line for line in lines if line.startswith("note:")]
    assert f"{first} (2 of 2 done) is this command with other configuration" in note
    assert f"{name}.yaml' differs" in note
    assert [values[name] for _, values in told(here)].count(9) == 2
    configure(here, FIRST)
    assert sweep(*words(here))[:2] == [
        f"sweep: {first}, 2 points (2 done before), engine local, -j 1",
        "all 2 points are done",
    ]


def test_a_run_is_reproduced_with_the_configuration_that_it_had(here: Path) -> None:
    typed = [word.replace("local/deep/local", "conf/own") for word in words(here)]
    sweep(*typed, "-j", "2")
    run, _ = manifests(here)
    configure(here, EDITED)
    done = subprocess.run(
        [sys.executable, "-m", "thexp_pl", "reproduce", run["key"]], capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    (again,) = [one for one in manifests(here) if one["parent"]]
    assert again["params"] == run["params"]
    assert again["params"]["told"]["far"] == 3


def test_links_beside_a_file_show_its_neighbours_and_lead_to_no_folder_of_the_runs(
    here: Path,
) -> None:
    write(here.parent, {"near.yaml": "far: 3\nbeside: project/conf/own.txt\n"})
    sweep(*words(here)[:-2], "--far=../near.yaml", "--points=points.csv", "-j", "2")
    assert [values["beside far"] for _, values in told(here)] == ["own", "own"]
    root = (here / "experiment").resolve()
    (kept,) = root.glob(".thexp/sweeps/*/configuration")
    paths = [Path(top, name) for top, *both in os.walk(kept) for names in both for name in names]
    links = [path.resolve() for path in paths if path.is_symlink()]
    assert links
    assert not [path for path in links if root.is_relative_to(path)]  # who follows would loop


def test_a_file_with_a_secret_is_not_copied_and_that_is_said(here: Path) -> None:
    write(here, {"local/deep/local.yaml": "local: 2\nbeside: local.txt\napi_key: k3JkP0qZx81vNw\n"})
    lines = sweep(*words(here), "-j", "2")
    (note,) = [line for line in lines if line.startswith("note:")]
    assert "local.yaml' holds a secret and is not copied" in note
    assert [values["local"] for _, values in told(here)] == [2, 2]
    (kept,) = here.glob("experiment/.thexp/sweeps/*/code/local")
    assert kept.is_symlink()


GATED = FACADE.replace(
    "        self.optim = torch",
    "        import os, pathlib, time\n"
    "        pathlib.Path(os.environ['GATE'] + '.begun').touch()\n"
    "        while not pathlib.Path(os.environ['GATE']).exists():\n"
    "            time.sleep(0.02)\n"
    "        self.optim = torch",
    1,
)


@pytest.mark.slow  # three processes that import torch, one after the other
@pytest.mark.parametrize("by_variable", [False, True])
def test_fit_reads_the_files_of_its_command_and_those_that_they_name_as_they_were(
    here: Path, *, by_variable: bool
) -> None:
    file = here.parent / "shared/fit.yaml"
    write(here, {"mine.py": GATED})
    file.write_text("width: 5\ntrainer: sub/trainer.yaml\n")
    write(here.parent, {"shared/sub/trainer.yaml": "{max_steps: 3, log_every_n_steps: 1}\n"})
    gate = here.parent / "gate"
    given = ["--trainer_class=mine:MyTrainer", "--seed=0,1", "--device=cpu"]
    variables = {**environment(here), "GATE": str(gate), "PYTHONWARNINGS": "ignore"}
    if by_variable:
        variables["PL_FIT__CONFIG"] = str(file)
    else:
        given.append(f"--config={file}")
    process = begun(variables, *given)
    try:
        until(lambda: Path(f"{gate}.begun").exists() or process.poll() is not None)
        file.write_text("width: 7\n")
        write(here.parent, {"shared/sub/trainer.yaml": "max_steps: 1\n"})
        gate.touch()
        out, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, out
    runs = manifests(here)
    assert [run["params"]["width"] for run in runs] == [5, 5]
    assert [run["metrics"]["loss_step"]["count"] for run in runs] == [3, 3], runs[0]["metrics"]
