"""What cannot be asked of the viewer and the commands, and what is gone, is told in a line."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from index_helpers import record
from typed_commands import Typed, thexp_pl

from thexp_pl.errors import UsageError
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.query import functions

__all__ = ["thexp_pl"]

ASKED: dict[str, Callable[[ExperimentViewer], Any]] = {
    "recent(timedeltaobj=3)": lambda viewer: viewer.recent(3),  # type: ignore[arg-type]
    "recent(timedeltaobj='x')": lambda viewer: viewer.recent("x"),  # type: ignore[arg-type]
    "recent(day='x')": lambda viewer: viewer.recent(day="x"),  # type: ignore[arg-type]
    "recent(day=nan)": lambda viewer: viewer.recent(day=float("nan")),
    "a query is a text": lambda viewer: viewer.rows(3),  # type: ignore[arg-type]
    "and not None": lambda viewer: viewer.query(None),  # type: ignore[arg-type]
    "limit=-1": lambda viewer: viewer.rows(limit=-1),
    "limit='3'": lambda viewer: viewer.rows(limit="3"),  # type: ignore[arg-type]
    "limit=True": lambda viewer: viewer.rows(limit=True),
}


@pytest.mark.parametrize("told", ASKED)
def test_what_no_viewer_can_answer_is_refused_with_the_value(tmp_path: Path, told: str) -> None:
    record(tmp_path)
    with pytest.raises(UsageError) as refused:
        ASKED[told](ExperimentViewer([tmp_path]))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_limit_beyond_all_runs_gives_all(thexp_pl: Typed, tmp_path: Path) -> None:
    key = record(tmp_path / "e").key
    viewer = ExperimentViewer()
    assert [row.key for row in viewer.rows(limit=10**20)] == [key]
    assert viewer.rows(limit=0) == []
    assert [run["key"] for run in thexp_pl.json("list", "--limit", "9" * 25)] == [key]
    assert viewer.recent(timedelta(days=1)) == [key]


@pytest.mark.parametrize(
    "words",
    [
        ("list", ""),
        ("list", " "),
        ("list", "", "--recent"),
        ("show", "@last", "--plot", ""),
        ("show", "@last", "--plot", ","),
        ("show", "@last", "--metrics", ""),
        ("show", "@last", "--csv", "--metrics", ","),
    ],
)
def test_an_empty_word_does_not_mean_everything(
    thexp_pl: Typed, tmp_path: Path, words: tuple[str, ...]
) -> None:
    record(tmp_path / "e")
    assert any(text in thexp_pl.refused(*words) for text in ("empty", "no metric"))


def test_a_root_that_was_moved_is_named_and_the_way_to_it(thexp_pl: Typed, tmp_path: Path) -> None:
    key = record(tmp_path / "e").key
    shutil.move(tmp_path / "e", tmp_path / "moved")
    for words in (["list"], ["compare"], ["tag"], ["gc"]):
        told = thexp_pl(*words)
        assert f"experiment roots are gone: {str(tmp_path / 'e')!r}" in told
        assert "--exps_dir" in told
    assert key in thexp_pl("list", "--exps_dir", "moved")
    for wrong in (".", "moved/a"):
        told = thexp_pl("list", "--exps_dir", wrong)
        assert told.endswith(
            f"is no experiment root; `--exps_dir` takes one: {str(tmp_path / 'moved')!r}.\n"
        )
    (tmp_path / "empty").mkdir()
    assert thexp_pl("list", "--exps_dir", "empty").startswith("No runs are in ")
    record(tmp_path / "new")
    assert "gone" not in thexp_pl("list")


def test_an_interruption_ends_a_pattern_that_would_take_for_ever(
    thexp_pl: Typed, tmp_path: Path
) -> None:
    record(tmp_path / "e", "a" * 100)
    thexp_pl("list")  # nothing but the pattern is left to do

    def interrupt(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_filename == functions.__file__:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        # again and again: a slow machine may not have come to the pattern yet
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.5, 0.5)  # seconds that this process computes
        assert thexp_pl.ended("list", r"matches(experiment, '(a+)+$b')") == (
            130,
            "",
            "interrupted\n",
        )
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
