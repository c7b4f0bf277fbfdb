"""The curves of a page: thinned, with all that stands out in them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_helpers import record, rows_of, run_of, write_metrics

from thexp_pl.record import Experiment
from thexp_pl.record.metrics.reading import read_ranges
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page import curves_data
from thexp_pl.report.page.curves import told_of
from thexp_pl.runs.curves import curves_of
from thexp_pl.runs.thinning import places_kept

floats = st.floats(width=64) | st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308])


@given(st.lists(floats, max_size=400), st.integers(1, 100), st.booleans())
def test_a_thinned_curve_keeps_its_ends_its_extremes_and_what_is_not_finite(
    values: list[float], points: int, has_steps: bool
) -> None:
    steps = [place**2 for place in range(len(values))] if has_steps else None
    kept = list(places_kept(values, points, steps))
    assert kept == sorted(set(kept))
    if len(values) <= points:
        assert kept == list(range(len(values)))
        return
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    shown = [values[place] for place in kept]
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        among = [value for value in shown if math.isfinite(value)]
        assert (min(among), max(among)) == (min(finite), max(finite))
    odd = {repr(value) for value in values if not math.isfinite(value)}
    assert {repr(value) for value in shown if not math.isfinite(value)} == odd


@given(st.integers(1, 50), st.integers(0, 999), st.sampled_from([9.0, -9.0, math.nan, math.inf]))
def test_a_single_point_that_stands_out_is_kept_wherever_it_is(
    buckets: int, place: int, odd: float
) -> None:
    values = [math.sin(number / 50) for number in range(1000)]
    values[place] = odd
    kept = places_kept(values, buckets * 4)
    assert place in kept
    assert len(kept) <= buckets * 5


def test_curves_are_what_was_recorded(tmp_path: Path) -> None:
    exp = record(tmp_path, steps=25, metrics={"loss": lambda s: 1 / (s + 1), "acc": float})
    data = curves_data(exp.paths)
    assert data["rows"] == 50
    assert data["fault"] == ""
    assert data["curves"] == {
        "loss": {
            "x": list(range(25)),
            "y": [1 / (step + 1) for step in range(25)],
            "epoch": [step // 10 for step in range(25)],
            "by": "step",
            "points": 25,
        },
        "acc": {
            "x": list(range(25)),
            "y": [float(step) for step in range(25)],
            "epoch": [step // 10 for step in range(25)],
            "by": "step",
            "points": 25,
        },
    }


def test_numbers_that_are_not_finite_are_texts(tmp_path: Path) -> None:
    odd = [math.nan, math.inf, -math.inf, 1.0]
    exp = record(tmp_path, steps=4, metrics={"loss": odd.__getitem__})
    curve = curves_data(exp.paths)["curves"]["loss"]
    assert curve["y"] == ["NaN", "Infinity", "-Infinity", 1.0]


def test_points_without_a_step_are_counted(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "digits", "k")
    write_metrics(paths, "".join(f",,1.0,loss,{n}\n5,,1.0,acc,{n}\n" for n in range(3)))
    curves = curves_data(paths)["curves"]
    assert (curves["loss"]["by"], curves["loss"]["x"]) == ("row", [0, 1, 2])
    assert (curves["acc"]["by"], curves["acc"]["x"]) == ("step", [5, 5, 5])
    assert curves["loss"]["epoch"] is None


def test_two_spellings_of_a_name_are_one_curve(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "digits", "k")
    write_metrics(paths, '0,0,1.0,loss,1\n1,0,1.0,"loss",2\n2,0,1.0,loss,3\n')
    curves = curves_data(paths)["curves"]
    assert {name: curve["y"] for name, curve in curves.items()} == {"loss": [1.0, 2.0, 3.0]}


def test_a_long_curve_is_thinned_and_says_how_long_it_was(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "digits", "k")
    rows = (f"{step},0,1.0,loss,{100.0 if step == 7777 else step % 7}\n" for step in range(20_000))
    write_metrics(paths, "".join(rows))
    curve = curves_data(paths, points=200)["curves"]["loss"]
    assert curve["points"] == 20_000
    assert len(curve["x"]) <= 200
    assert curve["x"][curve["y"].index(100.0)] == 7777
    assert curve["x"] == sorted(curve["x"])
    assert len(curve["epoch"]) == len(curve["y"]) == len(curve["x"])


@given(st.lists(st.sampled_from(["a", "b", "quoted", "bare"]), max_size=30), st.integers(0, 40))
def test_what_is_read_in_two_parts_is_the_whole(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], after: int
) -> None:
    paths = RunPaths(tmp_path_factory.mktemp("root"), "digits", "k")
    fields = {"a": "a", "b": "b", "quoted": '"a"', "bare": "c"}
    steps = ["" if name == "bare" else n for n, name in enumerate(names)]
    rows = zip(steps, names, strict=True)
    write_metrics(
        paths, "".join(f"{n},,1.0,{fields[name]},{k}\n" for k, (n, name) in enumerate(rows))
    )
    whole, rest = curves_data(paths), curves_data(paths, after=after)
    assert whole["rows"] == rest["rows"] == len(names)
    for name, curve in whole["curves"].items():
        spelt = {"a": ("a", "quoted"), "b": ("b",), "c": ("bare",)}[name]
        begin = sum(one in spelt for one in names[:after])
        more = rest["curves"].get(name, {"x": [], "y": []})
        assert curve["x"][begin:] == more["x"]
        assert curve["y"][begin:] == more["y"]
        assert name not in rest["curves"] or curve["points"] == more["points"]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=20), st.data())
def test_rows_that_were_read_in_pieces_are_sorted_as_one(
    tmp_path_factory: pytest.TempPathFactory, codes: list[int], data: st.DataObject
) -> None:
    paths = RunPaths(tmp_path_factory.mktemp("root"), "digits", "k")
    rows = [f"{n},,1.0,m{code},{n}\n" for n, code in enumerate(codes)]
    write_metrics(paths, "".join(rows))
    after = data.draw(st.integers(0, len(rows)))
    cut = len("step,epoch,time,name,value\n") + sum(
        map(len, rows[: data.draw(st.integers(0, len(rows)))])
    )
    columns = read_ranges(paths.metrics, [(0, cut), (cut, None)])
    for name, curve in curves_of(columns, after).items():
        own = [n for n, code in enumerate(codes) if name == f"m{code}"]
        assert list(curve.xs) == list(curve.values) == [n for n in own if n >= after]
        assert curve.before + len(curve.values) == len(own)


def test_only_what_is_new_of_a_run_that_goes_on_is_given(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 3.0, "acc": 0.1})
        exp.kept_rows()
        first = curves_data(exp.paths)
        exp.log_metrics(1, 0, {"loss": 2.0})
        exp.kept_rows()
        more = curves_data(exp.paths, after=first["rows"])
        assert more["rows"] == 3
        assert {name: curve["y"] for name, curve in more["curves"].items()} == {"loss": [2.0]}
        assert more["curves"]["loss"]["x"] == [1]


def test_a_run_that_went_back_says_so_and_shows_what_counts(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 3.0})
        rows = exp.kept_rows()
        exp.log_metrics(1, 0, {"loss": 99.0})
        exp.kept_rows()
        before = curves_data(exp.paths)
        exp.go_back(rows)
        exp.log_metrics(1, 0, {"loss": 2.0})
    now = curves_data(exp.paths)
    assert (before["went_back"], before["curves"]["loss"]["y"]) == (0, [3.0, 99.0])
    assert now["went_back"] > 0
    assert now["curves"]["loss"]["y"] == [3.0, 2.0]


def test_metrics_that_cannot_be_read_are_no_curves_and_say_why(tmp_path: Path) -> None:
    exp = record(tmp_path)
    exp.paths.metrics.unlink()
    assert curves_data(exp.paths)["curves"] == {}
    assert curves_data(exp.paths)["fault"] == ""
    told = told_of(*rows_of(tmp_path))
    assert "metrics.csv is not there" in curves_data(exp.paths, told=told)["fault"]
    exp.paths.metrics.mkdir()
    assert "metrics.csv" in curves_data(run_of(exp).paths)["fault"]


def test_values_that_the_file_of_a_run_has_lost_are_told(tmp_path: Path) -> None:
    exp = record(tmp_path, metrics={"loss": float, "acc": float})
    (row,) = rows_of(tmp_path)
    assert curves_data(exp.paths, told=told_of(row))["fault"] == ""
    lines = exp.paths.metrics.read_bytes().splitlines(keepends=True)
    exp.paths.metrics.write_bytes(b"".join(lines[:-2]) + b"2,0,xx,loss,<b>\n\x00\x00garbage\n")
    data = curves_data(exp.paths, told=told_of(row))
    assert data["curves"]["loss"]["y"] == [0.0, 1.0]
    told = "of the 3 values of 'loss' that the run recorded it has 2; 2 metrics lack values."
    assert told in data["fault"]
    later = curves_data(exp.paths, after=4, told=told_of(row))
    assert (later["curves"], later["fault"]) == ({}, data["fault"])


def test_the_means_of_a_long_curve_are_those_of_its_finite_values(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path, "digits", "k")
    values = [float(step) for step in range(40)]
    values[0], values[4:8], values[8:10] = math.inf, [math.nan] * 4, [1.7e308] * 2
    write_metrics(paths, "".join(f"{s},{s // 10},1.0,loss,{v}\n" for s, v in enumerate(values)))
    curve = curves_data(paths, points=20)["curves"]["loss"]
    means = curve["means"]
    assert means["x"] == list(range(3, 40, 4))
    assert means["epoch"] == [step // 10 for step in means["x"]]
    assert means["n"] == [3, 0] + [4] * 8
    assert means["y"][:3] == [2.0, None, pytest.approx(0.85e308)]
    assert means["y"][3:] == [sum(values[at : at + 4]) / 4 for at in range(12, 40, 4)]
    assert "means" not in curves_data(paths, points=40)["curves"]["loss"]
