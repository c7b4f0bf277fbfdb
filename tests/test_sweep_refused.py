"""What an engine cannot do is said before anything is submitted: one line, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from port_helpers import kept_port
from sweep_local_helpers import PLAIN, Heard, light_sweep, root, run_all

from thexp_pl.sweeps.engines.local import LocalEngine

__all__ = ["root"]

SECONDS = 240
_SCRIPT = """
from thexp_pl import Experiment
with Experiment("./experiment", "light", console=False):
    pass
"""


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(folder: Path, *words: str, path: str | None = None) -> tuple[str, int]:
    """Give the one line with which a sweep is refused that leaves nothing, and its process."""
    (folder / "train.py").write_text(_SCRIPT)
    before = listing(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", "sweep", "train.py", "--lr=1,2", *words],
        cwd=folder,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, printed) == (2, ""), said
    assert listing(folder) == before
    assert said.count("\n") == 1, said
    return said.removeprefix("error: "), process.pid


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine=slurm", "--slurm.partitoin=gpu"], "did you mean 'partition'?"),
        (["--engine=local", "--min_free_memory=999999GB"], "can never be free"),
        (["--engine=slurm", "--slurm.cluster=local", "--exps_dir=100%a"], "SLURM reads a %"),
    ],
)
def test_what_no_engine_can_do_leaves_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    assert said in refused(tmp_path, *words)[0]


def test_a_machine_without_sbatch_leaves_nothing(tmp_path: Path) -> None:
    line, _ = refused(tmp_path, "--engine=slurm", "--slurm.timeout_min=5", path="/nowhere")
    assert line.startswith("no sbatch on PATH")


def test_a_cluster_that_cannot_be_reached_leaves_nothing(tmp_path: Path) -> None:
    with kept_port() as port:
        address = f"127.0.0.1:{port}"
        line, _ = refused(tmp_path, "--engine=ray", f"--address={address}")
    assert line.startswith(f"no Ray cluster can be reached at '{address}'")


def test_more_than_a_ray_of_its_own_has_leaves_nothing(tmp_path: Path) -> None:
    line, pid = refused(tmp_path, "--engine=ray", "--cpus_per_run=1000")
    assert line.startswith("a run takes 1000 CPU and 0 GPU, and no node of Ray on this machine")
    assert not list(Path("/tmp").glob(f"thexp_pl-ray-{pid}-*"))


class _Broken(LocalEngine):
    """Fails at its second point, in a way that nobody has thought of."""

    def start(self, point: int) -> None:
        if point:
            raise RuntimeError("can't start new thread")
        super().start(point)


def test_an_engine_that_fails_ends_the_sweep_and_what_runs(root: Path) -> None:
    sweep = light_sweep(root, f"if lr == '1':\n    wait_for('go')\n{PLAIN}", ["1", "2"])
    heard = Heard()
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run_all(sweep, _Broken(2), listener=heard)
    assert heard.lines == ["what runs (1) ends with a checkpoint; once more kills it"]
