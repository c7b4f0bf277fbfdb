"""Parameters that change while a run goes on: the journal keeps what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from page_helpers import run_of

from thexp_pl.record import Experiment
from thexp_pl.record.journal import read_journal
from thexp_pl.report.page import run_data
from thexp_pl.runs.facts import facts_of


def begun(root: Path, params: dict[str, Any]) -> Experiment:
    exp = Experiment(root, "digits", code=False, console=False)
    exp.params = params
    exp.start_exp()
    return exp


def changes(exp: Experiment) -> list[dict[str, Any]]:
    journal = read_journal(exp.paths.journal)
    return [event["changed"] for event in journal if event["event"] == "params"]


def test_the_journal_says_what_a_parameter_was_and_what_it_became(tmp_path: Path) -> None:
    exp = begun(tmp_path, {"lr": 0.01, "optim": {"name": "sgd", "betas": [0.9, 0.99]}, "old": 1})
    exp.params = {"lr": 0.5, "optim": {"name": "sgd", "betas": [0.8, 0.99]}}
    exp.end_exp()

    assert changes(exp) == [
        {
            "lr": {"old": 0.01, "new": 0.5},
            "optim.betas": {"old": [0.9, 0.99], "new": [0.8, 0.99]},
            "old": {"old": 1},
        }
    ]


def test_one_that_is_changed_in_place_is_told_at_the_end(tmp_path: Path) -> None:
    exp = begun(tmp_path, {"lr": 0.01})
    exp.params["lr"] = 0.5
    exp.end_exp()

    assert changes(exp) == [{"lr": {"old": 0.01, "new": 0.5}}]


def test_what_stays_or_is_new_is_told_of_nowhere(tmp_path: Path) -> None:
    exp = begun(tmp_path, {"lr": float("nan"), "shape": (1, 2), "optim": {}})
    exp.params = {"lr": float("nan"), "shape": [1, 2], "optim": {"lr": 1}, "seed": 7}
    exp.log_metrics(0, 0, {"loss": 1.0})
    exp.end_exp()

    assert changes(exp) == []


def test_a_secret_is_not_told(tmp_path: Path) -> None:
    exp = begun(tmp_path, {"api_key": "hunter2-hunter2", "lr": 1})
    exp.params = {"api_key": "hunter3-hunter3", "lr": 2}
    exp.end_exp()

    assert changes(exp) == [{"lr": {"old": 1, "new": 2}}]
    assert "hunter" not in exp.paths.journal.read_text()


def test_who_looks_at_the_run_is_told(tmp_path: Path) -> None:
    exp = begun(tmp_path, {"lr": 0.01, "epoch": 4})
    exp.params = {"lr": 0.5, "epoch": 6}
    exp.log_event("params", changed={"lr": "no pair"})
    exp.log_event("params", changed=[1])
    exp.end_exp()

    run = run_of(exp)
    (text,) = (text for _, text in facts_of(run, "earlier params"))
    assert text.startswith("lr=0.01, epoch=4, until 20")
    assert ["earlier params", text] in [list(fact) for fact in run_data(run)["facts"]]
