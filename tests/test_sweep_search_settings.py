"""What a search is asked for: its space, its metric, and where its study is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from search_helpers import search, settings_of, source_of, submitted, trials_of

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.sweeps.search import SearchSettings, check_storage, read_space
from thexp_pl.sweeps.search.space import Choice, Range, range_of

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(low=NUMBERS, high=NUMBERS)
def test_a_range_of_any_two_numbers_is_read_as_these_numbers(low: float, high: float) -> None:
    low, high = sorted((low, high))
    found = range_of("lr", f"{low!r}..{high!r}")
    assert found == Range(low, high)
    assert [float(end) for end in found.ends()] == [low, high]


@given(low=st.integers(-(2**53), 2**53), high=st.integers(-(2**53), 2**53))
def test_a_range_between_whole_numbers_holds_whole_numbers(low: int, high: int) -> None:
    low, high = sorted((low, high))
    found = range_of("depth", f"{low}..{high}")
    assert found.is_whole
    assert found.ends() == (str(low), str(high))


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.booleans())
def test_what_is_suggested_lies_within_and_is_typed_exactly(
    one: float, two: float, log: bool
) -> None:
    import optuna

    low, high = sorted((one, two))
    space = read_space({"lr": f"{low!r}..{high!r}{':log' * log}"})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask(space.distributions())
    text = space.values(trial.params)["lr"]
    assert low <= float(text) <= high
    assert float(text) == trial.params["lr"]


@given(st.text("0123456789.eE+-:log/ \n\x1b", max_size=20))
def test_any_text_is_a_range_or_none_or_refused_in_one_line(text: str) -> None:
    refused = ""
    try:
        found = range_of("x", text)
    except UsageError as error:
        found, refused = None, str(error)
    assert found is None or (".." in text and found.low <= found.high)
    assert not refused or (refused.startswith("--x=") and refused.isprintable())


def test_steps_end_at_the_last_that_they_reach() -> None:
    assert range_of("x", "0..10..4") == Range(0, 8, 4, is_whole=True)
    assert range_of("x", "0..1..0.3") == Range(0, 0.9, 0.3)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("8..1", "--x=8..1: its first end is above its second; turn them round"),
        ("0..1:log", "--x=0..1:log: a range with :log lies above 0"),
        ("1..9..2:log", "--x=1..9..2:log: a range with :log has no step"),
        ("1..2:lg", "--x=1..2:lg: a range may end in :log, not in ':lg'"),
        ("1..", "--x=1..: a range has two ends, such as 1..8"),
        ("0..1..0", "--x=0..1..0: its step is not above 0"),
        ("1..1e999", "--x=1..1e999: its numbers are too large"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused_in_one_line(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as refused:
        range_of("x", text)
    assert str(refused.value) == fault


def test_a_list_is_a_choice_and_a_single_value_is_none() -> None:
    space = read_space({"opt": 'sgd,"a,b",sgd', "lr": "0.1", "path": "../data,../more"})
    assert space.dimensions == {
        "opt": Choice(("sgd", "a,b")),
        "path": Choice(("../data", "../more")),
    }
    with pytest.raises(UsageError, match="a search needs an option that varies: give a range"):
        read_space({"lr": "0.1"})
    with pytest.raises(UsageError, match="has 20,001 values to choose from: give a range"):
        read_space({"seed": "0..19999,7"} | {"seed": "0..19999,77777"})


def test_the_points_to_check_hold_each_end_and_each_value() -> None:
    space = read_space({"lr": "1e-4..1e-1:log", "opt": "a,b,c"})
    seen = list(space.extremes())
    assert {one["lr"] for one in seen} == {"0.0001", "0.1"}
    assert {one["opt"] for one in seen} == {"a", "b", "c"}


def test_the_direction_follows_from_the_name_or_is_asked_for() -> None:
    assert settings_of(metric="eval_loss").direction == "min"
    assert settings_of(metric="eval_acc.max").direction == "max"
    assert settings_of(metric="eval_acc", direction="min").direction == "min"
    with pytest.raises(UsageError, match=r"--metric=epoch: whether .* give --direction=max or"):
        settings_of(metric="epoch")


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("sampler", "tpa", "--sampler=tpa is none of tpe, random; did you mean 'tpe'?"),
        ("pruner", "medium", "--pruner=medium is none of .*; did you mean 'median'?"),
        ("direction", "minimum", "--direction=minimum is none of min, max"),
        ("storage", "study.db", "--storage=study.db is no URL: give one such as sqlite:///"),
        ("metric", "", "give --metric, such as eval_acc"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(option: str, value: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault.replace("?", r"\?")):
        settings_of(**{option: value})


def test_settings_are_read_back_and_damaged_ones_are_one_line() -> None:
    settings = settings_of(pruner="median", seed=7)
    told = json.loads(json.dumps(settings.told()))
    assert SearchSettings.of(told) == settings
    for name in told:
        with pytest.raises(RecordError, match=r"settings of the search in sweep.json are damaged"):
            SearchSettings.of({key: value for key, value in told.items() if key != name})
        with pytest.raises(RecordError, match="are damaged"):
            SearchSettings.of({**told, name: ["x"]})


# -- where the study is kept ---------------------------------------------------------------------


def test_a_study_in_a_database_is_gone_on_with_there_and_not_elsewhere(tmp_path: Path) -> None:
    settings = settings_of(storage=f"sqlite:///{tmp_path}/study.db")
    sweep = search(settings, 2)
    search(settings, 3)
    assert [trial.state for trial in trials_of(sweep, settings)] == [TrialState.COMPLETE] * 3
    assert not sweep.paths.study.exists()
    with pytest.raises(UsageError, match=r"is kept in 'sqlite:.*', not in a file of the sweep"):
        source_of(sweep, settings_of(), 4)


def test_a_database_that_cannot_be_reached_is_one_line_without_its_password() -> None:
    for url in (
        "postgresql+psycopg://me:hunter2pass@127.0.0.1:9/db",
        "sqlite:////proc/none/study.db",
        "nosuch://me:hunter2pass@host/db",
    ):
        with pytest.raises(UsageError, match="the study cannot be kept in") as refused:
            check_storage(settings_of(storage=url))
        assert "hunter2pass" not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_the_password_of_a_storage_is_nowhere_on_the_disk() -> None:
    settings = settings_of(storage="postgresql://me:hunter2pass@host/db")
    sweep = submitted(settings)
    files = [path for path in sweep.paths.root.rglob("*") if path.is_file()]
    assert sweep.paths.manifest in files
    assert not [path for path in files if b"hunter2pass" in path.read_bytes()]
    assert SearchSettings.of(sweep.study, settings.storage) == settings
