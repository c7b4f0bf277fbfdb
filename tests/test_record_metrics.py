"""metrics.csv: every row comes back, also from a file that was cut anywhere."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.record.metrics import MetricsWriter, read_metrics

names = st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["a,b", 'say "x"', "two\nlines", "back\\slash", "\\n", "", " ", '"', "损失", "a\rb", "a\u2028b"]
)
counts = st.none() | st.integers(0, 10**9)
calls = st.lists(st.tuples(counts, counts, st.dictionaries(names, st.floats(), max_size=3)))


def rows_of(path: Path) -> list[tuple[int | None, int | None, str, str]]:
    columns = read_metrics(path)
    return [(step, epoch, name, repr(value)) for step, epoch, _, name, value in columns.rows()]


@given(calls)
@settings(deadline=None)
def test_every_row_reads_back_as_it_was_written(
    given_calls: list[tuple[int | None, int | None, dict[str, float]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        writer = MetricsWriter(path)
        for step, epoch, values in given_calls:
            writer.write(step, epoch, values)
        writer.close()
        assert rows_of(path) == [
            (step, epoch, name, repr(value))
            for step, epoch, values in given_calls
            for name, value in values.items()
        ]


def write_three(path: Path) -> None:
    writer = MetricsWriter(path)
    writer.write(0, 0, {"loss": 0.125})
    writer.write(1, 0, {'a,"b"': math.nan, "two\nlines": -math.inf})
    writer.close()


def test_a_file_cut_at_any_byte_gives_its_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_three(path)
    data = path.read_bytes()
    whole = rows_of(path)
    assert len(whole) == 3
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        lines = data[:cut].count(b"\n")
        assert rows_of(path) == whole[: max(0, lines - 1)]


def test_a_writer_that_goes_on_after_a_cut_loses_only_the_torn_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_three(path)
    data = path.read_bytes()
    whole = rows_of(path)
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        writer = MetricsWriter(path)
        writer.write(7, 1, {"loss": 1.5})
        writer.close()
        kept = whole[: max(0, data[:cut].count(b"\n") - 1)]
        assert rows_of(path) == [*kept, (7, 1, "loss", "1.5")]


def test_a_plain_csv_reader_reads_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path)
    writer.write(3, None, {'a,"b"': 1.0, " x ": math.inf})
    writer.close()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["epoch"], row["name"], row["value"]) for row in rows] == [
        ("3", "", 'a,"b"', "1.0"),
        ("3", "", " x ", "inf"),
    ]


def test_the_thousandth_row_brings_all_rows_to_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path, flush_seconds=3600)
    for step in range(99):
        writer.write(step, 0, {str(name): step for name in range(10)})
    assert not path.exists()
    writer.write(99, 0, {str(name): 99 for name in range(10)})
    assert len(read_metrics(path)) == 1_000
    writer.close()


def test_a_lonely_row_is_on_disk_after_the_given_time(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path, flush_seconds=0.01)
    writer.write(0, 0, {"loss": 1.0})
    flushers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for flusher in flushers:
        flusher.join()
    assert rows_of(path) == [(0, 0, "loss", "1.0")]
    writer.close()


def test_rows_that_the_disk_refuses_are_kept_and_written_later(tmp_path: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
from thexp_pl.record.metrics import MetricsWriter, read_metrics
path = Path({str(tmp_path / "metrics.csv")!r})
writer = MetricsWriter(path, flush_seconds=3600)
writer.write(0, 0, {{"loss": 0.0}})
writer.flush()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
writer.write(1, 0, {{"loss": 1.0, "acc": 1.0}})
try:
    writer.flush()
except OSError:
    print(len(read_metrics(path)), path.read_bytes()[-1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.write(2, 0, {{"loss": 2.0}})
writer.close()
print(read_metrics(path).value)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["1 b'\\n'", "[0.0, 1.0, 1.0, 2.0]"], done.stderr


def test_several_threads_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path, flush_seconds=0.001)

    def work(thread: int) -> None:
        for step in range(500):
            writer.write(step, thread, {"loss": step, "acc": 0.5})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    columns = read_metrics(path)
    assert len(columns) == 4 * 500 * 2
    assert len(set(zip(columns.step, columns.epoch, columns.name, strict=True))) == len(columns)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        path.write_bytes(data)
        read_metrics(path)


@given(st.lists(st.floats(width=32), min_size=1))
@settings(deadline=None)
def test_the_summary_is_that_of_the_finite_values(values: list[float]) -> None:
    writer = MetricsWriter(Path("/nowhere/metrics.csv"), flush_seconds=3600)
    for value in values:
        writer.write(0, 0, {"loss": value})
    cell = writer.summary.to_dict()["loss"]
    finite = [value for value in values if math.isfinite(value)]
    assert cell["count"] == len(values)
    assert cell["nonfinite"] == len(values) - len(finite)
    assert repr(cell["last"]) == repr(values[-1])
    if finite:
        assert (cell["min"], cell["max"]) == (min(finite), max(finite))
        assert cell["mean"] == pytest.approx(sum(finite) / len(finite))
    else:
        assert all(math.isnan(cell[name]) for name in ("min", "max", "mean"))
