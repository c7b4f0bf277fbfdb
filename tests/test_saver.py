"""Saver: names, order, rotation, sidecars, loading, and what damaged or odd files do."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from thexp_pl import Saver
from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.saver.names import KINDS


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def files(folder: Path) -> set[str]:
    """Everything in a folder but the lock, which stays."""
    return {path.name for path in folder.iterdir()} - {".saver.lock"}


def in_one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


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


def test_info_that_json_has_no_word_for_is_converted(saver: Saver) -> None:
    info = {"nan": math.nan, "inf": -math.inf, "loss": torch.tensor(0.5), "at": Path("a/b")}
    saver.save_checkpoint(0, {}, info)
    assert saver.checkpoint_info(0) == {
        "nan": "NaN",
        "inf": "-Infinity",
        "loss": 0.5,
        "at": "a/b",
    }


@pytest.mark.parametrize("bad", [{"_record": 1}, [1], "text"])
def test_info_that_is_no_users_dict_is_refused_before_anything_is_written(
    saver: Saver, bad: object
) -> None:
    with pytest.raises(UsageError) as error:
        saver.save_checkpoint(0, {}, bad)  # type: ignore[arg-type]
    assert "info" in in_one_line(error)
    assert not files(saver.dir)


# loading


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


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_the_sidecar(path: Path) -> None:
    Path(f"{path}.json").unlink()


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


# everything together


class SaverMachine(RuleBasedStateMachine):
    """A Saver beside a list of what it must hold."""

    folders: pytest.TempPathFactory

    @initialize(max_to_keep=st.sampled_from([1, 2, 3, None]))
    def start(self, max_to_keep: int | None) -> None:
        self.folder = self.folders.mktemp("machine")
        self.max_to_keep = max_to_keep
        self.kept: dict[str, list[tuple[str, int]]] = {kind.noun: [] for kind in KINDS}
        self.value = 0
        self.reopen()

    @rule()
    def reopen(self) -> None:
        self.saver = Saver(self.folder, self.max_to_keep)

    @rule(kind=st.sampled_from(KINDS), epoch=st.integers(0, 2), replacement=st.booleans())
    def save(self, kind, epoch: int, replacement: bool) -> None:
        self.value += 1
        save = getattr(self.saver, f"save_{kind.noun}")
        path = save(epoch, {"value": self.value}, {"value": self.value}, replacement)
        kept = self.kept[kind.noun]
        there = [entry for entry in kept if kind.parse(entry[0])[0] == epoch]
        repeats = [kind.parse(name)[1] for name, _ in there]
        if there and replacement:
            expected = kind.file_name(epoch, max(repeats))
            kept[:] = [entry for entry in kept if entry[0] != expected]
        else:
            expected = kind.file_name(epoch, max(repeats, default=-1) + 1)
        kept.append((expected, self.value))
        if kind.noun == "checkpoint" and self.max_to_keep:
            del kept[: -self.max_to_keep]
        assert path.name == expected

    @rule(kind=st.sampled_from(KINDS))
    def clear(self, kind) -> None:
        getattr(self.saver, f"clear_{kind.noun}s")()
        self.kept[kind.noun].clear()

    @rule(kind=st.sampled_from(KINDS), data=st.data())
    def load(self, kind, data: st.DataObject) -> None:
        kept = self.kept[kind.noun]
        if kept:
            index = data.draw(st.integers(-len(kept), len(kept) - 1))
            loaded = getattr(self.saver, f"load_{kind.noun}")(index, byindex=True)
            assert loaded == {"value": kept[index][1]}

    @invariant()
    def the_folder_holds_these_pairs_and_nothing_else(self) -> None:
        if not hasattr(self, "saver"):
            return
        for kind in KINDS:
            found = names(getattr(self.saver, f"find_{kind.noun}s")())
            assert found == [name for name, _ in self.kept[kind.noun]]
        held = {name for kept in self.kept.values() for name, _ in kept}
        assert files(self.folder) == held | {f"{name}.json" for name in held}


def test_any_mixture_of_calls_leaves_what_was_promised(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    SaverMachine.folders = tmp_path_factory
    run_state_machine_as_test(
        SaverMachine, settings=settings(max_examples=50, stateful_step_count=30, deadline=None)
    )
