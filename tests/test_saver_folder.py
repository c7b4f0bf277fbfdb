"""StateFolder: a folder with the interface of a state."""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thexp_pl.errors import CheckpointError
from thexp_pl.jsonable import dumps
from thexp_pl.saver import StateFolder


def value_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix == ".pt"}


def file_of(folder: Path, key: str) -> Path:
    index = json.loads((folder / "index.json").read_bytes())
    (name,) = (value["file"] for value in index["values"] if value["key"] == key)
    return folder / str(name)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bool(one.equal(other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


# -- what goes in comes out ------------------------------------------------------------------------

tensors = st.builds(
    lambda shape, dtype, seed: torch.randn(shape, generator=seeded(seed)).mul(100).to(dtype),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool]),
    st.integers(0, 99),
)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    tensors | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
any_text = st.text(st.characters(exclude_categories=()), max_size=300)
keys = st.sampled_from(["", ".", "..", "a/b", "A", "a", "../../x", "index.json", "键", "k" * 5000])
states = st.dictionaries(
    (keys | any_text).filter(lambda key: json.loads(json.dumps(key)) == key), values, max_size=4
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(states, min_size=1, max_size=3))
def test_whatever_is_written_last_is_what_is_read(written: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for state in written:
            StateFolder(name).load_state_dict(state)
        read = StateFolder(name).state_dict()
        assert list(read) == list(written[-1])
        assert same(dict(read), written[-1])
        named = {file_of(Path(name), key).name for key in read}
        assert value_files(Path(name)) == named, "the files of earlier states are gone"
        assert {path.name for path in Path(name).iterdir()} <= named | {"index.json", ".saver.lock"}


def test_a_module_is_restored_from_a_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, other = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    module(torch.randn(5, 3))
    StateFolder(tmp_path).load_state_dict(module.state_dict())
    other.load_state_dict(StateFolder(tmp_path).state_dict())
    assert same(dict(module.state_dict()), dict(other.state_dict()))
    assert len(value_files(tmp_path)) == len(module.state_dict())


def test_within_a_checkpoint_it_is_a_plain_dict(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "here")
    folder.load_state_dict({"a": torch.ones(2), "b": [1, "x"]})
    buffer = io.BytesIO()
    torch.save({"folder": folder.state_dict()}, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=True)["folder"]
    assert same(dict(loaded), {"a": torch.ones(2), "b": [1, "x"]})
    other = StateFolder(tmp_path / "there")
    other.load_state_dict(loaded)
    assert same(dict(copy.deepcopy(other.state_dict())), dict(loaded))


def test_a_state_may_be_made_of_the_one_before(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"a": torch.ones(2), "b": 1})
    folder.load_state_dict({**folder.state_dict(), "b": 2})
    folder.load_state_dict(folder.state_dict())
    assert same(dict(folder.state_dict()), {"a": torch.ones(2), "b": 2})


def test_values_that_did_not_change_are_not_written_again(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"still": torch.arange(9.0), "moving": torch.zeros(2)})
    before = file_of(tmp_path, "still").stat()
    folder.load_state_dict({"moving": torch.ones(2), "still": torch.arange(9.0)})
    after = file_of(tmp_path, "still").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list(folder.state_dict()) == ["moving", "still"]


def test_a_damaged_file_is_written_again_even_where_its_value_did_not_change(
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"a": torch.ones(9)})
    file_of(tmp_path, "a").write_bytes(b"torn")
    folder.load_state_dict({"a": torch.ones(9)})
    assert same(folder.state_dict()["a"], torch.ones(9))


def test_files_of_others_stay(tmp_path: Path) -> None:
    for name in ("notes.txt", "weights.pt", ".hidden.tmp"):
        (tmp_path / name).write_text("mine")
    StateFolder(tmp_path).load_state_dict({"a": 1})
    StateFolder(tmp_path).load_state_dict({})
    assert {"notes.txt", "weights.pt", ".hidden.tmp"} <= {path.name for path in tmp_path.iterdir()}
    assert len(value_files(tmp_path)) == 1


# -- lazily, and mapped ----------------------------------------------------------------------------


def test_only_the_values_asked_for_are_read(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"a": torch.ones(2), "b": torch.zeros(2)})
    file_of(tmp_path, "b").unlink()
    state = folder.state_dict()
    assert "b" in state
    assert len(state) == 2
    assert "'a', 'b'" in repr(state)
    assert state["a"] is state["a"]
    with pytest.raises(CheckpointError, match=r"the key 'b' .* there is no file b\.[0-9a-f]{64}"):
        state["b"]
    with pytest.raises(KeyError):
        state["c"]
    with pytest.raises(TypeError):
        state["a"] = 1  # type: ignore[index]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc")
def test_tensors_are_mapped_and_changing_one_leaves_its_file_alone(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"a": torch.zeros(10_000)})
    path = file_of(tmp_path, "a")
    before = path.read_bytes()
    tensor = folder.state_dict()["a"]
    assert path.name in Path("/proc/self/maps").read_text()
    tensor += 1
    assert path.read_bytes() == before
    assert same(folder.state_dict()["a"], torch.zeros(10_000))


def test_a_state_that_was_taken_outlives_the_next_or_says_that_it_is_gone(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"read": torch.ones(1000), "unread": torch.ones(1000), "same": 3})
    state = folder.state_dict()
    tensor = state["read"]
    folder.load_state_dict({"read": torch.zeros(1000), "unread": torch.zeros(1000), "same": 3})
    assert same(tensor, torch.ones(1000))
    assert same(state["read"], torch.ones(1000))
    assert state["same"] == 3
    with pytest.raises(CheckpointError, match=r"'unread' is gone: another state was written"):
        state["unread"]


def test_more_than_plain_values_is_loaded_where_the_user_says_so(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.load_state_dict({"a": 1, "odd": functools.partial(print)})
    with pytest.raises(CheckpointError, match=r"'odd' .*weights_only=False.* run any code"):
        folder.state_dict()["odd"]
    assert folder.state_dict()["a"] == 1
    assert isinstance(folder.state_dict(weights_only=False)["odd"], functools.partial)


# -- damage ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    StateFolder(folder).load_state_dict({"weights": torch.arange(4.0), "n": 1})
    return folder


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_or_a_cut_never_gives_another_state(whole: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([whole / "index.json", file_of(whole, "weights")]))
    intact = path.read_bytes()
    place = data.draw(st.integers(0, len(intact) - 1))
    bit = data.draw(st.integers(0, 7) | st.none())
    flipped = b"" if bit is None else bytes([intact[place] ^ 1 << bit]) + intact[place + 1 :]
    path.write_bytes(intact[:place] + flipped)
    error = ""
    try:
        state = dict(StateFolder(whole).state_dict())
    except CheckpointError as refusal:
        error = str(refusal)
    finally:
        path.write_bytes(intact)
    if error:
        assert path.name in error
        assert path.name == "index.json" or "the key 'weights'" in error
        assert "\n" not in error
    else:
        assert same(state, {"weights": torch.arange(4.0), "n": 1})
        assert path.name == "index.json", "there only white space can change unseen"


SHA = "0" * 64
ENTRY = {"key": "a", "file": f"a.{SHA}.pt", "bytes": 1, "sha256": SHA}


@pytest.mark.parametrize(
    "values",
    [
        {"a": 1},
        [ENTRY, ENTRY],
        [{**ENTRY, "file": f"../a.{SHA}.pt"}],
        [{**ENTRY, "file": f"/etc/a.{SHA}.pt"}],
        [{**ENTRY, "file": 3}],
        [{**ENTRY, "key": 3}],
        [{**ENTRY, "key": []}],
        [{**ENTRY, "bytes": True}],
        [{**ENTRY, "sha256": "1" * 64}],
        [{**ENTRY, "more": 1}],
        [{"key": "a"}],
        [None],
    ],
)
def test_an_index_that_we_never_wrote_is_refused(tmp_path: Path, values: Any) -> None:
    check = hashlib.sha256(dumps(values)).hexdigest()
    (tmp_path / "index.json").write_bytes(dumps({"schema": 1, "values": values, "sha256": check}))
    with pytest.raises(CheckpointError, match=r"index\.json is damaged"):
        StateFolder(tmp_path).state_dict()


def test_no_state_and_a_later_schema_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no state"):
        StateFolder(tmp_path / "none").state_dict()
    (tmp_path / "index.json").write_text('{"schema": 2}')
    with pytest.raises(CheckpointError, match="schema 2, and this version reads 1"):
        StateFolder(tmp_path).state_dict()
