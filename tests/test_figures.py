"""Figures of metrics: the numbers behind their curves, and what they are called."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from figure_helpers import curves, labels, marks, record, record_values, rows, tags

from thexp_pl.errors import UsageError
from thexp_pl.report.figures import metric_figure
from thexp_pl.runs import RunRow

NAN, INF = math.nan, math.inf
BELOW = "'loss': not on the logarithmic {axis} axis: {count} of its points, at 0 or below"


def drawn(*tags: str, **options: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    return metric_figure(rows(), tags, remark=said.append, **options), said


def test_a_run_is_its_curve_as_recorded() -> None:
    record_values([3.0, 1.0, 2.0])
    figure, said = drawn("loss")
    assert curves(figure) == [([0, 1, 2], [3.0, 1.0, 2.0])]
    assert (tags(figure), labels(figure), said) == (["loss"], [], [])
    assert figure.axes[0].get_xlabel() == "step"


def test_each_metric_has_a_panel_in_the_order_of_the_words() -> None:
    record([(0, 0, {"loss": 1.0, "eval_b": 2.0, "eval_a": 3.0, "acc": 4.0})])
    assert tags(drawn()[0]) == ["loss", "eval_b", "eval_a", "acc"]
    figure, _ = drawn("acc", "eval_*", "metrics.acc")
    assert tags(figure) == ["acc", "eval_b", "eval_a"]
    assert [marks(figure, panel)["o"] for panel in range(3)] == [[0.0]] * 3


def test_a_whole_name_comes_before_a_pattern() -> None:
    record([(0, 0, {"a*": 1.0, "ab": 2.0, "c[0]": 3.0})])
    assert tags(drawn("a*", "c[0]")[0]) == ["a*", "c[0]"]


def test_a_wrong_name_is_told_with_the_near_miss() -> None:
    record([(0, 0, {"loss": 1.0, "acc": 1.0})])
    with pytest.raises(UsageError, match=r"no metric 'los'; did you mean 'loss'\? \(they have"):
        drawn("los")
    with pytest.raises(UsageError, match=r"no metric 'x\*' \(they have 'loss', 'acc'\)"):
        drawn("x*")


def test_runs_are_called_by_the_parameters_that_differ() -> None:
    for lr in (0.1, 0.2):
        record_values([1.0, 2.0], optim={"lr": lr, "name": "sgd"}, size=3)
    assert labels(drawn()[0]) == ["lr=0.1", "lr=0.2"]
    key = record_values([1.0, 2.0], optim={"lr": 0.2, "name": "sgd"}, size=3)
    assert labels(drawn()[0])[-1] == key  # two runs have the same parameters


def test_runs_with_a_long_parameter_are_called_by_what_is_short_and_tells_them_apart() -> None:
    for n in range(3):
        record_values([1.0, 2.0], lr=n, a_long_name_of_a_folder=f"{'deep/' * 12}{n}")
    assert labels(drawn()[0]) == ["lr=0", "lr=1", "lr=2"]
    record_values([1.0, 2.0], lr=2, a_long_name_of_a_folder="b" * 60)
    names = labels(drawn()[0])
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 48
    assert all(name.startswith("a_long_name_of_a_folder=") for name in names)


def test_steps_are_whole_numbers_on_the_axis_and_its_factor_is_no_larger_than_its_ticks() -> None:
    record_values([1e-11, 2e-11])
    axes = drawn()[0].axes[0]
    axes.figure.draw_without_rendering()
    assert all(tick == round(tick) for tick in axes.get_xticks())
    factor = axes.yaxis.get_offset_text()
    assert factor.get_text()
    assert factor.get_fontsize() == axes.get_yticklabels()[0].get_fontsize()


def test_a_title_that_is_cut_and_letters_without_a_font_are_said() -> None:
    record_values([1.0, 2.0], tag="\ue000\ue001")  # no font has a letter of a private area
    _, said = drawn(title="x" * 100)
    assert said[0].startswith("of the title the middle is left out: xxx")
    assert said[1].startswith("letters that no font of this machine has, boxes in PNG and PDF: ")


def test_values_that_are_alike_in_few_digits_are_told_apart() -> None:
    for lr in (0.1, 0.10000001):
        record_values([1.0, 2.0], lr=lr)
    assert labels(drawn()[0]) == ["lr=0.1", "lr=0.10000001"]
    assert labels(drawn(by="lr")[0]) == ["lr=0.1 (n=1)", "lr=0.10000001 (n=1)"]


def test_a_name_with_an_underscore_or_a_dollar_is_in_the_legend_as_it_is() -> None:
    for name in ("_hidden", "$\\frac{"):
        record_values([1.0, 2.0], _=name)
    figure, _ = drawn()
    assert labels(figure) == ["_=_hidden", "_=$\\frac{"]
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())
    figure.draw_without_rendering()  # the text is never read as a formula


def test_control_characters_are_written_out() -> None:
    record_values([1.0, 2.0], tag="lo\x1b[31m\nss", a="\x07")
    record_values([1.0, 2.0], tag="lo\x1b[31m\nss", a="\x08")
    figure, _ = drawn()
    assert tags(figure) == ["lo\\x1b[31m\\nss"]
    assert labels(figure) == ["a=\\x07", "a=\\x08"]


def test_of_several_rows_of_a_step_the_last_counts_and_that_is_said() -> None:
    key = record([(step, 0, {"loss": float(n)}) for n, step in enumerate([0, 1, 2, 1])])
    figure, said = drawn()
    assert curves(figure) == [([0, 1, 2], [0.0, 3.0, 2.0])]
    assert said == [f"'loss' has several rows of one step: the last one counts: {key}"]


def test_over_epochs_the_mean_of_each_is_drawn() -> None:
    record([(n, n // 2, {"loss": float(n)}) for n in range(6)])
    figure, said = drawn(x="epoch")
    assert curves(figure) == [([0, 1, 2], [0.5, 2.5, 4.5])]
    assert (figure.axes[0].get_xlabel(), said) == ("epoch", [])


def test_rows_without_a_step_are_counted_and_without_an_epoch_left_out() -> None:
    key = record([(None, None, {"loss": float(n)}) for n in (5, 6, 7)])
    figure, said = drawn()
    assert curves(figure) == [([0, 1, 2], [5.0, 6.0, 7.0])]
    assert said == [f"'loss' was recorded without steps: its rows are counted: {key}"]
    with pytest.raises(UsageError, match="'loss' has no epoch in these runs: give another --x"):
        drawn(x="epoch")
    other = record([(None, 0, {"loss": 1.0}), (None, 1, {"loss": 2.0}), (None, None, {"loss": 3})])
    figure, said = drawn(x="epoch")
    assert curves(figure) == [([0, 1], [1.0, 2.0])]
    assert said == [
        f"'loss': left out, for they have none: {key}",
        f"'loss' has rows without an epoch, which are left out: {key}, {other}",
    ]


def test_over_time_seconds_since_the_start_are_in_a_unit_that_fits() -> None:
    key = record_values([1.0, 2.0, 3.0])
    (row,) = rows()
    assert row.key == key
    path, start = row.paths.metrics, row.started
    lines = [f"{n},0,{start + 3600 * 5 * n},loss,{n}.0" for n in range(3)]
    path.write_text("\n".join(["step,epoch,time,name,value", *lines, ""]))
    figure, _ = drawn(x="time")
    assert figure.axes[0].get_xlabel() == "time (h)"
    (found,) = curves(figure)
    assert np.allclose(found[0], [0, 5, 10], atol=1e-6)
    assert found[1] == [0.0, 1.0, 2.0]


def test_rows_of_one_time_and_rows_that_are_none_are_said_to_be_left_out() -> None:
    key = record_values([1.0, 2.0, 3.0])
    (row,) = rows()
    start = row.started
    lines = [f"{n},0,{start + n // 2},loss,{n}.0" for n in range(3)]
    text = "\n".join(
        ["step,epoch,time,name,value", *lines, f"3,0,{start},loss,abc", "x,0,1,loss,5"]
    )
    row.paths.metrics.write_text(f"{text}\n4,0,{start},lo")
    damage = f"{key}: damaged lines of its metrics, left out: 3"
    figure, said = drawn(x="time")
    assert curves(figure) == [([0, 1], [1.0, 2.0])]
    assert said == [damage, f"'loss' has several rows of one time: the last one counts: {key}"]
    row.paths.metrics.write_text(f"{text}\n")
    assert drawn()[1] == [f"{damage[:-1]}2"]


def test_a_time_that_cannot_be_is_left_out() -> None:
    record_values([1.0, 2.0, 3.0])
    (row,) = rows()
    times = (row.started, 1e308, row.started + 1)
    lines = [f"{n},0,{time},loss,{n}.0" for n, time in enumerate(times)]
    row.paths.metrics.write_text("\n".join(["step,epoch,time,name,value", *lines, ""]))
    figure, said = drawn(x="time")
    assert curves(figure)[0][1] == [0.0, 2.0]
    assert said == [f"'loss' has rows of no possible time, which are left out: {row.key}"]


def test_nan_is_a_gap_a_lone_point_a_dot_and_an_infinity_a_mark_at_the_edge() -> None:
    record_values([1.0, 2.0, NAN, 3.0, NAN, 4.0, 5.0, INF, 6.0, 7.0, -INF, 1e308])
    figure, _ = drawn()
    ((x, y),) = curves(figure)
    gaps = [at for at, value in zip(x, y, strict=True) if math.isnan(value)]
    assert gaps == [2, 4, 7, 10, 11]
    assert marks(figure) == {"o": [3.0], "^": [7.0, 11.0], "v": [10.0]}
    assert figure.axes[0].get_ylim()[1] < 10  # what cannot be shown moves no limit


def test_a_metric_without_any_value_has_a_panel_that_says_so() -> None:
    record([(0, 0, {"loss": NAN, "acc": 1.0})])
    figure, _ = drawn()
    assert [text.get_text() for text in figure.axes[0].texts] == ["no value to show"]
    assert not figure.axes[1].texts


def test_what_a_logarithmic_axis_cannot_show_is_a_gap_and_counted() -> None:
    record_values([1.0, -1.0, 0.0, 100.0, 10.0])
    figure, said = drawn(log_y=True)
    assert [str(value) for value in curves(figure)[0][1]] == ["1.0", "nan", "nan", "100.0", "10.0"]
    assert said == [BELOW.format(axis="y", count=2)]
    figure, said = drawn(log_x=True)
    assert curves(figure)[0][0] == [1, 2, 3, 4]
    assert said == [BELOW.format(axis="x", count=1)]
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "linear")


def test_numbers_at_the_ends_of_floats_are_drawn_without_a_warning() -> None:
    record_values([5e-324, 1e-310, 1e-200, 1e150, 1e300, -1e308])
    for log_y in (False, True):
        figure, said = drawn(log_y=log_y)
        figure.draw_without_rendering()
        assert max(curves(figure)[0][1][2:4]) == 1e150
        assert len(said) == 1 + log_y
        assert said[0] == "'loss': drawn as infinite: 2 points beyond 1e150"
    assert "3 of its points" in said[1]


@pytest.mark.parametrize("values", [[2.0], [1e16, 1e16 + 2], [1e16 + 2], [3.0, 4.0], [INF]])
def test_a_logarithmic_axis_of_less_than_a_decade_has_ticks_to_read(values: list[float]) -> None:
    record_values(values)
    axes = drawn(log_y=True, log_x=True)[0].axes[0]
    axes.figure.draw_without_rendering()
    low, high = axes.get_ylim()
    assert low < high
    if values == [3.0, 4.0]:
        inside = [tick for tick in axes.get_yticks() if low <= tick <= high]
        assert 3 <= len(inside) <= 5


def test_a_run_without_a_metric_is_left_out_of_its_panel_and_named() -> None:
    record([(0, 0, {"loss": 1.0, "acc": 1.0}), (1, 0, {"loss": 2.0, "acc": 2.0})], lr=1)
    key = record_values([3.0, 4.0], lr=2)
    figure, said = drawn("acc", "loss")
    assert (len(curves(figure, 0)), len(curves(figure, 1))) == (1, 2)
    assert said == [f"'acc': left out, for they have none: {key}"]
    assert labels(figure) == ["lr=1", "lr=2"]


def test_a_run_whose_metrics_are_gone_is_left_out_and_of_none_nothing_is_drawn() -> None:
    record_values([1.0, 2.0])
    key = record_values([1.0, 2.0])
    (_, gone) = rows()
    gone.paths.metrics.unlink()
    figure, said = drawn()
    assert len(curves(figure)) == 1
    assert said == [f"'loss': left out, for they have none: {key}"]
    with pytest.raises(UsageError, match="recorded no metric"):
        metric_figure([gone])
    with pytest.raises(UsageError, match="there is no run to draw"):
        metric_figure([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smooth": 1.0}, "smooth is 1.0: give a weight from 0 to below 1"),
        ({"smooth": NAN}, "smooth is nan"),
        ({"band": "sdt"}, "band is 'sdt': give one of .* did you mean 'std'"),
        ({"x": "steps"}, "x is 'steps': .* did you mean 'step'"),
        ({"width": "singel"}, "the width 'singel' is no number .* did you mean 'single'"),
        ({"width": 0.1}, "the width '0.1' is no number of inches between 1 and 40"),
        ({"height": INF}, "the height 'inf' is no number of inches"),
        ({"by": ["lr", "all-but-seed"]}, "all-but-seed stands for all .* give it alone"),
        ({"by": "lrr"}, "no 'lrr'; did you mean 'lr'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(options: dict[str, Any], message: str) -> None:
    record_values([1.0, 2.0], lr=1)
    with pytest.raises(UsageError, match=message) as caught:
        drawn(**options)
    assert "\n" not in str(caught.value)


def test_too_many_panels_are_refused_and_too_many_names_left_out() -> None:
    record([(0, 0, {f"m{n}": 1.0 for n in range(41)})])
    with pytest.raises(UsageError, match="41 metrics are too many panels"):
        drawn()
    (row,) = rows()
    copies = [RunRow(f"{row.key}{n}", row.experiment, row.root, "finished", 0.0) for n in range(41)]
    for copy in copies:
        copy.paths.folder.mkdir()
        copy.paths.metrics.write_bytes(row.paths.metrics.read_bytes())
    said: list[str] = []
    figure = metric_figure(copies, "m1", remark=said.append)
    assert labels(figure) == []
    assert said[-1].startswith("41 curves are too many for a legend")
    assert len(labels(metric_figure(copies[1:], "m1"))) == 40
