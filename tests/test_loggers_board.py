"""Board: what TensorBoard reads of the curves, the HParams tab and the graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from thexp_pl.errors import UsageError
from thexp_pl.loggers.board import Board


def refuse(fault: Exception) -> None:
    raise AssertionError("a fault was reported") from fault


def read(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return accumulator


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(name)]


def hparams(folder: Path) -> dict[str, Any]:
    content = read(folder).PluginTagToContent("hparams")["_hparams_/session_start_info"]
    info = HParamsPluginData.FromString(content).session_start_info
    kinds = ("number_value", "string_value", "bool_value")
    return {
        name: next(getattr(value, kind) for kind in kinds if value.HasField(kind))
        for name, value in info.hparams.items()
    }


def test_curves_have_their_steps_times_and_values(tmp_path: Path) -> None:
    board = Board(tmp_path, refuse)
    board.add_scalars(3, {"loss": 0.5, "acc": 1}, wall_time=1000.5)
    board.add_scalars(7, {"loss": torch.tensor([0.25])})
    board.add_scalars(None, {"loss": 0.125})
    board.close()

    assert curve(tmp_path, "loss") == [(3, 0.5), (7, 0.25), (7, 0.125)]
    assert curve(tmp_path, "acc") == [(3, 1.0)]
    assert read(tmp_path).Scalars("acc")[0].wall_time == 1000.5


def test_nan_and_the_infinities_are_kept(tmp_path: Path) -> None:
    board = Board(tmp_path, refuse)
    for step, value in enumerate((math.nan, math.inf, -math.inf)):
        board.add_scalars(step, {"loss": value})
    board.close()

    values = [value for _, value in curve(tmp_path, "loss")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_every_value_of_32_bits_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("board")
    board = Board(folder, refuse)
    for step, value in enumerate(values):
        board.add_scalars(step, {"名 of it": value})
    board.close()

    assert curve(folder, "名 of it") == list(enumerate(values))


def test_a_value_that_is_no_number_is_refused_with_its_whole_call(tmp_path: Path) -> None:
    board = Board(tmp_path, refuse)

    with pytest.raises(UsageError):
        board.add_scalars(0, {"loss": 1.0, "name": "high"})  # type: ignore[dict-item]
    board.close()

    assert not list(tmp_path.iterdir()), "no file where there is nothing to show"


def test_what_was_flushed_is_there_before_the_close(tmp_path: Path) -> None:
    board = Board(tmp_path, refuse)
    board.add_scalars(0, {"loss": 1.0})
    board.flush()

    assert curve(tmp_path, "loss") == [(0, 1.0)]
    board.close()


def test_a_closed_board_takes_nothing(tmp_path: Path) -> None:
    board = Board(tmp_path, refuse)
    board.add_scalars(0, {"loss": 1.0})
    board.close()

    board.add_scalars(1, {"loss": 2.0})
    board.add_hparams({"lr": 0.1}, {})
    board.flush()
    board.close()

    assert curve(tmp_path, "loss") == [(0, 1.0)]


def test_the_hparams_tab_has_the_parameters_and_the_final_values(tmp_path: Path) -> None:
    board = Board(tmp_path, refuse)
    board.add_scalars(4, {"loss": 0.5, "acc": 0.75})
    params = {"optim": {"lr": 0.1, "nesterov": True}, "name": "sgd", "sizes": [1, 2]}
    board.add_hparams(params, {"loss": 0.5, "acc": 0.875})
    board.close()

    shown = hparams(tmp_path)
    assert (shown["optim.lr"], shown["optim.nesterov"], shown["name"]) == (0.1, True, "sgd")
    assert isinstance(shown["sizes"], str)
    assert curve(tmp_path, "loss") == [(4, 0.5)]
    assert curve(tmp_path, "acc") == [(4, 0.75), (4, 0.875)]


def test_the_graph_is_that_of_the_model_which_stays_as_it_was(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(), torch.nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    board = Board(tmp_path, refuse)

    board.add_graph(model, torch.randn(2, 3, generator=torch.Generator().manual_seed(1)))
    board.close()

    assert b"Linear" in read(tmp_path).Graph().SerializeToString()
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_a_model_that_cannot_be_traced_is_reported_and_the_curves_go_on(tmp_path: Path) -> None:
    class Broken(torch.nn.Module):
        def forward(self, xs: torch.Tensor) -> torch.Tensor:
            raise ValueError("on purpose")

    faults: list[Exception] = []
    board = Board(tmp_path, faults.append)

    board.add_graph(Broken(), torch.zeros(1))
    board.add_scalars(0, {"loss": 1.0})
    board.close()

    assert [str(fault) for fault in faults] == ["on purpose"]
    assert curve(tmp_path, "loss") == [(0, 1.0)]
