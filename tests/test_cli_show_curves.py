"""The curves that `thexp-pl show` draws."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.cli.page.plot import plot
from thexp_pl.cli.page.sparkline import ASCII_LEVELS, LEVELS, sparkline

FLAT = "▅"
BRAILLE = {chr(0x2800 + dots) for dots in range(1, 256)}
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def curve(lines: list[str]) -> list[str]:
    """Give the rows of a plot without its axes."""
    return [line.partition("│")[2] for line in lines if "│" in line]


@given(st.integers(0, 4999), st.sampled_from([-1.0, 1.0]))
def test_a_single_spike_in_thousands_of_values_is_seen(place: int, sign: float) -> None:
    values = [0.0] * 5000
    values[place] = sign
    drawn = sparkline(values, 40)
    spike, rest = (LEVELS[-1], LEVELS[0]) if sign > 0 else (LEVELS[0], LEVELS[-1])
    assert drawn.count(spike) == 1
    assert drawn.count(rest) == 39
    assert abs(drawn.index(spike) - place * 40 // 5000) <= 1


@given(st.integers(41, 200), st.data())
def test_a_spike_is_seen_where_few_values_share_a_block(count: int, data: st.DataObject) -> None:
    values = [0.0] * count
    values[data.draw(st.integers(0, count - 1))] = 1.0
    assert sparkline(values, 40).count(LEVELS[-1]) == 1


def test_a_dip_in_a_high_plain_is_seen_though_another_part_is_lower() -> None:
    values = [10.0] * 100 + [0.0] * 100
    values[50] = 5.0
    drawn = sparkline(values, 20)
    assert drawn[5] not in (LEVELS[0], LEVELS[-1])


@given(st.lists(NUMBERS, max_size=200), st.integers(1, 60), st.sampled_from([LEVELS, ASCII_LEVELS]))
def test_a_sparkline_is_as_long_as_asked_and_has_gaps_where_nothing_is_finite(
    values: list[float], width: int, levels: str
) -> None:
    drawn = sparkline(values, width, levels)
    assert len(drawn) == min(width, len(values))
    assert set(drawn) <= set(levels) | {" "}
    if len(values) <= width:
        gaps = [not math.isfinite(value) for value in values]
        assert [letter == " " for letter in drawn] == gaps


def test_a_sparkline_goes_from_the_least_to_the_greatest() -> None:
    assert sparkline(range(8), 8) == LEVELS
    assert sparkline([3.0, 3.0], 8) == FLAT * 2
    assert sparkline([], 8) == ""
    assert sparkline([-1e308, 1e308], 8) == "▁█"


def test_a_plot_joins_its_points_between_labelled_axes() -> None:
    lines = plot([(10, 0.0), (20, 1.0)], width=32, height=4)
    labels = ["         1 │", "           │", "           │", "         0 │", "           └"]
    assert [line[:12] for line in lines[:5]] == labels
    assert lines[-1].split() == ["10", "20"]
    rows = [row.ljust(20) for row in curve(lines)]
    assert all(any(row[column] in BRAILLE for row in rows) for column in range(20))
    assert rows[0][-1] in BRAILLE
    assert rows[-1][0] in BRAILLE


def test_a_plot_has_a_gap_where_a_value_is_not_finite() -> None:
    points = [(0, 0.0), (4, 0.0), (5, math.nan), (6, 0.0), (10, 0.0)]
    (row,) = (row for row in curve(plot(points, width=33)) if row)
    assert " " in row.strip()
    assert plot([(0, math.nan)], width=33) == ["no value is finite"]


@given(st.integers(0, 9999))
def test_a_single_spike_is_seen_in_a_plot(place: int) -> None:
    points = [(step, float(step == place)) for step in range(10_000)]
    assert any(letter in BRAILLE for letter in curve(plot(points, width=80))[0])


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), NUMBERS), min_size=1, max_size=60),
    st.booleans(),
)
def test_whatever_is_plotted_fits_its_width_and_height(
    points: list[tuple[int, float]], braille: bool
) -> None:
    lines = plot(sorted(points, key=lambda point: point[0]), width=50, height=6, braille=braille)
    assert len(lines) in (1, 8)
    assert all(len(line) <= 50 + 2 for line in lines)
    assert braille or all(line.isascii() for line in lines)
