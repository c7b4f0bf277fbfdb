"""Loading with a Saver: what is asked for, exotic states, and what thexp left."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import pytest
import torch
from saver_helpers import (
    files,
    in_one_line,
    names,
    truncate,
)

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError, UsageError


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    return Saver(tmp_path / "sav")


def test_a_lightning_checkpoint_reads_back_bit_for_bit(saver: Saver) -> None:
    net = torch.nn.Linear(4, 4)
    optim = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(2, 4)).sum().backward()
    optim.step()
    state = {"state_dict": net.state_dict(), "optimizer_states": [optim.state_dict()], "epoch": 1}
    saver.save_checkpoint(1, state)
    loaded = saver.load_checkpoint(1)
    assert all(torch.equal(loaded["state_dict"][k], v) for k, v in net.state_dict().items())
    momenta = [loaded["optimizer_states"][0]["state"][i]["momentum_buffer"] for i in range(2)]
    assert all(torch.equal(a, p.grad) for a, p in zip(momenta, net.parameters(), strict=True))


def test_map_location_says_where_tensors_go(saver: Saver) -> None:
    saver.save_model(0, {"a": torch.ones(2)})
    assert saver.load_model(0)["a"].device.type == "cpu"
    assert saver.load_model(0, map_location="meta")["a"].device.type == "meta"


def test_a_checkpoint_that_is_not_there_is_named_with_those_that_are(saver: Saver) -> None:
    saver.save_checkpoint(1, {})
    saver.save_checkpoint(4, {})
    for call, match in [
        (lambda: saver.load_checkpoint(3), r"epoch 3 .* epochs 1, 4"),
        (lambda: saver.load_checkpoint(2, byindex=True), "index 2: .* 2 of them"),
        (lambda: saver.load_checkpoint(saver.dir / "x.ckpt"), "x.ckpt: No such file"),
        (lambda: saver.load_keypoint(1), "no keypoint of epoch 1 .* none"),
        (lambda: saver.model_info(-1, byindex=True), "index -1: .* 0 of them"),
    ]:
        with pytest.raises(CheckpointError, match=match) as error:
            call()
        in_one_line(error)


@pytest.mark.parametrize(
    ("which", "byindex"), [(None, False), (True, False), (1.0, True), ("0", True)]
)
def test_what_is_neither_epoch_nor_index_nor_path_is_refused(
    saver: Saver, which: object, byindex: bool
) -> None:
    with pytest.raises(UsageError, match="names no checkpoint"):
        saver.load_checkpoint(which, byindex)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["a\0", "\ud800", 5, b"a"])
def test_what_can_be_no_path_is_refused(saver: Saver, path: object) -> None:
    with pytest.raises(UsageError, match="is no path") as error:
        saver.load_state_dict(path)  # type: ignore[arg-type]
    assert repr(path) in in_one_line(error)
    with pytest.raises(UsageError, match="is no path"):
        Saver(path)  # type: ignore[arg-type]
    if isinstance(path, str):
        for call in (saver.load_checkpoint, saver.checkpoint_info, saver.model_path):
            with pytest.raises(UsageError, match="is no path"):
                call(path)


class Exotic:
    """A class that `weights_only=True` does not let in."""

    def __init__(self, value: int) -> None:
        self.value = value


def test_an_exotic_state_is_saved_and_its_loading_names_the_way_and_the_risk(
    saver: Saver,
) -> None:
    saver.save_checkpoint(1, {"a": 1})
    saver.save_checkpoint(2, {"a": Exotic(5)})
    for load in (lambda: saver.load_checkpoint(2), saver.load_latest_checkpoint):
        with pytest.raises(CheckpointError, match=r"Exotic.*weights_only=False.*any code") as error:
            load()
        in_one_line(error)
    assert saver.load_latest_checkpoint(weights_only=False)["a"].value == 5


def test_a_state_that_cannot_be_pickled_leaves_nothing_behind(saver: Saver) -> None:
    saver.save_checkpoint(1, {"a": 1})
    before = files(saver.dir)
    with pytest.raises(CheckpointError, match=r"0000002\.ckpt: the state") as error:
        saver.save_checkpoint(2, {"a": torch.ones(10), "b": lambda: 0})
    in_one_line(error)
    assert files(saver.dir) == before
    assert saver.load_latest_checkpoint() == {"a": 1}


# what thexp left


def test_thexps_own_checkpoints_load_with_a_note_and_count_as_older(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, info in [("0000004.ckpt", {"loss": math.nan}), ("1000004.ckpt", None)]:
        torch.save({"a": name}, tmp_path / name)
        (tmp_path / f"{name}.json").write_text(json.dumps(info, indent=2))
    saver = Saver(tmp_path)
    with caplog.at_level(logging.WARNING, "thexp_pl.saver"):
        assert saver.load_latest_checkpoint() == {"a": "1000004.ckpt"}
    assert "thexp" in caplog.text
    assert "unverified" in caplog.text
    assert math.isnan(saver.load_state_dict(tmp_path / "0000004.ckpt")[1]["loss"])
    assert saver.checkpoint_info(4) == {}
    saver.save_checkpoint(2, {"a": "ours"})
    assert names(saver.find_checkpoints()) == ["0000004.ckpt", "1000004.ckpt", "0000002.ckpt"]
    assert saver.load_latest_checkpoint() == {"a": "ours"}


def test_a_truncated_one_of_thexps_is_passed_over(tmp_path: Path) -> None:
    for epoch in (1, 2):
        torch.save({"epoch": epoch}, tmp_path / f"000000{epoch}.ckpt")
        (tmp_path / f"000000{epoch}.ckpt.json").write_text("{}")
    truncate(tmp_path / "0000002.ckpt")
    with pytest.warns(UserWarning, match=r"0000002\.ckpt cannot be loaded.*taking 0000001\.ckpt"):
        assert Saver(tmp_path).load_latest_checkpoint() == {"epoch": 1}
