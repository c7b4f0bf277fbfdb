"""Which runs of a search count as pruned, and what a process says that does not see the study."""

from __future__ import annotations

import pytest
from search_helpers import settings_of, submitted

from thexp_pl.errors import RecordError
from thexp_pl.record.journal import Journal
from thexp_pl.record.paths import RunPaths
from thexp_pl.runs.index.selection import SweptRun
from thexp_pl.runs.sweeps import was_pruned
from thexp_pl.sweeps.search.study import open_study
from thexp_pl.sweeps.search.trial import SweptTrial

SETTINGS = settings_of(pruner="median")


@pytest.mark.parametrize(
    ("events", "is_pruned"),
    [
        ([], False),
        (["pruned"], True),
        (["resumed", "resume", "pruned"], True),
        (["pruned", "resumed", "resume"], False),  # it was trained to its end after all
        (["pruned", "resumed", "resume", "pruned"], True),
    ],
)
def test_the_last_attempt_says_whether_a_run_was_pruned(events: list[str], is_pruned: bool) -> None:
    sweep = submitted(SETTINGS)
    paths = RunPaths(sweep.paths.root, "light", "a run")
    paths.folder.mkdir(parents=True)
    journal = Journal(paths.journal)
    for event in events:
        journal.add(event)
    journal.close()
    run = SweptRun(paths, "finished", 0.0, sweep.key, 0, "digest")
    assert was_pruned(run) is is_pruned


def test_where_the_file_of_the_study_is_not_seen_none_is_made() -> None:
    sweep = submitted(SETTINGS)
    with pytest.raises(RecordError, match="is not to be seen from this machine"):
        SweptTrial(sweep.paths, SETTINGS, 0).report(1.0, 0)
    assert not sweep.paths.study.exists()


def test_a_study_without_the_trial_is_told() -> None:
    sweep = submitted(SETTINGS)
    open_study(sweep.paths, SETTINGS)
    with pytest.raises(RecordError, match="has no trial 3"):
        SweptTrial(sweep.paths, SETTINGS, 3).report(1.0, 0)
