"""Files written whole or not at all, and values of any kind as strict JSON."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.atomic import read_json, write_bytes, write_json, write_text
from thexp_pl.jsonable import MAX_DEPTH, dumps, loads, to_jsonable

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(alphabet=st.characters(categories=["Cs"]), max_size=1),
    st.binary(),
    st.datetimes(),
    st.builds(Path, st.text(alphabet="ab/.", min_size=1)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.frozensets(st.integers() | st.text()),
        st.dictionaries(st.text() | st.integers() | st.none(), inner),
    ),
    max_leaves=20,
)


@given(values)
@settings(deadline=None)
def test_every_value_becomes_strict_json_that_reads_back_as_it_was_converted(value: Any) -> None:
    plain = to_jsonable(value)
    assert loads(dumps(value)) == plain
    assert to_jsonable(plain) == plain


@given(st.floats(allow_nan=True, allow_infinity=True))
@settings(deadline=None)
def test_every_float_is_read_back_by_float(value: float) -> None:
    back = float(loads(dumps(value)))
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_numpy_and_torch_scalars_become_numbers_and_small_arrays_lists() -> None:
    import numpy as np
    import torch

    tensors = {
        "a": torch.tensor(2),
        "b": torch.tensor([[0.5, 1.0]], dtype=torch.bfloat16, requires_grad=True),
        "c": np.float32(0.5),
        "d": np.int64(3),
        "e": np.bool_(True),
        "f": np.array([1, 2]),
        "g": torch.float16,
    }
    assert to_jsonable(tensors) == {
        "a": 2,
        "b": [[0.5, 1.0]],
        "c": 0.5,
        "d": 3,
        "e": True,
        "f": [1, 2],
        "g": "torch.float16",
    }
    assert isinstance(to_jsonable(torch.zeros(2000)), str)


def test_dataclasses_dates_and_sets_become_objects_texts_and_sorted_lists() -> None:
    @dataclass
    class Optim:
        lr: float
        when: datetime

    moment = datetime(2020, 3, 8, 12, 14, 13, tzinfo=timezone.utc)
    plain = to_jsonable([Optim(0.1, moment), {3, 1, 2}, timedelta(minutes=1), b"caf\xc3\xa9"])
    assert plain == [{"lr": 0.1, "when": "2020-03-08T12:14:13+00:00"}, [1, 2, 3], 60.0, "café"]


def test_two_keys_that_read_the_same_are_both_kept() -> None:
    assert sorted(to_jsonable({"1": "text", 1: "number"}).values()) == ["number", "text"]


def test_equal_objects_read_the_same_in_two_runs() -> None:
    class Thing:
        pass

    assert to_jsonable(Thing()) == to_jsonable(Thing())


def test_a_list_inside_itself_and_a_broken_repr_are_written_and_read() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    endless: list[Any] = [Broken()]
    endless += [endless, endless]
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    assert loads(dumps([endless, deep]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        '{"a": Infinity}',
        "[" * 10_000 + "]" * 10_000,
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        b"\xff",
        "9" * 5_000,
    ],
)
def test_what_is_not_strict_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind is what callers rely on
        loads(text)


def test_a_file_over_the_limit_is_refused_and_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_text(json.dumps("x" * 1_000))
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        read_json(path, limit=100)
    assert read_json(path, limit=2_000) == "x" * 1_000


def test_an_overwrite_needs_no_tmpdir_and_leaves_only_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    path = tmp_path / "run.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_and_a_symbolic_link_survive_an_overwrite(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("old")
    real.chmod(0o600)
    link = tmp_path / "link.json"
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    script = f"""
import resource
from thexp_pl.atomic import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes({str(tmp_path / "kept")!r}, b"new" * 1000)
except OSError as error:
    print(error.strerror)
"""
    write_bytes(tmp_path / "kept", b"old")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "File too large", done.stderr
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_a_reader_sees_one_whole_version_at_any_moment_and_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "file"
    size = 2_000_000
    script = f"""
from thexp_pl.atomic import write_bytes
for number in range(10_000):
    write_bytes({str(path)!r}, b"ab"[number % 2 : number % 2 + 1] * {size})
    print("written", flush=True)
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    for _ in range(100):
        assert path.read_bytes() in (b"a" * size, b"b" * size)
    writer.kill()
    writer.communicate()
    assert path.read_bytes() in (b"a" * size, b"b" * size)
