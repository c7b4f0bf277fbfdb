"""A search: what is tried, what the study is told, and that nothing is lost or told twice."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import signal
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from filelock import FileLock
from optuna.trial import TrialState
from search_helpers import (
    SECONDS,
    losses,
    run,
    search,
    settings_of,
    source_of,
    submitted,
    trials_of,
    tried,
)
from swept_helpers import forked, wait_for

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.sweeps.attempt import AlreadyDone, begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.search import StudySource
from thexp_pl.sweeps.search.study import open_study
from thexp_pl.sweeps.standing import standing, state_of
from thexp_pl.sweeps.submission import held
from thexp_pl.sweeps.sweep import Sweep, read_points, read_sweep


def states_of(sweep, settings):  # type: ignore[no-untyped-def]
    return Counter(trial.state for trial in trials_of(sweep, settings))


def test_the_sampler_learns_and_each_run_has_exactly_the_value_that_was_suggested() -> None:
    settings = settings_of()
    sweep = search(settings, 20)
    found, trials = losses(sweep), trials_of(sweep, settings)
    assert median(found[10:]) < median(found[:10]) / 2  # the first ten are random
    assert [trial.value for trial in trials] == found
    points = read_points(sweep)
    runs = {number: state.run for number, state in standing(sweep, points).items()}
    for point in points:
        assert trials[point.trial].params.items() <= runs[point.number].params.items()


def test_a_search_is_the_same_each_time_and_another_seed_is_another_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place, seed in (("one", 3), ("two", 3), ("three", 4)):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        found.append(tried(search(settings_of(seed=seed, ranges={"x": "0.0..1.0"}), 4)))
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert len({point["x"] for point in found[0]}) == 4


def test_a_search_that_is_killed_and_gone_on_with_tries_what_it_would_have_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(ranges={"x": "-10.0..10.0"}, sampler="tpe")
    loss, chance = "(x - 2) ** 2", random.Random(8)
    whole = search(settings, 12, loss)
    (tmp_path / "killed").mkdir()
    monkeypatch.chdir(tmp_path / "killed")
    for _ in range(4):
        process = multiprocessing.get_context("fork").Process(
            target=search, args=(settings, 12, loss)
        )
        process.start()
        process.join(chance.uniform(0.2, 1.2))
        process.kill()
        process.join(SECONDS)
        wait_for_those_left(submitted(settings, loss))
    sweep = search(settings, 12, loss)
    assert tried(sweep) == tried(whole)
    assert losses(sweep) == losses(whole)
    points = read_points(sweep)
    told = {trial.number: trial for trial in trials_of(sweep, settings)}
    assert [told.pop(point.trial).value for point in points] == losses(whole)
    # killed while they were asked for: they came to no point
    assert all(trial.state == TrialState.FAIL for trial in told.values())


def wait_for_those_left(sweep) -> None:  # type: ignore[no-untyped-def]
    points = read_points(sweep)
    wait_for(lambda: not any(state.is_alive for state in standing(sweep, points).values()))


def test_a_run_that_ended_while_nobody_looked_is_told_and_not_run_again() -> None:
    settings = settings_of()
    sweep = submitted(settings)
    with held(sweep):
        point = source_of(sweep, settings, 2).next()
        run(sweep, point)  # and the process of the search is gone before it could tell
    again = source_of(sweep, settings, 2)
    assert [one.number for one in again.points] == [0]
    assert again.next() == point
    again.told(point, state_of(sweep, point))
    again.told(point, state_of(sweep, point))  # twice is once
    assert [trial.value for trial in trials_of(sweep, settings)] == losses(sweep)
    assert again.next().number == 1


def test_more_trials_go_on_with_the_search_and_fewer_try_nothing() -> None:
    settings = settings_of()
    first = search(settings, 3)
    more = search(settings, 5)
    assert more.key == first.key
    assert tried(more)[:3] == tried(first)[:3]
    assert len(trials_of(more, settings)) == 5
    fewer = source_of(more, settings, 2)
    assert fewer.is_over()
    assert fewer.next() is None
    assert (fewer.total, len(fewer.points)) == (2, 2)
    with pytest.raises(UsageError, match="--trials=0: a search has 1 trial at least"):
        source_of(more, settings, 0)


def test_a_trial_that_fails_is_told_and_the_same_command_puts_another_in_its_place() -> None:
    settings = settings_of(ranges={"x": "-1.0..1.0"}, sampler="random")
    sweep = search(settings, 6, "x if x > 0 else 1 / 0")
    count = states_of(sweep, settings)
    assert count[TrialState.FAIL] > 0
    assert count[TrialState.COMPLETE] + count[TrialState.FAIL] == 6
    source = source_of(sweep, settings, 6)
    assert len(source.points) == count[TrialState.COMPLETE]
    assert source.next().number == 6


def test_a_loss_that_is_no_number_fails_the_trial_in_a_line_and_is_not_tried_anew() -> None:
    settings = settings_of(ranges={"x": "-1.0..1.0"}, sampler="random")
    told: list[str] = []
    sweep = search(settings, 4, "x if x > 0 else math.nan", told.append)
    failed = states_of(sweep, settings)[TrialState.FAIL]
    assert 0 < failed < 4
    assert len(told) == failed
    assert "counts as failed in the study: its run has NaN as its loss" in told[0]
    assert source_of(sweep, settings, 4).is_over()


def test_a_metric_that_no_run_has_is_told_after_the_first_with_the_near_miss() -> None:
    settings = settings_of(metric="los", direction="min")
    with pytest.raises(UsageError, match=r"--metric: these runs have no metric 'los'; did you m"):
        search(settings, 5)
    assert len(tried(submitted(settings))) == 1


def test_runs_without_any_metric_are_failed_trials_and_the_search_goes_on() -> None:
    settings = settings_of(ranges={"x": "0.0..1.0"}, sampler="random", metric="loss")
    told: list[str] = []
    sweep = search(settings, 4, "x} if x < 0.5 else {", told.append)
    trials = trials_of(sweep, settings)
    assert trials[0].params["x"] > 0.5  # the very first one is without
    without = [trial for trial in trials if trial.params["x"] >= 0.5]
    assert 0 < len(without) < 4
    assert {trial.state for trial in without} == {TrialState.FAIL}
    assert [line.split(": ")[1] for line in told] == ["its run has no loss"] * len(without)


def test_a_metric_may_be_an_aggregate_of_the_run() -> None:
    settings = settings_of(metric="loss.max")
    sweep = search(settings, 2)
    assert [trial.value for trial in trials_of(sweep, settings)] == losses(sweep)


def test_a_point_that_another_search_of_the_code_has_run_is_not_run_again() -> None:
    sweep = search(settings_of(), 3)
    other = settings_of(metric="loss.min")
    began: list[int] = []
    again = search(other, 3, run=lambda sweep, point: began.append(point.number))
    assert again.key != sweep.key
    assert [trial.value for trial in trials_of(again, other)] == losses(sweep)


def test_values_that_were_tried_before_are_not_run_again_and_told_all_the_same() -> None:
    settings = settings_of(ranges={"n": "4,5"}, sampler="random")
    began: list[dict[str, str]] = []

    def noted(sweep: Sweep, point: Point) -> None:
        with contextlib.suppress(AlreadyDone):
            begin_attempt(sweep, point).wait(SECONDS)
            began.append(dict(point.values))

    sweep = search(settings, 6, run=noted)
    assert sorted(one["n"] for one in began) == ["4", "5"]
    assert states_of(sweep, settings) == {TrialState.COMPLETE: 6}


def test_a_search_goes_on_with_another_sampler_and_says_so_in_its_file() -> None:
    first = search(settings_of(sampler="random"), 2)
    sweep = search(settings_of(sampler="tpe", pruner="median"), 3)
    assert sweep.key == first.key
    assert read_sweep(sweep.paths).study["sampler"] == "tpe"
    assert read_sweep(sweep.paths).study["pruner"] == "median"


def test_a_half_written_line_of_the_study_is_healed() -> None:
    settings = settings_of()
    sweep = search(settings, 2)
    with sweep.paths.study.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":')
    search(settings, 3)
    assert states_of(sweep, settings) == {TrialState.COMPLETE: 3}


def test_a_study_that_is_damaged_or_gone_is_one_line() -> None:
    settings = settings_of()
    sweep = search(settings, 1)
    sweep.paths.study.rename(sweep.paths.study.with_suffix(".kept"))
    with pytest.raises(RecordError, match="has no trial 0, which is the sweep's point 0"):
        source_of(sweep, settings, 2)
    sweep.paths.study.write_bytes(b"\x00rubbish\n{}\n")
    with pytest.raises(RecordError, match=r"cannot be read: .*restore the file"):
        source_of(sweep, settings, 2)


def test_a_value_that_cannot_be_trained_with_is_refused_and_no_point() -> None:
    settings = settings_of()
    sweep = submitted(settings)

    def refuse(values: object) -> str:
        raise UsageError("x is out of its bounds")

    source = StudySource(sweep, settings, 3, refuse)
    with pytest.raises(UsageError, match="out of its bounds"):
        source.next()
    assert read_points(sweep) == []
    tried_now = source_of(sweep, settings, 1).next().values
    assert tried_now == tried(search(settings, 1))[0]


def test_a_process_that_is_killed_while_it_writes_keeps_no_one_waiting() -> None:
    settings = settings_of()
    sweep = search(settings, 1)

    def write() -> None:
        open_study(sweep.paths, settings)._storage._backend._lock.acquire()
        Path("held").touch()
        signal.pause()

    with forked(write):  # and killed at the end of the block
        wait_for(Path("held").exists)
    with FileLock(f"{sweep.paths.study}.lock", timeout=0):  # after Optuna's own it takes 30 s
        assert list(sweep.paths.folder.glob("study.log*")) != [sweep.paths.study]
    assert len(tried(search(settings, 2))) == 2
