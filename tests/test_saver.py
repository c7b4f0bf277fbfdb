"""Saver: names, order, rotation, sidecars, clearing and the summary."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import json
import math
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from saver_helpers import (
    files,
    in_one_line,
    lose_the_sidecar,
    names,
)

from thexp_pl import Saver
from thexp_pl.errors import UsageError
from thexp_pl.saver.names import KINDS


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    return Saver(tmp_path / "sav")


# names and order


def test_ten_saves_leave_three_checkpoints_and_every_keypoint_and_model(saver: Saver) -> None:
    for i in range(10):
        saver.save_keypoint(i, {"a": i}, {"b": i})
        saver.save_checkpoint(i, {"a": i}, {"b": i})
        saver.save_model(i, {"a": i}, {"b": i})
    assert names(saver.find_checkpoints()) == ["0000007.ckpt", "0000008.ckpt", "0000009.ckpt"]
    assert names(saver.find_keypoints()) == [f"keep.000000{i}.ckpt" for i in range(10)]
    assert names(saver.find_models()) == [f"model.000000{i}.pth" for i in range(10)]
    for path in [*saver.find_checkpoints(), *saver.find_keypoints(), *saver.find_models()]:
        state, info = saver.load_state_dict(path)
        assert state["a"] == info["b"] == int(path.name.split(".")[-2])
        assert f"{path.name}.json" in files(saver.dir)


def test_the_digits_before_the_epoch_count_its_repeats_and_widen_past_nine(tmp_path: Path) -> None:
    saver = Saver(tmp_path, max_to_keep=None)
    saved = [saver.save_checkpoint(3, {"repeat": i}) for i in range(12)]
    assert names(saved) == [f"{i}000003.ckpt" for i in range(12)]
    assert saver.find_checkpoints() == saved
    assert [saver.load_checkpoint(i, byindex=True)["repeat"] for i in range(12)] == [*range(12)]
    assert saver.load_checkpoint(3) == {"repeat": 11}


def test_rotation_goes_by_the_order_of_saving_when_epochs_come_again(saver: Saver) -> None:
    for _ in range(3):
        for epoch in range(5):
            saver.save_checkpoint(epoch, {})
    assert [path.name[-8:] for path in saver.find_checkpoints()] == [
        "002.ckpt",
        "003.ckpt",
        "004.ckpt",
    ]
    saver.save_checkpoint(0, {"newest": True})
    assert saver.load_latest_checkpoint() == {"newest": True}
    assert len(saver.find_checkpoints()) == 3


def test_file_times_do_not_change_the_order(tmp_path: Path) -> None:
    saver = Saver(tmp_path, max_to_keep=3)
    saved = [saver.save_checkpoint(epoch, {"epoch": epoch}) for epoch in range(3)]
    for age, path in enumerate(saved):
        os.utime(path, (1e9 - age, 1e9 - age))
        os.utime(f"{path}.json", (1e9 - age, 1e9 - age))
    assert Saver(tmp_path).find_checkpoints() == saved
    assert saver.load_latest_checkpoint() == {"epoch": 2}
    saver.save_checkpoint(3, {})
    assert not saved[0].exists()


def test_replacement_overwrites_the_latest_of_its_epoch_and_makes_it_the_newest(
    saver: Saver,
) -> None:
    first = saver.save_checkpoint(1, {"a": "old"}, {"b": "old"})
    saver.save_checkpoint(2, {})
    assert saver.save_checkpoint(1, {"a": "new"}, {"b": "new"}, replacement=True) == first
    assert saver.load_state_dict(first) == ({"a": "new"}, {"b": "new"})
    assert names(saver.find_checkpoints()) == ["0000002.ckpt", "0000001.ckpt"]
    assert len(files(saver.dir)) == 4


def test_no_limit_keeps_all(tmp_path: Path) -> None:
    saver = Saver(tmp_path, max_to_keep=None)
    for epoch in range(12):
        saver.save_checkpoint(epoch, {})
    assert len(saver.find_checkpoints()) == 12


@pytest.mark.parametrize("bad", [0, -1, 1.5, "3", True])
def test_a_max_to_keep_that_cannot_be_meant_is_refused(tmp_path: Path, bad: object) -> None:
    with pytest.raises(UsageError, match="None to keep all") as error:
        Saver(tmp_path / "sav", max_to_keep=bad)  # type: ignore[arg-type]
    assert repr(bad) in in_one_line(error)
    assert not (tmp_path / "sav").exists()


@pytest.mark.parametrize("bad", [-1, 10**6, 1.5, "1", None, True])
def test_an_epoch_that_no_name_can_carry_is_refused(saver: Saver, bad: object) -> None:
    with pytest.raises(UsageError, match="0 to 999999") as error:
        saver.save_checkpoint(bad, {})  # type: ignore[arg-type]
    assert repr(bad) in in_one_line(error)
    assert not files(saver.dir)


@given(st.integers(0, 999_999), st.integers(0, 10**4), st.sampled_from(KINDS))
def test_a_name_reads_back_as_the_epoch_and_repeat_it_was_made_of(epoch, repeat, kind) -> None:
    name = kind.file_name(epoch, repeat)
    assert kind.parse(name) == (epoch, repeat)
    assert [other for other in KINDS if other.parse(name)] == [kind]


def test_a_saver_stays_in_its_folder_when_the_process_changes_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saver = Saver("sav")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert saver.save_checkpoint(0, {}) == tmp_path / "sav" / "0000000.ckpt"


def test_threads_that_save_the_same_epoch_overwrite_nothing(tmp_path: Path) -> None:
    def save(worker: int) -> None:
        for i in range(5):
            Saver(tmp_path, max_to_keep=None).save_checkpoint(1, {"worker": worker, "i": i})

    threads = [threading.Thread(target=save, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saver = Saver(tmp_path)
    states = [saver.load_checkpoint(path) for path in saver.find_checkpoints()]
    assert sorted((s["worker"], s["i"]) for s in states) == [
        (w, i) for w in range(4) for i in range(5)
    ]


# the sidecar


def test_the_sidecar_holds_the_users_keys_and_our_record(tmp_path: Path) -> None:
    saver = Saver(tmp_path, run_key="26-11-22-061138-k3f9")
    path = saver.save_checkpoint(3, {"a": torch.ones(3)}, {"loss": 0.5, "名": "数字"}, step=42)
    content = json.loads((tmp_path / "0000003.ckpt.json").read_text("utf-8"))
    record = content.pop("_record")
    assert content == {"loss": 0.5, "名": "数字"} == saver.checkpoint_info(3)
    assert record["bytes"] == path.stat().st_size
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    expected = ("checkpoint", 3, 42, "26-11-22-061138-k3f9", 1)
    found = [record[key] for key in ("kind", "epoch", "step", "run_key", "world_size")]
    assert tuple(found) == expected
    assert record["versions"]["torch"] == torch.__version__
    assert record["time"].endswith("+00:00")


def test_info_of_each_kind_reads_back(saver: Saver) -> None:
    saver.save_checkpoint(1, {}, {"k": "c"})
    saver.save_keypoint(1, {}, {"k": "k"})
    saver.save_model(1, {})
    assert saver.checkpoint_info(0, byindex=True) == {"k": "c"}
    assert saver.keypoint_info(saver.dir / "keep.0000001.ckpt") == {"k": "k"}
    assert saver.model_info(1) == {}


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Score:
    name: str
    at: datetime.date


INFO = [
    (math.nan, "NaN"),
    (-math.inf, "-Infinity"),
    (torch.tensor(0.5), 0.5),
    (torch.tensor([[1, 2]]), [[1, 2]]),
    (torch.zeros(1001, device="meta"), "tensor(..., device='meta', size=(1001,))"),
    (np.float32(0.5), 0.5),
    (np.arange(3), [0, 1, 2]),
    (Path("a/b"), "a/b"),
    (b"raw", "raw"),
    (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
    (datetime.timedelta(minutes=1), 60.0),
    (Color.RED, "<Color.RED: 1>"),
    (Score("a", datetime.date(2026, 1, 2)), {"name": "a", "at": "2026-01-02"}),
    ({3: (1, {2})}, {"3": [1, [2]]}),
    ("\ud800", "\ud800"),
    (10**5000, hex(10**5000)),
]


@pytest.mark.parametrize(("given", "read"), INFO, ids=lambda value: type(value).__name__)
def test_info_that_json_has_no_word_for_is_converted(
    tmp_path: Path, given: object, read: object
) -> None:
    for background in (False, True):
        with Saver(tmp_path / str(background), background=background) as saver:
            path = saver.save_checkpoint(0, {}, {"a": given, "after": 1})
            assert saver.checkpoint_info(0) == {"a": read, "after": 1}
            json.loads(Path(f"{path}.json").read_text("utf-8"), parse_constant=pytest.fail)


@pytest.mark.parametrize("bad", [{"_record": 1}, [1], "text"])
def test_info_that_is_no_users_dict_is_refused_before_anything_is_written(
    saver: Saver, bad: object
) -> None:
    with pytest.raises(UsageError) as error:
        saver.save_checkpoint(0, {}, bad)  # type: ignore[arg-type]
    assert "info" in in_one_line(error)
    assert not files(saver.dir)


# clearing and the summary


def test_clearing_one_kind_leaves_the_others_and_what_is_not_ours(saver: Saver) -> None:
    for epoch in range(2):
        saver.save_checkpoint(epoch, {})
        saver.save_keypoint(epoch, {})
        saver.save_model(epoch, {})
    (saver.dir / "best.ckpt").write_text("mine")
    lose_the_sidecar(saver.find_checkpoints()[0])
    saver.clear_checkpoints()
    assert not saver.find_checkpoints()
    assert len(saver.find_keypoints()) == len(saver.find_models()) == 2
    saver.clear_keypoints()
    saver.clear_models()
    assert files(saver.dir) == {"best.ckpt"}


def test_the_summary_prints_what_there_is(saver: Saver, capsys: pytest.CaptureFixture[str]) -> None:
    saver.save_checkpoint(1, {})
    saver.save_checkpoint(2, {})
    saver.save_model(2, {})
    saver.summary()
    assert capsys.readouterr().out.splitlines() == [
        "checkpoints: 0000001.ckpt  0000002.ckpt",
        "keypoints: -",
        "models: model.0000002.pth",
    ]
