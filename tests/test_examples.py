"""Every example runs by itself, in an empty folder, and warns of nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from thexp_pl import ExperimentViewer

ELSEWHERE = {"sweep"}  # minutes in processes of its own: in test_sweep_api
EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[1] / "examples").glob("*.py")
    if path.stem not in ELSEWHERE
)

# One process imports Lightning, which takes seconds, and forks a process for each example; that
# process ends as any script does, hooks at the exit included.
RUNNER = """
import gc, os, runpy, sys
from pathlib import Path
import pytorch_lightning

gc.freeze()  # or each child, at its end, looks through all that was imported: a second each
root, scripts = Path(sys.argv[1]), sys.argv[2:]
for script in scripts:
    place = root / Path(script).stem
    (place / "work").mkdir(parents=True)
    child = os.fork()
    if child == 0:
        break
    (place / "code").write_text(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
else:
    sys.exit()
for stream, name in ((1, "stdout"), (2, "stderr")):
    os.dup2(os.open(place / name, os.O_CREAT | os.O_WRONLY), stream)
os.chdir(place / "work")
sys.argv, sys.path[0] = [script], str(Path(script).parent)
runpy.run_path(script, run_name="__main__")
"""

# what Lightning itself warns of in any plain Trainer, and announces
LIGHTNINGS_WARNINGS = (
    "`isinstance(treespec",
    "The number of training batches",
    "The 'train_dataloader' does not have many workers",
    "The 'val_dataloader' does not have many workers",
)
ANNOUNCEMENT = re.compile(
    r"(GPU|TPU|HPU|IPU) available: |💡 Tip|`Trainer.fit` stopped: |Restor(ing|ed all) states |$"
)

# and what we say: of a training that fails on purpose, and of a script that takes three lines only
KEPT = "what this rank held when it failed is kept in "
INEXACT = "resuming will not be exact: the random states are not saved"


@dataclass
class Ran:
    code: int
    stdout: str
    stderr: str
    folder: Path


# Lightning 2.5 logs the model's summary, which later ones print as a table
SUMMARY = re.compile(r"(  \| Name .*|-+|\d+ +\| .*|[\d.]+ +((Non-t|T)rainable|Total|Modules) .*)$")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Run all examples."""
    root = tmp_path_factory.mktemp("examples")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": ",".join(f"ignore:{message}" for message in LIGHTNINGS_WARNINGS),
        "THEXP_HOME": str(root / "home"),
    }
    command = [sys.executable, "-c", RUNNER, str(root), *map(str, EXAMPLES)]
    subprocess.run(command, env=environment, check=True)
    results = {}
    for script in EXAMPLES:
        place = root / script.stem
        texts = [(place / name).read_text() for name in ("stdout", "stderr")]
        results[script.stem] = Ran(int((place / "code").read_text()), *texts, place / "work")
    return results


@pytest.mark.parametrize("name", [script.stem for script in EXAMPLES])
def test_an_example_ends_well_and_warns_of_nothing(name: str, ran: dict[str, Ran]) -> None:
    example = ran[name]

    said = [
        line
        for line in example.stderr.splitlines()
        if not ANNOUNCEMENT.match(line)
        and not SUMMARY.match(line)
        and not line.startswith(KEPT)
        and INEXACT not in line
    ]
    assert (example.code, said) == (0, [])


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("train_digits", {"loss"}),
        ("callbacks", {"loss", "eval_loss", "eval_acc", "test_acc"}),
        ("existing_trainer", {"loss", "acc", "val_acc"}),
    ],
)
def test_a_training_leaves_a_finished_run_with_its_files(
    name: str, metrics: set[str], ran: dict[str, Ran]
) -> None:
    viewer = ExperimentViewer([ran[name].folder / "experiment"])
    (run,) = viewer.runs()

    assert run.status == "finished"
    assert metrics <= run.manifest["metrics"].keys()
    files = sorted(path.name for path in (run.paths.folder / "modules").glob("*[0-9].*[ht]"))
    assert files == ["0000001.ckpt", "0000002.ckpt", "0000003.ckpt", "model.0000003.pth"]


def test_the_readme_trainers_run_is_named_after_its_parameters(ran: dict[str, Ran]) -> None:
    (run,) = ExperimentViewer([ran["train_digits"].folder / "experiment"]).runs()

    manifest = json.loads(run.paths.manifest.read_text())
    assert manifest["experiment"] == "mytrainer_lr=0.01"
    lines = ran["train_digits"].stdout.splitlines()
    assert len([line for line in lines if "/3 | 44/44 | @loss=" in line]) == 3
