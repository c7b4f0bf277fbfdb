"""Damaged files of a Saver are noticed, and passed over."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saver_helpers import (
    flip_a_bit,
    in_one_line,
    lose_the_sidecar,
    names,
    truncate,
)

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    return Saver(tmp_path / "sav")


def take_the_sidecar_of_another(path: Path) -> None:
    Path(f"{path}.json").write_bytes((path.parent / "0000001.ckpt.json").read_bytes())


def truncate_the_sidecar(path: Path) -> None:
    truncate(Path(f"{path}.json"))


def empty_the_record(path: Path) -> None:
    Path(f"{path}.json").write_text('{"_record": {}}')


def mistype_the_record(path: Path) -> None:
    beside = Path(f"{path}.json")
    beside.write_text(re.sub(r'"order": (\d+)', r'"order": "\1"', beside.read_text()))


def rename_the_record(path: Path) -> None:
    beside = Path(f"{path}.json")
    beside.write_text(beside.read_text().replace('"_record"', '"_recorf"'))


def reorder_the_record(path: Path) -> None:
    beside = Path(f"{path}.json")
    beside.write_text(re.sub(r'"order": \d+', '"order": 0', beside.read_text()))


def make_the_sidecar_a_list(path: Path) -> None:
    Path(f"{path}.json").write_text("[]")


DAMAGES = [
    truncate,
    flip_a_bit,
    lose_the_sidecar,
    take_the_sidecar_of_another,
    truncate_the_sidecar,
    empty_the_record,
    mistype_the_record,
    rename_the_record,
    reorder_the_record,
    make_the_sidecar_a_list,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_the_latest_falls_back(
    saver: Saver, damage: Callable[[Path], None]
) -> None:
    for epoch in range(3):
        path = saver.save_checkpoint(epoch, {"same": "size", "epoch": epoch})
    damage(path)
    for which in (path, 2):
        with pytest.raises(CheckpointError) as error:
            saver.load_checkpoint(which)
        assert str(path) in in_one_line(error)
    with pytest.warns(UserWarning, match=r"0000002.*taking 0000001\.ckpt instead") as warned:
        assert saver.load_latest_checkpoint()["epoch"] == 1
    assert len(warned) == 1
    assert warned[0].filename == __file__
    saver.save_checkpoint(3, {"epoch": 3})
    assert saver.load_latest_checkpoint() == {"epoch": 3}


@pytest.mark.parametrize("damage", DAMAGES)
def test_where_all_are_damaged_none_is_loaded(saver: Saver, damage: Callable[[Path], None]) -> None:
    saver.save_checkpoint(1, {"epoch": 1})
    path = saver.save_checkpoint(2, {"epoch": 2})
    damage(path)
    truncate(saver.dir / "0000001.ckpt")
    with pytest.warns(UserWarning, match="no undamaged checkpoint") as warned:
        assert saver.load_latest_checkpoint() is None
    assert len(warned) == 1


def test_an_empty_folder_has_no_latest(saver: Saver) -> None:
    with pytest.warns(UserWarning, match="no undamaged checkpoint"):
        assert saver.load_latest_checkpoint() is None


def test_an_older_damaged_one_is_no_matter(saver: Saver) -> None:
    older = saver.save_checkpoint(1, {})
    saver.save_checkpoint(2, {"epoch": 2})
    lose_the_sidecar(older)
    assert saver.load_latest_checkpoint() == {"epoch": 2}


@pytest.fixture(scope="module")
def one_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Saver, Path, bytes]:
    saver = Saver(tmp_path_factory.mktemp("one"))
    path = saver.save_checkpoint(0, {"a": torch.arange(50.0), "b": "text"})
    return saver, path, path.read_bytes()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bit_flipped_anywhere_is_noticed(one_checkpoint, data: st.DataObject) -> None:
    saver, path, content = one_checkpoint
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    flipped = bytearray(content)
    flipped[place // 8] ^= 1 << place % 8
    path.write_bytes(flipped)
    with pytest.raises(CheckpointError, match="is damaged: its sha256"):
        saver.load_checkpoint(path)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bit_flipped_in_a_sidecar_is_noticed_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    saver = Saver(tmp_path_factory.mktemp("flip"))
    state, info = {"a": 1}, {"loss": 0.25, "名": [None, "NaN", -0.0, {"deep": 10**30}]}
    path = saver.save_checkpoint(5, state, info, step=3)
    beside = Path(f"{path}.json")
    content = bytearray(beside.read_bytes())
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    content[place // 8] ^= 1 << place % 8
    beside.write_bytes(content)
    with contextlib.suppress(CheckpointError):
        assert saver.load_state_dict(path) == (state, info)


def test_a_damaged_sidecar_never_makes_rotation_remove_a_newer_checkpoint(tmp_path: Path) -> None:
    saver = Saver(tmp_path, max_to_keep=2)
    for epoch in range(2):
        path = saver.save_checkpoint(epoch, {"epoch": epoch})
    rename_the_record(path)
    saver.save_checkpoint(2, {"epoch": 2})
    saver.save_checkpoint(3, {"epoch": 3})
    assert names(saver.find_checkpoints()) == ["0000002.ckpt", "0000003.ckpt"]
    assert path.exists()


def test_a_sidecar_from_before_it_held_its_own_hash_still_loads(saver: Saver) -> None:
    path = saver.save_checkpoint(1, {"a": 1}, {"b": 2})
    beside = Path(f"{path}.json")
    content = json.loads(beside.read_bytes())
    del content["_record"]["sidecar_sha256"]
    beside.write_text(json.dumps(content))
    assert saver.load_state_dict(path) == ({"a": 1}, {"b": 2})
