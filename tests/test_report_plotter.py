"""Plotter and Reporter: what a script may give them, and what they say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from board_helpers import scalars, write_events

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record import Experiment
from thexp_pl.report import Reporter
from thexp_pl.report.album import curve_sections
from thexp_pl.report.board import BoardPlotter, Plotter


def test_curves_without_a_legend_are_warned_of(tmp_path: Path) -> None:
    curves = {f"c{n}": ([0, 1], [n, n]) for n in range(41)}
    with pytest.warns(UserWarning, match="41 curves are too many for a legend") as found:
        Plotter(tmp_path, ["png", "svg"]).curves("many", curves)
    assert len(found) == 1


def test_a_curve_is_of_lists_arrays_or_tensors_of_any_kind(tmp_path: Path) -> None:
    weights = torch.tensor([0.5, 2.0], requires_grad=True)
    given: dict[str, Any] = {
        "grad": (torch.tensor([0, 1]), weights * 1),
        "small": ([0, 1], torch.tensor([0.5, 2.0], dtype=torch.bfloat16)),
        "many": ([0, 1], [weights[0], weights[1]]),
        "mixed": ([0, 1], (0.5, weights[1])),
    }
    (path,) = Plotter(tmp_path, "csv").curves("loss", given)
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    wanted = [["0", "0.5"], ["1", "2.0"]]
    assert [[step, value] for _, step, _, value in rows] == wanted * 4


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ([1, 2], "no curve for 'a': give at least one, by name"),
        ({"x": 5}, r"the curve 'x' is no pair: give \(steps, values\)"),
        ({"x": ([1, 2, 3],)}, "the curve 'x' is no pair"),
        ({"x": ([0, 1], [1j, 2])}, "the curve 'x' holds something that is no number"),
    ],
)
def test_what_is_no_curve_is_refused(curves: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        Plotter(tmp_path, "csv").curves("a", curves)
    assert not list(tmp_path.iterdir())


def test_options_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    for smooth in ("a", None, 1.0):
        with pytest.raises(UsageError, match=r"is no weight: give one from 0 to below 1"):
            Plotter(tmp_path, "csv", smooth=smooth)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no format: give some of png"):
        Plotter(tmp_path, [])
    board = BoardPlotter(write_events(tmp_path / "a.tfevents", scalars("loss", {0: 1})))
    steps: Any = 5
    with pytest.raises(UsageError, match=r"steps is 5: give several, such as range\("):
        board.save(tmp_path / "out", steps=steps)


def test_a_reporter_refuses_what_it_cannot_show_in_a_line(tmp_path: Path) -> None:
    nothing: Any = None
    with pytest.raises(UsageError, match="None is no path: give that of a file or folder"):
        Reporter(nothing)
    reporter = Reporter(tmp_path)
    numbers: Any = [1]
    with pytest.raises(UsageError, match="otherinfo is a list: give values by name"):
        reporter.report(20, numbers)
    with pytest.raises(UsageError, match=r"give a whole number of at most 63 bits$"):
        reporter.add_scalar(1, 1.5, "loss")  # type: ignore[arg-type]


def test_a_link_in_a_run_leads_no_picture_out_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with Experiment(tmp_path / "root", "linked", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 1.0})
        (exp.path / "plot").symlink_to(outside)
        with pytest.raises(RecordError, match="by a link: nothing is written there"):
            Reporter(exp).report()
        (exp.path / "plot").unlink()
        (exp.path / "plot").mkdir()
        (exp.path / "plot" / "curves").symlink_to(outside)
        exp.flush()
        with pytest.raises(RecordError, match="by a link: nothing is written there"):
            curve_sections(exp.paths, exp.path / "plot")
    assert not list(outside.iterdir())
