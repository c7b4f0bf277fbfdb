"""``thexp-pl sweep --sampler``: a search from its first line to its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState
from postgres_helpers import PASSWORD, QUOTED, needs_postgres, running_server
from search_helpers import BOWL, SCRIPT, SECONDS, digest, settings_of, trials_of
from test_sweep_search_pruning import submitted_after_better_ones

from thexp_pl.runs import ExperimentViewer
from thexp_pl.sweeps.attempt import begin_attempt
from thexp_pl.sweeps.search import STORAGE_VARIABLE, StudySource
from thexp_pl.sweeps.standing import state_of
from thexp_pl.sweeps.submission import held

RANGES = ("--x=-10.0..10.0", "--n=1..8")


def sweep(*words: str, script: str = BOWL) -> subprocess.CompletedProcess[str]:
    Path("light.py").write_text(SCRIPT % script)
    command = [sys.executable, "-m", "thexp_pl", "sweep", "light.py", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


def count() -> int:
    return len(list(ExperimentViewer(["./experiment"]).rows()))


def test_a_search_runs_two_at_a_time_and_the_same_command_goes_on_with_it() -> None:
    search = (*RANGES, "--sampler", "tpe", "--metric", "loss", "-j", "2", "--trials")
    first = sweep(*search, "5")
    assert (first.returncode, count()) == (0, 5), first.stderr
    assert "5 of 5 done" in first.stdout
    same = sweep(*search, "5")
    assert (same.returncode, count()) == (0, 5)
    assert "all 5 points are done" in same.stdout
    assert (sweep(*search, "7").returncode, count()) == (0, 7)
    assert (sweep(*search, "3").returncode, count()) == (0, 7)


def test_a_metric_that_no_run_has_ends_it_with_one_line_however_many_wait() -> None:
    search = (*RANGES, "--sampler", "random", "-j", "3", "--trials", "3")
    assert sweep(*search, "--metric", "loss").returncode == 0
    refused = sweep(*search, "--metric", "los", "--direction", "min")  # all three have run before
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "error: --metric: these runs have no metric 'los'; did you mean 'loss'? (they have 'loss')"
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--metric", "loss"), "give --trials, 1 up"),
        (("--trials", "3"), "give --metric, such as eval_acc"),
        (("--trials", "3", "--metric", "loss", "--sampler", "tpee"), "did you mean 'tpe'?"),
        (("--trials", "3", "--metric", "step"), "give --direction=max or --direction=min"),
        (("--trials", "3", "--metric", "loss", "--storage", "x://a:hunter2pass@b/c"), "cannot be"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused_before_anything_starts(
    words: tuple[str, ...], line: str
) -> None:
    refused = sweep(*RANGES, *words)
    assert refused.returncode == 2
    assert line in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "hunter2pass" not in refused.stderr
    assert not Path("experiment").exists()


@pytest.mark.slow
@needs_postgres
def test_runs_prune_by_a_study_in_postgres_whose_password_is_nowhere_on_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(STORAGE_VARIABLE, "")
    with running_server() as server:
        url = server.url(server.new_database()).replace("postgresql:", "postgresql+psycopg:")
        settings = settings_of(
            metric="eval_loss", ranges={"lr": "0.001..0.1"}, pruner="median", storage=url
        )
        submission = submitted_after_better_ones(settings)
        with held(submission):
            source = StudySource(submission, settings, 1, digest)
            point = source.next()
            assert begin_attempt(submission, point).wait(SECONDS) == 0
            source.told(point, state_of(submission, point))
        trials = trials_of(submission, settings)
    assert trials[point.trial].state == TrialState.PRUNED
    assert trials[point.trial].intermediate_values == {0: 11.0, 1: 12.0, 2: 13.0}
    for path in submission.paths.root.rglob("*"):
        told = path.read_bytes() if path.is_file() else b""
        assert PASSWORD.encode() not in told, path
        assert QUOTED.encode() not in told, path
