"""What a report of a benchmark says of the rounds that were measured."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_helpers import Shown

from benchmarks import harness, tables
from benchmarks.report import Goal, Growth, Report, digits, shown

SIZES = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
seconds = st.floats(1e-9, 1e6)
names = st.text(min_size=1, max_size=8)


@st.composite
def reports(draw):
    cases = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    rounds = draw(st.integers(1, 4))
    case = st.sampled_from([*cases, "not measured"])
    of_a_size = st.dictionaries(st.integers(1, 10**6), case, min_size=1, max_size=4)
    return Report(
        draw(names),
        {name: draw(st.lists(seconds, min_size=rounds, max_size=rounds)) for name in cases},
        draw(st.lists(st.builds(Goal, case, case, seconds, st.booleans()), max_size=3)),
        draw(st.lists(names, max_size=2)),
        draw(st.sampled_from(["s", "MB"])),
        draw(st.lists(st.builds(Growth, names, names, of_a_size), max_size=3)),
        draw(names),
        draw(st.floats(0, 2)),
        draw(names),
        draw(names),
    )


@given(reports())
def test_a_report_comes_back_from_json_as_it_was(report):
    text = json.dumps(report.to_dict(), allow_nan=False)
    back = Report.from_dict(json.loads(text))
    assert back == report
    assert json.dumps(back.to_dict()) == text


@given(st.floats(1e-9, 1e9) | st.floats(-1e9, -1e-9))
def test_a_time_is_shown_within_half_of_its_last_digit(value):
    number, unit = shown(value, "s").split()
    back = float(number.replace(",", "")) * SIZES[unit]
    assert abs(back - value) <= abs(value) * 0.5e-2 * (1 + 1e-9)
    assert unit in ("s", "ns") or 1 <= abs(float(number)) < 1_000


@given(st.floats(1e-9, 1e12))
def test_a_number_is_written_without_a_power_of_ten_where_it_need_not_be(value):
    text = digits(value)
    assert abs(float(text.replace(",", "")) - value) <= value * 0.5e-2 * (1 + 1e-9)
    assert "e" not in text or value < 1e-4


@given(st.floats(0, 3), seconds, st.sets(st.integers(1, 10**6), min_size=2, max_size=4))
def test_the_exponent_of_a_power_is_that_power(power, once, sizes):
    few, many = sorted(sizes)[-2:]
    assume(many / few > 1.1)
    report = Report("t", {f"{size}": [once * size**power] for size in sizes}, [])
    growth = Growth("it", "runs", {size: f"{size}" for size in sizes})
    assert report.exponent(growth) == pytest.approx(power, abs=1e-6)


def test_one_size_or_a_size_that_was_not_measured_has_no_exponent():
    report = Report("t", {"1": [1.0], "2": [2.0], "4": [0.0]}, [])
    assert report.exponent(Growth("it", "runs", {1: "1"})) is None
    assert report.exponent(Growth("it", "runs", {1: "1", 3: "3"})) is None
    assert report.exponent(Growth("it", "runs", {1: "1", 4: "4"})) is None


def test_a_cost_that_grows_worse_than_linear_is_told():
    report = Report("t", {"1": [1.0], "10": [9.0], "100": [900.0]}, [])
    report.growths = [Growth("a", "runs", {1: "1", 10: "10"})]
    report.growths += [Growth("b", "runs", {10: "10", 100: "100"})]
    first, second = tables.notes(report)
    assert "0.95" in first
    assert "worse" not in first
    assert "from 10 to 100 runs" in second
    assert "worse than linear" in second


def test_a_figure_is_the_median_of_the_rounds_own_ratios_or_differences():
    values = {"ours": [1.0, 2.0, 9.0], "theirs": [2.0, 2.0, 3.0]}
    report = Report("t", values, [])
    assert report.figure(Goal("ours", "theirs", 1)) == (1.0, 0.5, 3.0)
    assert report.figure(Goal("ours", "theirs", 1, more=True)) == (0.0, -1000.0, 6000.0)
    report.unit = "MB"
    assert report.figure(Goal("ours", "theirs", 1, more=True)) == (0.0, -1.0, 6.0)


def test_a_peer_that_is_absent_stands_in_the_tables_as_that():
    goals = [Goal("ours", "theirs", 1), Goal("ours", "slower", 0.5), Goal("ours", "nothing", 5_000)]
    values = {"ours": [0.002, 0.002], "slower": [0.5, 0.5], "nothing": [1e-9, 1e-9]}
    report = Report("Title", values, goals, ["theirs"], date="2026-11-23")
    lines = [*tables.summary([report]), *tables.markdown(report)]
    page = Shown("# All\n\n" + "\n".join(lines))
    assert ["theirs", "absent", "", ""] in page.rows("Title")
    assert ["ours", "2 ms", "2 ms", "2 ms"] in page.rows("Title")
    assert page.rows("All") == [["Title", "1", "1", "1", "2", "0%", "2026-11-23", "1"]]
    text = "\n".join(lines)
    assert "| ours | theirs | absent |  | <= 1 |  |" in text
    assert "| ours | slower | 0.004 | 0.004 .. 0.004 | <= 0.5 | held |" in text
    assert "<= 5,000 | missed |" in text


def test_a_terminal_shows_the_median_the_spread_and_the_verdict(capsys):
    values = {"ours": [0.002, 0.001, 0.004], "theirs": [0.002, 0.004, 0.002]}
    report = Report("Title", values, [Goal("ours", "theirs", 0.5)], ["another"], why="The floor.")
    tables.print_report(report)
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert lines[0].strip() == "Title"
    assert ["ours", "2 ms", "1 ms", "4 ms"] in rows
    assert ["another", "absent", "", ""] in rows
    assert ["ours", "theirs", "1", "0.25 .. 2", "<= 0.5", "missed"] in rows
    assert lines[-1] == "The floor."


def test_the_number_of_rounds_is_told():
    values = {"ours": [1.0] * 3, "theirs": [1.0] * 25, "once": [1.0]}
    told = ["\n".join(tables.summary([Report("t", some, [])])) for some in (values, {})]
    assert "| 1 to 25 |" in told[0]
    assert "|  |" in told[1]


def test_cases_are_warm_before_the_first_round():
    called = []
    cases = {name: partial(called.append, name) for name in "AB"}
    rounds = harness.measure(cases, harness.Scale(quick=True))
    assert [*map(len, rounds.values())] == [2, 2]
    first, *later = (name for name, _ in groupby(called))
    # B has been called before A is timed
    assert [first, *later[:2]] == ["A", "B", "A"]


def test_what_measures_is_on_one_processor_and_one_thread():
    script = """
import os, torch
from benchmarks import harness
before = os.sched_getaffinity(0)
harness.pin()
assert len(os.sched_getaffinity(0)) == torch.get_num_threads() == 1
with harness.all_processors():
    assert os.sched_getaffinity(0) >= before
assert len(os.sched_getaffinity(0)) == 1
"""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("the system keeps no process on a processor")
    folder = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, timeout=120)


def test_cases_run_in_turn():
    called = []
    cases = {name: lambda name=name: called.append(name) or 1.0 for name in "AB"}
    assert harness.in_turn(cases, 3) == {"A": [1.0] * 3, "B": [1.0] * 3}
    assert called == [*"ABABAB"]


def test_the_noise_is_that_of_the_rounds_since_it_was_last_asked():
    harness.noise()
    assert harness.noise() == 0.0
    harness.in_turn({}, 1)
    assert harness.noise() == 0.0  # one round varies by nothing
    harness.in_turn({}, 5)
    assert 0 < harness.noise() < math.inf
    assert harness.noise() == 0.0


@pytest.mark.parametrize("noise", [0.0, tables.NOISY, 0.5])
def test_a_noisy_machine_is_told(noise):
    said = tables.notes(Report("t", {}, [], noise=noise))
    assert any("50%" in line for line in said) == (noise > tables.NOISY)
    assert not tables.notes(Report("t", {}, [], unit="MB", noise=noise))


def test_a_peer_is_absent_and_what_a_peer_lacks_is_an_error(tmp_path, monkeypatch):
    absent: list[str] = []
    assert harness.peer("json", absent) is json
    assert harness.peer("no_such_peer.inner", absent) is None
    assert absent == ["no_such_peer"]
    (tmp_path / "half_a_peer.py").write_text("import what_it_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        harness.peer("half_a_peer", absent)


def test_quick_and_few_repeats_keep_some_rounds():
    assert harness.Scale().rounds(5) == 5
    assert harness.Scale(1).rounds() == 3
    assert harness.Scale(quick=True).rounds(5) == 2
    assert harness.Scale(quick=True).pick("full", "quick") == "quick"
