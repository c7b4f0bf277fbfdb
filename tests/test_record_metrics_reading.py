"""Reading metrics.csv: many lines at once give what one by one gives, whatever is in the file."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.record.metrics import MetricColumns, MetricsWriter, read_metrics

Row = tuple[int | None, int | None, str, str, str]


@contextlib.contextmanager
def line_by_line() -> Iterator[None]:
    """Small files are read without numpy where nothing has imported it."""
    kept = sys.modules.pop("numpy")
    try:
        yield
    finally:
        sys.modules["numpy"] = kept


def plain(columns: MetricColumns) -> list[Row]:
    rows = columns.rows()
    return [(step, epoch, repr(time), name, repr(value)) for step, epoch, time, name, value in rows]


def read_both(path: Path) -> list[Row]:
    fast = plain(read_metrics(path))
    with line_by_line():
        assert plain(read_metrics(path)) == fast
    return fast


def read_text(text: str | bytes) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_both(path)


numbers = st.sampled_from(["", "0", "7", "12345678", "1234567890123456", "12345678901234567", "-3"])
times = st.sampled_from(
    ["1763805138.123", "0.000", "1.5", ".123", "99999999999999.999", "1e3", "-1.000", "5", "nan"]
)
names = st.text(st.sampled_from('abloss_/.-+ "\\\0é损失名,'), max_size=40)
values = (
    st.floats().map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False, places=18).map(str)
    | st.integers().map(str)
    | st.text("0123456789.e-+_ :/", max_size=24)
    | st.sampled_from(["nan", "-nan", "inf", "-inf", "-0.0", "1_0.5", "٣", " 1.5", "0x1p3"])
)
lines = st.tuples(numbers, numbers, times, names, values).map(",".join)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    read_text(data)
    read_text(data + b"\n")


@given(st.lists(lines, max_size=30), st.sampled_from(["", "\n", "\r\n"]), st.booleans())
def test_any_lines_that_are_almost_rows(rows: list[str], end: str, header: bool) -> None:
    first = ["step,epoch,time,name,value"] if header else []
    read_text("\n".join([*first, *rows]) + end)


heads = st.sampled_from(
    [
        *("0,0,1763805138.123", "0,0,1763805138.124", "1,0,1763805138.123", "10,,1763805138.123"),
        *(",,0.000", "1000000,0,1763805138.123", "1234567890123456,1234567890123456,2.125"),
        *("1234567890123456,1234567899123456,2.125", "7,7,9007199254740.991", "7,7,.123"),
    ]
)
good_values = st.floats().map(repr) | st.sampled_from(["0.5", "5.", ".5", "12.25", "1234567.125"])
good_rows = st.tuples(heads, st.sampled_from(["a", "b", "损失", "y" * 17]), good_values).map(
    ",".join
)


@given(st.lists(good_rows, min_size=1, max_size=8), st.data())
def test_rows_of_which_one_byte_is_another(rows: list[str], data: st.DataObject) -> None:
    text = bytearray(("\n".join(rows) + "\n").encode())
    read_text(bytes(text))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.sampled_from(b",,,..\n-:/;09 +e\x00\xff"))
    read_text(bytes(text))


@pytest.mark.parametrize(
    "line",
    [
        *(
            "0,0,1.000,a,.5",
            "0,0,1.000,a,5.",
            "0,0,1.000,a,-0.0",
            "0,0,1.000,a,0.12345678901234567890",
        ),
        *(
            "0,0,1.000,a,1:.5",
            "0,0,1.000,a,1.:",
            "0,0,1.000,a,0./",
            ":,0,1.000,a,0.5",
            "0,0,1.000 a,0.5",
        ),
        *("0,0,1.00:,a,0.5", "0,0,1:000,a,0.5", "0,0,1e3,a,0.5", "0,0,.000,a,0.5", "0,0,,a,0.5"),
        *(
            "0,0.1,1,a,0.5",
            "0 0,1.000,a,0.5",
            "0,0 1.000,a,0.5",
            "0,0,1.000,a 0.5",
            "0,1.000,a,0.5 ",
        ),
        *("0,0,9007199254740.993,a,0.5", "0,0,9999999999999999.999,a,0.5", "0,0,-1.000,a,0.5"),
        *("0,0,123456789012345.678,a,0.5", "0,0,1.0000,a,0.5", "0,0,10.00,a,0.5", "0,0,5,a,0.5"),
    ],
)
def test_a_line_beside_good_ones(line: str) -> None:
    good = "0,0,1.000,a,0.5\n"
    read_text(f"{good}{line}\n{good}{line}\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,1,111111111111.000", "1,1,1111111111111.000"),
        ("1,12,1763805138.123", "1,22,1763805138.123"),
        ("1234567890123456,1234567890123456,2.125", "1234567890123456,1234567899123456,2.125"),
    ],
)
def test_calls_that_differ_only_in_the_middle(one: str, other: str) -> None:
    rows = read_text(f"{one},a,0.5\n{other},a,0.5\n{other},b,0.5\n{one},b,0.5\n")
    assert rows[0][:3] == rows[3][:3] != rows[1][:3] == rows[2][:3]


@given(st.lists(st.tuples(st.integers(0, 10**17), st.text("ab損c/ ", max_size=40), st.floats())))
def test_rows_that_were_written(rows: list[tuple[int, str, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        writer = MetricsWriter(path)
        for step, name, value in rows:
            writer.write(step, None, {name: value, "same": value})
        writer.close()
        found = read_both(path)
    expected = [
        (step, None, field, repr(value))
        for step, name, value in rows
        for field in {name: 0, "same": 0}
    ]
    assert [(step, epoch, name, value) for step, epoch, _, name, value in found] == expected


def value_of(text: str) -> str:
    ((*_, value),) = read_text(f"0,0,1.000,a,{text}\n")
    return value


@given(st.from_regex(r"[0-9]{1,9}\.[0-9]{0,18}", fullmatch=True))
def test_a_decimal_is_the_float_that_python_reads(text: str) -> None:
    assert value_of(text) == repr(float(text))


@given(st.integers(2**49, 2**53 - 1), st.integers(48, 53))
def test_a_decimal_beside_the_middle_of_two_floats(mantissa: int, power: int) -> None:
    middle = (2 * mantissa + 1) * 10**18 // 2 ** (power + 1)  # its first 18 places
    for number in (middle - 1, middle, middle + 1):
        whole, places = divmod(number, 10**18)
        text = f"{whole}.{places:018d}"
        assert value_of(text) == repr(float(text))


def write_many(path: Path, calls: int) -> None:
    writer = MetricsWriter(path, flush_seconds=3600)
    random = np.random.default_rng(0)
    for step in range(calls):
        value = float(random.random())
        epoch = None if step % 7 == 0 else step // 100
        writer.write(step, epoch, {"loss": value, "val/损失": -value * 1e3, "a,b": value * 1e-9})
    writer.close()


def test_a_file_of_several_blocks_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_many(path, 12_000)
    data = path.read_bytes()
    assert len(data) > 1_500_000
    whole = read_both(path)
    assert len(whole) == 36_000
    for cut in range(0, len(data), 210_011):
        path.write_bytes(data[:cut])
        assert read_both(path) == whole[: max(0, data[:cut].count(b"\n") - 1)]


def test_one_bad_line_costs_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_many(path, 3_000)
    whole = read_both(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for bad in (
        b"\n",
        b"what is this\n",
        b"1,2,3.000,a\n",
        b"1,2,3.000,a,b,c\n",
        b"\xff\xfe\0,,\n",
    ):
        path.write_bytes(b"".join([*lines[:5000], bad, *lines[5000:]]))
        assert read_both(path) == whole


def test_a_line_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    rows = ["0,0,1.000,a,1.5", f"1,0,1.000,{'x' * 3_000_000},2.5", "2,0,1.000,b,3.5", ""]
    path.write_text("\n".join(rows))
    assert [(row[0], len(row[3]), row[4]) for row in read_both(path)] == [
        (0, 1, "1.5"),
        (1, 3_000_000, "2.5"),
        (2, 1, "3.5"),
    ]


def test_more_names_than_are_kept_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path, flush_seconds=3600)
    for step in range(2):
        writer.write(step, 0, {f"layers.{index}.grad": index for index in range(9_000)})
    writer.close()
    assert [row[3] for row in read_both(path)] == [f"layers.{n}.grad" for n in range(9_000)] * 2


@pytest.mark.parametrize("name", ["a", "eight888", "nine99999", "x" * 16, "x" * 32, "x" * 33])
def test_names_that_differ_in_one_letter_or_in_their_length(name: str) -> None:
    near = [name, name + "x", name[:-1] + "y", "y" + name[1:], name + "\0", name[:-1]]
    text = "".join(f"0,0,1.000,{field},1.5\n" for field in near * 2)
    assert [row[3] for row in read_text(text)] == near * 2


def test_numbers_that_are_no_64_bit_integers_are_no_steps() -> None:
    text = "".join(f"{step},0,1.000,a,1.5\n" for step in (2**63 - 1, 2**63, -(2**63), -(2**63) + 1))
    assert [row[0] for row in read_text(text)] == [2**63 - 1, -(2**63) + 1]


def test_the_columns_are_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_many(path, 10)
    columns = read_metrics(path)
    assert len(columns) == 30
    assert [len(columns.step), len(columns.time)] == [30, 30]
    assert columns.step[3:6] == [1, 1, 1]
    assert columns.epoch[0] is None
    assert columns.name[:3] == ["loss", "val/损失", "a,b"]
    types = {type(value) for row in columns.rows() for value in row}
    assert types == {int, float, str, type(None)}
    assert {type(value) for value in columns.value + columns.time} == {float}


def test_a_large_file_is_read_where_there_is_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    rows = "".join(f"{step},0,1763805138.123,loss,{math.pi}\n" for step in range(130_000))
    path.write_text(rows)
    assert path.stat().st_size > 4 << 20
    script = f"""
import sys
if {{}}: sys.modules["numpy"] = None
from pathlib import Path
from thexp_pl.record import read_metrics
columns = read_metrics(Path({str(path)!r}))
print(len(columns), columns.step[-1], columns.value[0], sys.modules.get("numpy") is not None)
"""
    for forbidden in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", script.format(forbidden)], capture_output=True, text=True
        )
        assert done.stdout == f"130000 129999 {math.pi} {not forbidden}\n", done.stderr
