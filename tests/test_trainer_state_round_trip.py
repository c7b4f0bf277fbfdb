"""What stands in containers, and what no checkpoint holds: any of it, stored and put back."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from trainer_helpers import (
    TinyTrainer,
    ended_runs,  # noqa: F401 - a fixture of every test here
    start,
)

from thexp_pl import Params
from thexp_pl.trainer.state.containers import (
    can_be_stored,
    is_container,
    restore_container,
    store_container,
)

CPU = torch.device("cpu")

# -- objects without a state_dict ----------------------------------------------------------------


class Average:
    """A class as many write it: without a state_dict."""

    def __init__(self, held: Any) -> None:
        self.held = held


def test_an_object_that_no_checkpoint_will_have_is_named_once_with_the_ways_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Averaging(TinyTrainer):
        def initial_trainer(self, params: Params) -> None:
            super().initial_trainer(params)
            self.ema = Average({"w": torch.ones(2)})
            self.teachers = [Average(nn.Linear(2, 2))]
            self.viewer = Average(self.model)  # holds nothing of its own
            self.prior = torch.distributions.Normal(0.0, torch.ones(1))
            self.plain = Average([1, 2])
            self._private = Average(torch.ones(2))

    trainer = start(Averaging, tmp_path, 2)
    trainer.train()

    lines = [line for line in capsys.readouterr().out.splitlines() if "in no checkpoint" in line]
    assert [line.partition("self.")[2].partition(" ")[0] for line in lines] == ["ema", "teachers"]
    assert "state_dict and load_state_dict, or call it '_ema' to leave it out" in lines[0]


# -- the round trip ------------------------------------------------------------------------------

_keys = st.one_of(st.text(max_size=3), st.integers(), st.tuples(st.integers(), st.text(max_size=2)))
_ends_of = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from([torch.float32, torch.int64]).map(lambda dtype: torch.ones(2, dtype=dtype)),
    st.floats(0, 1).map(lambda x: torch.tensor(x)),
    st.integers(0, 9).map(lambda x: np.full((2, 1), x)),
)
_values = st.recursive(
    _ends_of,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(_keys, inner, max_size=4),
        st.dictionaries(_keys, inner, max_size=3).map(OrderedDict),
        st.sets(st.integers(), max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=_values, present=_values)
def test_a_container_comes_back_as_it_was_whatever_stood_there(
    value: Any, present: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    value, present = [value], [present]
    assert is_container(value)
    assert can_be_stored(value)
    path = tmp_path_factory.getbasetemp() / "container.pt"
    torch.save(store_container(value, "x", ()), path)

    found = restore_container(torch.load(path, weights_only=True), present, CPU)

    assert found is present
    assert _plain(found) == _plain(value)


def _plain(value: Any) -> Any:
    """Give a value that can be compared by ==."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return type(value).__name__, str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(one) for one in value)
    return type(value), value
