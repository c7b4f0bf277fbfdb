"""Random states: every generator, forks, marks, and what damaged files and odd names do."""

from __future__ import annotations

import io
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from thexp_pl import RndManager, rnd
from thexp_pl.errors import CheckpointError, UsageError


def draw() -> list[float]:
    """Numbers from every generator, Gaussian ones included: those are kept in pairs."""
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.randn()),
        torch.rand(1).item(),
        torch.randn(1).item(),
    ]


@pytest.fixture(autouse=True)
def generators_as_before() -> Iterator[None]:
    state = rnd.get_state()
    yield
    rnd.set_state(state)


@pytest.fixture
def manager(tmp_path: Path) -> RndManager:
    return RndManager(tmp_path / "rnd")


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    rnd.fix_seed(7)
    first = draw()
    rnd.fix_seed(7)
    assert draw() == first
    rnd.fix_seed(8)
    assert all(one != other for one, other in zip(draw(), first, strict=True))


def test_the_default_seed_is_ten() -> None:
    rnd.fix_seed()
    first = draw()
    rnd.fix_seed(10)
    assert draw() == first


@pytest.mark.parametrize("bad", [-1, 2**32, 1.5, "1", None, True])
def test_a_seed_that_numpy_cannot_take_is_refused_and_changes_nothing(bad: object) -> None:
    rnd.fix_seed(1)
    expected = draw()
    rnd.fix_seed(1)
    with pytest.raises(UsageError, match="0 to 4294967295"):
        rnd.fix_seed(bad)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="0 to 4294967295"), rnd.fork(bad):  # type: ignore[arg-type]
        pass
    assert draw() == expected


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), before=st.integers(0, 700))
def test_a_state_taken_anywhere_in_a_stream_brings_back_what_follows(
    seed: int, before: int
) -> None:
    rnd.fix_seed(seed)
    for _ in range(before):
        draw()
    state = rnd.get_state()
    expected = [draw() for _ in range(3)]
    rnd.set_state(state)
    assert [draw() for _ in range(3)] == expected


def test_a_state_is_not_changed_by_drawing_on() -> None:
    state = rnd.get_state()
    expected = draw()
    for _ in range(1000):
        draw()
    rnd.set_state(state)
    assert draw() == expected


def test_a_state_survives_a_checkpoint_that_is_loaded_with_weights_only() -> None:
    state = rnd.get_state()
    expected = draw()
    file = io.BytesIO()
    torch.save({"callbacks": {"RndCallback": state}}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    rnd.set_state(loaded["callbacks"]["RndCallback"])
    assert draw() == expected


def broken_states() -> dict[str, Any]:
    def state_with(**changes: object) -> dict[str, Any]:
        return {**rnd.get_state(), **changes}

    good = rnd.get_state()
    return {
        "none": None,
        "empty": {},
        "thexps": {"numpy": np.random.get_state(), "torch": good["torch"], "random": (3, (), None)},
        "short torch": state_with(torch=good["torch"][:100]),
        "zero torch": state_with(torch=torch.zeros_like(good["torch"])),
        "short python": state_with(python={**good["python"], "words": good["python"]["words"][:9]}),
        "other python": state_with(python={**good["python"], "version": 9}),
        "short numpy": state_with(numpy={**good["numpy"], "key": good["numpy"]["key"][:9]}),
        "no cuda list": state_with(cuda=None),
    }


@pytest.mark.parametrize("name", broken_states())
def test_a_broken_state_is_refused_in_one_line_and_restores_nothing(name: str) -> None:
    broken = broken_states()[name]
    state = rnd.get_state()
    draw()
    expected = draw()
    rnd.set_state(state)
    draw()
    with pytest.raises(CheckpointError, match="no random state") as error:
        rnd.set_state(broken)
    assert "\n" not in str(error.value)
    assert draw() == expected


def test_another_global_generator_of_numpy_is_refused_by_name() -> None:
    default = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        with pytest.raises(UsageError, match="PCG64"):
            rnd.get_state()
    finally:
        np.random.set_bit_generator(default)


def seed_of_worker(worker: int) -> None:
    rnd.set_state(rnd.fix_seed(worker))


def test_states_are_read_and_restored_in_loader_workers() -> None:
    loader = DataLoader(
        [0.0] * 4,
        num_workers=2,
        worker_init_fn=seed_of_worker,
        collate_fn=lambda items: draw(),
        multiprocessing_context="fork",
    )
    expected = []
    for worker in range(2):
        with rnd.fork(worker):
            expected.append([draw(), draw()])
    found = [list(batch) for batch in loader]
    assert found == [expected[0][0], expected[1][0], expected[0][1], expected[1][1]]


# fork


def test_a_fork_draws_from_its_seed_and_leaves_no_trace() -> None:
    rnd.fix_seed(3)
    expected = draw()
    rnd.fix_seed(3)
    with rnd.fork(7):
        inside = draw()
    assert draw() == expected
    rnd.fix_seed(7)
    assert draw() == inside


def test_a_fork_restores_after_an_error_too() -> None:
    rnd.fix_seed(3)
    expected = draw()
    rnd.fix_seed(3)
    with pytest.raises(ZeroDivisionError), rnd.fork(7):
        draw()[0] / 0
    assert draw() == expected


# marks


def test_a_mark_saves_first_and_restores_ever_after(manager: RndManager) -> None:
    assert manager.mark("split") == "saved"
    expected = draw()
    for _ in range(2):
        assert manager.mark("split") == "restored"
        assert draw() == expected


def test_a_mark_is_the_same_in_another_process_and_another_folder(
    manager: RndManager, tmp_path: Path
) -> None:
    draw()  # leaves the second number of each Gaussian pair to be kept
    manager.mark("数据集")
    expected = draw()
    manager.dir.rename(tmp_path / "moved")
    code = (
        "import random, numpy as np, torch, sys\n"
        "from thexp_pl import RndManager\n"
        "print(RndManager(sys.argv[1]).mark('数据集'))\n"
        "print(random.random(), random.gauss(0, 1), float(np.random.rand()),"
        " float(np.random.randn()), torch.rand(1).item(), torch.randn(1).item())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "moved")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    how, numbers = output.splitlines()
    assert how == "restored"
    assert [float(number) for number in numbers.split()] == expected


def test_saving_again_takes_the_place_of_the_older_state(manager: RndManager) -> None:
    manager.save("begin")
    draw()
    path = manager.save("begin")
    expected = draw()
    manager.load("begin")
    assert draw() == expected
    assert [*manager.dir.iterdir()] == [path]


def test_shuffling_gives_new_numbers_and_the_seed_to_repeat_them(manager: RndManager) -> None:
    manager.mark("a")
    fixed = draw()
    manager.mark("a")
    seed = manager.shuffle()
    shuffled = draw()
    assert shuffled != fixed
    rnd.fix_seed(seed)
    assert draw() == shuffled


def test_a_name_never_saved_is_refused_with_the_near_miss(manager: RndManager) -> None:
    manager.save("dataset")
    with pytest.raises(CheckpointError, match=r"'datasat'.*did you mean 'dataset'"):
        manager.load("datasat")


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../up", "a\\b", "a\0b", "a\nb", "x" * 300, 3, None]
)
def test_a_name_that_cannot_be_a_file_is_refused_in_one_line(
    manager: RndManager, name: object
) -> None:
    for call in (manager.mark, manager.save, manager.load):
        with pytest.raises(UsageError, match="cannot name a random state") as error:
            call(name)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 300
    assert not list(manager.dir.iterdir())


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_name_is_either_refused_or_marks_and_restores(tmp_path_factory, name: str) -> None:
    manager = RndManager(tmp_path_factory.mktemp("any"))
    try:
        assert manager.mark(name) == "saved"
    except UsageError:
        assert not list(manager.dir.iterdir())
    else:
        expected = draw()
        assert manager.mark(name) == "restored"
        assert draw() == expected
        assert [path.parent for path in manager.dir.rglob("*")] == [manager.dir]


def flipped_digit(content: dict[str, Any]) -> None:
    content["state"]["torch"][100] ^= 1


def of_another_name(content: dict[str, Any]) -> None:
    content["name"] = "other"


def of_another_format(content: dict[str, Any]) -> None:
    content["format"] = "something else"


def without_state(content: dict[str, Any]) -> None:
    del content["state"]


@pytest.mark.parametrize(
    "damage", [flipped_digit, of_another_name, of_another_format, without_state]
)
def test_a_damaged_state_file_is_refused_and_not_overwritten(manager: RndManager, damage) -> None:
    path = manager.save("begin")
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    damaged = path.read_bytes()
    expected = rnd.get_state()
    for call in (manager.load, manager.mark):
        with pytest.raises(CheckpointError) as error:
            call("begin")
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    assert path.read_bytes() == damaged
    assert torch.equal(rnd.get_state()["torch"], expected["torch"])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", pickle.dumps({"random": random.getstate()})]
)
def test_a_foreign_file_is_refused_and_never_unpickled(manager: RndManager, content: bytes) -> None:
    (manager.dir / "begin.rnd").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"begin\.rnd.* no random state") as error:
        manager.mark("begin")
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot make"):
        RndManager(tmp_path / "file" / "rnd")


def test_a_folder_removed_in_mid_run_is_named(manager: RndManager) -> None:
    manager.dir.rmdir()
    with pytest.raises(CheckpointError, match=r"cannot save .*begin\.rnd: No such file"):
        manager.save("begin")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_every_cuda_device_is_restored(manager: RndManager) -> None:
    def draw_on_devices() -> list[float]:
        return [torch.rand(1, device=f"cuda:{i}").item() for i in range(torch.cuda.device_count())]

    rnd.fix_seed(3)
    assert manager.mark("gpu") == "saved"
    expected = draw_on_devices(), draw()
    assert manager.mark("gpu") == "restored"
    assert (draw_on_devices(), draw()) == expected
    state = rnd.get_state()
    with pytest.warns(UserWarning, match="holds nothing for cuda:0"):
        rnd.set_state({**state, "cuda": []})


# states that would be set but not be drawn from


def altered(state: dict[str, Any], part: str, key: str, value: object) -> dict[str, Any]:
    return {**state, part: {**state[part], key: value}}


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("numpy", "pos", 10**9),
        ("numpy", "pos", 625),
        ("numpy", "pos", -5),
        ("numpy", "pos", 1.0),
        ("numpy", "gauss", "abc"),
        ("numpy", "gauss", None),
        ("numpy", "has_gauss", 2),
        ("numpy", "has_gauss", True),
        ("numpy", "key", torch.zeros(623, dtype=torch.int64)),
        ("numpy", "key", torch.zeros(624, 1, dtype=torch.int64)),
        ("numpy", "key", torch.zeros(624)),
        ("numpy", "key", [2**32] * 624),
        ("numpy", "key", [-1] * 624),
        ("python", "version", 2),
        ("python", "gauss", "abc"),
        ("python", "words", [1] * 624),
        ("python", "words", [1] * 624 + [625]),
        ("python", "words", [2**32] * 624 + [1]),
        ("python", "words", torch.ones(625)),
    ],
)
def test_a_state_that_its_library_would_draw_nonsense_from_is_refused_whole(
    part: str, key: str, value: object
) -> None:
    good = rnd.fix_seed(3)
    expected = draw()
    rnd.set_state(good)
    other = rnd.get_state()
    other["torch"] = torch.Generator().manual_seed(4).get_state()
    with pytest.raises(CheckpointError, match="no random state") as error:
        rnd.set_state(altered(other, part, key, value))
    assert "\n" not in str(error.value)
    assert draw() == expected


@pytest.mark.parametrize("pos", [0, 624])
def test_numpys_first_and_last_position_are_taken(pos: int) -> None:
    rnd.set_state(altered(rnd.get_state(), "numpy", "pos", pos))
    assert rnd.get_state()["numpy"]["pos"] == pos


def test_a_folder_that_can_be_no_path_or_lies_in_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no path"):
        RndManager("a\0")
    script = f"""
import os
from thexp_pl import RndManager
os.mkdir({str(tmp_path / "gone")!r})
os.chdir({str(tmp_path / "gone")!r})
os.rmdir({str(tmp_path / "gone")!r})
RndManager("states")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "CheckpointError: cannot make states: No such file" in ended.stderr
