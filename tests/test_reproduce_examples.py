"""`thexp-pl reproduce --verify` says of every example that it is the same again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from thexp_pl import ExperimentViewer

EXAMPLES = Path(__file__).parents[1] / "examples"
RECORDS = re.compile(r"Experiment\(|initial_exp\(|RunLogger\(|ThexpCLI\(|= sweep\(")
RECORDING = sorted(
    script.stem for script in EXAMPLES.glob("*.py") if RECORDS.search(script.read_text())
)
QUICK = ("experiment_facts", "viewer", "existing_trainer")
SECONDS = 300
ALL_SECONDS = 540  # of all that one process records, one after the other

# One process imports Lightning and forks a process for each example: each is as if it had been
# started by itself. The reproductions are.
RUNNER = """
import gc, os, runpy, sys
from pathlib import Path
import pytorch_lightning

gc.freeze()
for script in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        break
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{script} failed")
else:
    sys.exit()
os.chdir(Path(script).parent)
name = Path(script).name
sys.argv, sys.orig_argv[:], sys.path[0] = [name], [sys.executable, name], str(Path(script).parent)
runpy.run_path(name, run_name="__main__")
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = str(tmp_path_factory.mktemp("home"))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "THEXP_HOME": home}


def record(names: list[str], folder: Path, environment: dict[str, str]) -> dict[str, Path]:
    """Run examples, each in a project of its own that holds them all."""
    projects = {name: folder / name for name in names}
    for project in projects.values():
        shutil.copytree(EXAMPLES, project, ignore=shutil.ignore_patterns("__pycache__"))
        sweep = project / "sweep.py"  # with one seed for five: a point is like another
        sweep.write_text(sweep.read_text().replace("range(5)", "range(1)"))
    scripts = [str(project / f"{name}.py") for name, project in projects.items()]
    command = [sys.executable, "-c", RUNNER, *scripts]
    subprocess.run(command, env=environment, check=True, timeout=ALL_SECONDS, capture_output=True)
    return projects


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> dict[str, Path]:
    return record(list(QUICK), tmp_path_factory.mktemp("quick"), environment)


@pytest.fixture(scope="module")
def others(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> dict[str, Path]:
    names = [name for name in RECORDING if name not in QUICK]
    return record(names, tmp_path_factory.mktemp("others"), environment)


def reproduced(project: Path, environment: dict[str, str]) -> None:
    """Change the code of the project, and reproduce the last run that it recorded."""
    root = next(folder for folder in (project / "experiment", project / "exp") if folder.is_dir())
    run = ExperimentViewer([root]).run("@last")
    for script in project.glob("*.py"):
        script.write_text("raise SystemExit('this is not the recorded code')")
    command = [sys.executable, "-m", "thexp_pl", "reproduce", run.key, "--verify"]
    command += ["--exps_dir", str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    said = [line for line in done.stdout.splitlines() if line.startswith("verify:")]
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[:18] for line in said] == ["verify:  identical"]
    again = ExperimentViewer([root]).run("@last")
    assert again.manifest["code"]["tree"] == run.manifest["code"]["tree"]


@pytest.mark.parametrize("name", QUICK)
def test_an_example_is_reproduced_to_the_bit(
    name: str, quick: dict[str, Path], environment: dict[str, str]
) -> None:
    reproduced(quick[name], environment)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RECORDING if name not in QUICK])
def test_every_other_example_is_reproduced_to_the_bit(
    name: str, others: dict[str, Path], environment: dict[str, str]
) -> None:
    reproduced(others[name], environment)
