"""Values of metrics: refused by name, or recorded as they stood when they were given."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from thexp_pl.errors import UsageError
from thexp_pl.loggers.board import Board
from thexp_pl.record.metrics import MetricsWriter, read_metrics
from thexp_pl.record.numbers import Given, Held, as_numbers, settle


def test_numbers_of_all_kinds_become_floats_in_their_order() -> None:
    values = {"a": 1, "b": torch.tensor([2.5]), "c": True, 4: math.inf, "d": torch.tensor(3)}
    given = as_numbers(values)  # type: ignore[arg-type]
    assert list(given.values.items()) == [
        ("a", 1.0),
        ("b", 2.5),
        ("c", 1.0),
        ("4", math.inf),
        ("d", 3.0),
    ]
    assert {type(value) for value in given.values.values()} == {float}


@pytest.mark.parametrize(
    "value",
    ["high", None, 1j, torch.tensor([1.0, 2.0]), torch.tensor(1j), torch.empty((), device="meta")],
)
def test_what_is_no_number_is_refused_at_the_call_and_nothing_of_it_kept(
    tmp_path: Path, value: object
) -> None:
    writer = MetricsWriter(tmp_path / "metrics.csv")
    with pytest.raises(UsageError, match="'acc'"):
        writer.write(0, 0, {"loss": 1.0, "acc": value})  # type: ignore[dict-item]
    writer.close()
    assert len(read_metrics(tmp_path / "metrics.csv")) == 0
    assert writer.summary.to_dict() == {}


def held(values: dict[str, float], *names: str) -> Given:
    """As a device would hold some of the values; a CPU can be read in the same way."""
    tensor = torch.tensor([values[name] for name in names], dtype=torch.float64)
    shown = {name: math.nan if name in names else value for name, value in values.items()}
    return Given(shown, [Held(list(names), tensor)])


def test_what_is_held_comes_to_the_file_and_the_summary_in_the_order_of_the_calls(
    tmp_path: Path,
) -> None:
    writer = MetricsWriter(tmp_path / "metrics.csv")
    writer.add(0, None, held({"loss": 3.0, "acc": 0.5}, "loss"))
    writer.write(1, None, {"loss": 2.0})
    assert writer.summary.to_dict()["loss"]["last"] == 2.0
    writer.add(2, None, held({"loss": math.inf}, "loss"))
    writer.add(3, None, held({"loss": 7.0, "acc": 0.25}, "loss", "acc"))
    summary = writer.summary.to_dict()
    writer.close()
    assert writer.summary.to_dict() == summary
    assert summary["loss"] == {
        "last": 7.0,
        "min": 2.0,
        "max": 7.0,
        "mean": 4.0,
        "count": 4,
        "nonfinite": 1,
    }
    columns = read_metrics(tmp_path / "metrics.csv")
    assert columns.name == ["loss", "acc", "loss", "loss", "loss", "acc"]
    assert columns.value == [3.0, 0.5, 2.0, math.inf, 7.0, 0.25]


def test_a_device_that_fails_costs_its_own_values_alone(tmp_path: Path) -> None:
    def lost() -> Given:
        return Given(
            {"loss": math.nan, "acc": 0.5}, [Held(["loss"], torch.empty(1, device="meta"))]
        )

    one, other = lost(), held({"lr": 0.1}, "lr")
    with pytest.raises(NotImplementedError, match="meta"):
        settle([one, other])
    assert (one.values, other.values) == ({"acc": 0.5}, {"lr": 0.1})

    writer = MetricsWriter(tmp_path / "metrics.csv")
    writer.add(0, None, lost())
    with pytest.raises(NotImplementedError, match="meta"):
        writer.flush()
    writer.write(1, None, {"loss": 1.0})
    writer.close()
    columns = read_metrics(tmp_path / "metrics.csv")
    assert list(zip(columns.name, columns.value, strict=True)) == [("acc", 0.5), ("loss", 1.0)]


@pytest.mark.gpu
def test_values_on_a_device_are_recorded_as_they_stood_without_a_wait(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    total = torch.zeros((), device="cuda")
    board = Board(tmp_path / "board", lambda error: pytest.fail(str(error)))
    writer = MetricsWriter(tmp_path / "metrics.csv", flush_seconds=3600)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(5):
            total += 1
            values = {"total": total, "half": total.half(), "step": step}
            writer.write(step, None, values)
            board.add_scalars(step, values)
        with torch.cuda.stream(torch.cuda.Stream()):
            writer.write(5, None, {"total": total * 2})
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert writer.summary.to_dict()["total"]["last"] == 10.0
    writer.close()
    board.close()
    columns = read_metrics(tmp_path / "metrics.csv")
    found = columns.value
    assert found[::3] == [1.0, 2.0, 3.0, 4.0, 5.0, 10.0]
    assert found[1::3] == [1.0, 2.0, 3.0, 4.0, 5.0]
