"""A run that is interrupted for now: what its record says, and that it goes on."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.errors import UsageError
from thexp_pl.notebook.growing import GrowingCurves
from thexp_pl.record import Experiment
from thexp_pl.record.metrics import read_history
from thexp_pl.runs.curves import Curve, curves_of
from thexp_pl.runs.run import read_run

SCRIPT = """
from thexp_pl import Experiment
exp = Experiment("experiment", "digits", code=False, console=False)
exp.start_exp()
exp.log_metrics(0, 0, {"loss": 1.0})
exp.pause("interrupted", "SIGINT")
print(exp.path)
"""


def test_an_interrupted_run_stays_so_when_its_process_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=180, check=True
    )
    folder = Path(done.stdout.strip())
    (manifest,) = folder.glob("run.json")
    assert '"status": "interrupted"' in manifest.read_text()


def test_it_runs_again_as_soon_as_something_is_recorded(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.pause("interrupted", "SIGINT")
        run = read_run(exp.paths)
        assert (run.status, run.cause) == ("interrupted", {"signal": "SIGINT"})
        exp.log_metrics(0, 0, {"loss": 1.0})
        assert read_run(exp.paths).status == "running"
    run = read_run(exp.paths)
    assert (run.status, run.cause, run.metrics["loss"]["last"]) == ("finished", None, 1.0)


def test_a_run_that_is_ended_while_it_is_interrupted_stays_interrupted(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.pause("interrupted")
    assert read_run(exp.paths).status == "interrupted"
    with Experiment(tmp_path, "digits", code=False, console=False) as exp, \
            pytest.raises(UsageError, match="no status 'stopped'"):  # fmt: skip
        exp.pause("stopped")


# -- its curves, as the process that records it reads them ---------------------------------------


def plain(curves: dict[str, Curve]) -> dict[str, tuple[list[int], list[float]]]:
    """Give where the values of each curve stand, and the values."""
    return {name: (list(curve.xs), list(curve.values)) for name, curve in curves.items()}


@settings(max_examples=20)
@given(pieces=st.lists(st.lists(st.floats(allow_nan=False), max_size=8), max_size=6))
def test_curves_that_are_read_on_are_those_of_the_whole_file(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[float]]
) -> None:
    root = tmp_path_factory.mktemp("root")
    with Experiment(root, "digits", code=False, console=False) as exp:
        curves, step = GrowingCurves(exp), 0
        for piece in pieces:
            for value in piece:
                exp.log_metrics(step, 0, {"loss": value, "loss_step": 1.0})
                step += 1
            found = plain(curves.read())
        whole = plain(curves_of(read_history(exp.paths)))
    values = [value for piece in pieces for value in piece]
    wanted = {"loss": ([*range(step)], values)} if values else {}
    assert wanted == {name: whole[name] for name in whole if name == "loss"}
    assert not pieces or found == wanted
    assert plain(curves.read()) == wanted  # the run has ended by now


def test_long_curves_keep_their_spikes_and_few_of_their_points(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        curves = GrowingCurves(exp)
        for step in range(20_000):
            exp.log_metrics(step, 0, {"loss": 9.0 if step == 3_210 else step / 1e6})
            if step % 500 == 0:
                curves.read()
        loss = curves.read()["loss"]
    assert len(loss.values) <= 4_000
    assert (loss.xs[loss.values.index(9.0)], loss.xs[-1]) == (3_210, 19_999)
    assert max(later - step for step, later in pairwise(loss.xs)) < 200  # all along


def test_what_a_run_went_back_behind_is_no_more_in_its_curves(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        curves = GrowingCurves(exp)
        exp.log_metrics(0, 0, {"loss": 1.0})
        rows = exp.kept_rows()
        exp.log_metrics(1, 0, {"loss": 2.0})
        assert plain(curves.read())["loss"][1] == [1.0, 2.0]
        exp.go_back(rows)
        exp.log_metrics(1, 0, {"loss": 3.0})
        assert plain(curves.read())["loss"][1] == [1.0, 3.0]
