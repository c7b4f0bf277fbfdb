"""The rows of a run that was gone on with in its own folder: which of them readers see."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.errors import RecordError
from thexp_pl.jsonable import dumps
from thexp_pl.record import read_metrics
from thexp_pl.record.metrics import read_history
from thexp_pl.record.metrics.history import History, history_of, ranges_before
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.run_metrics import RunMetrics
from thexp_pl.record.summary import MetricsSummary
from thexp_pl.runs import read_run

Row = tuple[int, str, float]

# what happens to a run, one after the other: rows are written, a checkpoint is saved, or it is
# killed and goes on from one of the checkpoints that there are
HAPPENINGS = st.lists(
    st.one_of(
        st.lists(st.tuples(st.sampled_from(["loss", "a,b"]), st.floats()), max_size=3),
        st.just("save"),
        st.integers(0, 7),
    ),
    max_size=30,
)


def new_run(folder: Path) -> RunPaths:
    paths = RunPaths(folder, "digits", "26-11-22-061138-k3f9")
    paths.folder.mkdir(parents=True)
    return paths


def note(paths: RunPaths, **event: Any) -> None:
    with paths.journal.open("ab") as file:
        file.write(dumps({"event": "resume", **event}) + b"\n")


def shown(paths: RunPaths) -> list[str]:
    return [repr((step, name, value)) for step, _, _, name, value in read_history(paths).rows()]


@settings(max_examples=60)
@given(happenings=HAPPENINGS)
def test_however_often_a_run_goes_back_its_rows_are_those_of_one_that_never_stopped(
    tmp_path_factory: pytest.TempPathFactory, happenings: list[Any]
) -> None:
    paths = new_run(tmp_path_factory.mktemp("root"))
    metrics = RunMetrics(paths)
    expected: list[str] = []
    saved: list[tuple[Any, list[str]]] = []
    written = 0
    for happening in happenings:
        if happening == "save":
            saved.append((json.loads(json.dumps(metrics.rows())), expected.copy()))
        elif isinstance(happening, int):
            metrics.close()
            metrics = RunMetrics(paths)
            metrics.take_up()
            rows, expected = saved[happening] if happening < len(saved) else ((), [])
            note(paths, passed_over=metrics.passed_over(rows))
            metrics.take_up()
            expected = expected.copy()
        else:
            for name, value in happening:
                metrics.write(written, None, {name: value})
                expected.append(repr((written, name, value)))
                written += 1
    summary = metrics.summary.to_dict()
    metrics.close()
    assert shown(paths) == expected
    assert len(read_metrics(paths.metrics)) == written  # nothing is deleted
    assert repr(summary) == repr(MetricsSummary.of(read_history(paths).rows()).to_dict())


@given(
    told=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["kept", "until", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_whatever_a_journal_says_the_rows_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, told: Any
) -> None:
    paths = new_run(tmp_path_factory.mktemp("root"))
    metrics = RunMetrics(paths)
    metrics.write(0, 0, {"loss": 1.0})
    metrics.close()
    note(paths, passed_over=told)
    assert len(read_history(paths)) <= 1


@pytest.mark.parametrize(
    "kept", [[[5, 3]], [[0, 10], [5, 20]], [[-1, 4]], [[0, 10**30]], [[0.0, 4]], [[0]], "all", None]
)
def test_ranges_that_cannot_be_are_as_if_nothing_was_said(tmp_path: Path, kept: Any) -> None:
    paths = new_run(tmp_path)
    note(paths, passed_over={"kept": [[0, 4]], "until": 9})
    note(paths, passed_over={"kept": kept, "until": 30})
    with paths.journal.open("ab") as file:
        file.write(b'{"event": "resume", "passed_over": {"kep')
    assert history_of(paths.journal) == History(((0, 4),), 9)


def test_what_is_passed_over_is_neither_in_the_summary_nor_in_what_readers_see(
    tmp_path: Path,
) -> None:
    paths = new_run(tmp_path)
    metrics = RunMetrics(paths)
    metrics.write(0, 0, {"loss": 3.0})
    rows = metrics.rows()
    metrics.write(1, 0, {"loss": -5.0})
    note(paths, passed_over=metrics.passed_over(rows))
    metrics.take_up()
    metrics.write(1, 0, {"loss": 2.0})
    metrics.close()
    assert metrics.summary.to_dict()["loss"]["min"] == 2.0
    manifest = {"status": "running"}
    read = read_run(paths)
    assert type(read)(paths, manifest).metrics["loss"] == {
        "last": 2.0,
        "min": 2.0,
        "max": 3.0,
        "mean": 2.5,
        "count": 2,
        "nonfinite": 0,
    }
    with paths.metrics.open() as file:  # the file itself keeps all of it
        assert [row["value"] for row in csv.DictReader(file)] == ["3.0", "-5.0", "2.0"]


def test_without_a_known_place_the_rows_are_cut_by_their_step(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    metrics = RunMetrics(paths)
    for step in range(4):
        metrics.write(step, 0, {"loss_step": float(step)})
        if step % 2:
            metrics.write(None, 0, {"of no step": float(step)})
    size = metrics.rows()
    kept = ranges_before(paths.metrics, size, 2)
    note(paths, passed_over=metrics.passed_over(kept))
    metrics.close()
    assert [row[0] for row in read_history(paths).rows()] == [0, 1, None]
    assert ranges_before(paths.metrics, size, 9) == size
    assert ranges_before(paths.metrics, size, 0) == ((0, len("step,epoch,time,name,value\n")),)


@pytest.mark.parametrize("tail", [b"1,0,1.000,loss,0.", b"\0" * 400, b"2,0,1.0" + b"\0" * 9])
def test_behind_a_torn_last_line_no_row_of_the_resumed_run_is_lost(
    tmp_path: Path, tail: bytes
) -> None:
    paths = new_run(tmp_path)
    metrics = RunMetrics(paths)
    metrics.write(0, 0, {"loss": 1.0})
    rows = metrics.rows()
    metrics.write(1, 0, {"loss": 0.5})
    metrics.close()
    with paths.metrics.open("ab") as file:
        file.write(tail)
    metrics = RunMetrics(paths)
    metrics.take_up()
    told = metrics.passed_over(rows)
    note(paths, passed_over=told)
    metrics.take_up(told)  # no fault: what is torn came after the checkpoint
    for step in range(1, 9):
        metrics.write(step, 0, {"loss": 1.0 - step / 10})
    metrics.close()
    assert [row[0] for row in read_history(paths).rows()] == list(range(9))
    assert metrics.summary.to_dict()["loss"]["count"] == 9


@pytest.mark.parametrize("left", [0, 60, None])
def test_metrics_that_are_gone_are_told_and_what_is_there_is_kept(
    tmp_path: Path, left: int | None
) -> None:
    paths = new_run(tmp_path)
    metrics = RunMetrics(paths)
    for step in range(4):
        metrics.write(step, 0, {"loss": float(step)})
    rows = metrics.rows()
    metrics.close()
    if left is None:
        paths.metrics.unlink()
    else:
        os.truncate(paths.metrics, left)
    kept = [row[0] for row in read_metrics(paths.metrics).rows()]
    metrics = RunMetrics(paths)
    metrics.take_up()
    told = metrics.passed_over(rows)
    assert told["lost"] == rows[-1][1] - told["until"]
    note(paths, passed_over=told)
    with pytest.raises(RecordError, match=f"{told['lost']:,} bytes of them are gone, {len(kept)} "):
        metrics.take_up(told)
    for step in (4, 5):
        metrics.write(step, 0, {"loss": float(step)})
    metrics.close()
    assert [row[0] for row in read_history(paths).rows()] == [*kept, 4, 5]
    assert metrics.summary.to_dict() == MetricsSummary.of(read_history(paths).rows()).to_dict()


def test_a_damaged_line_before_the_checkpoint_is_told(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    metrics = RunMetrics(paths)
    for step in range(4):
        metrics.write(step, 0, {"loss": float(step)})
    rows = metrics.rows()
    metrics.take_up(metrics.passed_over(rows))
    metrics.close()
    data = paths.metrics.read_bytes()
    at = data.index(b"\n2,") + 1
    paths.metrics.write_bytes(data[:at] + b"\0" * 8 + data[at + 8 :])
    metrics = RunMetrics(paths)
    with pytest.raises(RecordError, match="1 damaged lines are passed over, 3 rows are kept"):
        metrics.take_up(metrics.passed_over(rows))


def test_a_large_file_is_read_in_the_same_ranges(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    head = "step,epoch,time,name,value\n"
    lines = [f"{step},0,1.000,loss,{float(step)!r}\n" for step in range(250_000)]  # over 4 MiB
    paths.metrics.write_text(head + "".join(lines))
    kept = len(head) + sum(map(len, lines[:1000]))
    until = len(head) + sum(map(len, lines[:200_000]))
    note(paths, passed_over={"kept": [[0, kept]], "until": until})
    assert read_history(paths).step == [*range(1000), *range(200_000, 250_000)]
