"""The random states that a run began with are kept, and bring back what it drew."""

from __future__ import annotations

import hashlib
import json
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

from thexp_pl import RndManager, rnd
from thexp_pl.record.facts import random_facts
from thexp_pl.record.facts.random_states import loaded_states, read_states, write_states
from thexp_pl.record.paths import RunPaths

BEGIN = """
import random, sys
from pathlib import Path
{imports}
from thexp_pl.record.facts import random_facts
from thexp_pl.record.paths import RunPaths
paths = RunPaths(Path(sys.argv[1]), "e", "k")
paths.folder.mkdir(parents=True)
random_facts(paths)
print(random.random(), random.gauss(0, 1), {draws})
"""


def begin_run(root: Path, imports: str = "", draws: str = "") -> tuple[RunPaths, list[float]]:
    """Begin a run in a process of its own; the first numbers that it draws."""
    code = BEGIN.format(imports=imports, draws=draws)
    command = [sys.executable, "-c", code, str(root)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return RunPaths(root, "e", "k"), [float(number) for number in output.split()]


@pytest.fixture(autouse=True)
def generators_as_before() -> Iterator[None]:
    state = rnd.get_state()
    yield
    rnd.set_state(state)


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    made = RunPaths(tmp_path, "e", "k")
    made.folder.mkdir(parents=True)
    return made


def test_what_a_run_drew_without_any_seed_is_drawn_again(tmp_path: Path) -> None:
    paths, drawn = begin_run(
        tmp_path,
        "import numpy.random, torch\ntorch.seed(); random.gauss(0, 1); numpy.random.randn()",
        "numpy.random.rand(), numpy.random.randn(), torch.rand(1).item(), torch.randn(1).item()",
    )
    RndManager(paths.start_state.parent).load("start")
    again = [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()]
    assert [*again, torch.rand(1).item(), torch.randn(1).item()] == drawn


def test_generators_that_were_not_loaded_draw_on_as_they_were(tmp_path: Path) -> None:
    paths, drawn = begin_run(tmp_path)
    rnd.fix_seed(5)
    expected = np.random.rand(), torch.rand(1).item()
    rnd.fix_seed(5)
    with pytest.warns(UserWarning, match="holds nothing for numpy, torch, which draw on"):
        RndManager(paths.start_state.parent).load("start")
    assert (np.random.rand(), torch.rand(1).item()) == expected
    assert [random.random(), random.gauss(0, 1)] == drawn


def test_noting_the_states_does_not_change_them(paths: RunPaths) -> None:
    def draw() -> list[float]:
        return [random.random(), np.random.rand(), torch.rand(1).item()]

    rnd.fix_seed(4)
    expected = draw()
    rnd.fix_seed(4)
    random_facts(paths)
    assert draw() == expected


def test_the_manifest_names_the_file_its_hash_and_what_is_in_it(paths: RunPaths) -> None:
    told = random_facts(paths)["random_states"]
    file = paths.folder / told["path"]
    assert file == paths.start_state
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told["generators"][:3] == ["python", "numpy", "torch"]


def test_the_states_are_what_rnd_itself_reads(paths: RunPaths) -> None:
    def listed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: listed(item) for name, item in value.items()}
        return value.tolist() if isinstance(value, torch.Tensor) else value

    if torch.cuda.is_available():
        torch.cuda.init()
    random_facts(paths)
    states = read_states(paths.start_state)
    expected = rnd.get_state()
    assert states == listed({**expected, "cuda": [one.tolist() for one in expected["cuda"]]})


def test_another_generator_of_numpy_is_left_out(paths: RunPaths) -> None:
    default = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        told = random_facts(paths)["random_states"]
    finally:
        np.random.set_bit_generator(default)
    assert "numpy" not in told["generators"]
    assert "python" in told["generators"]


def test_seeds_are_told_as_far_as_they_are_known(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    monkeypatch.setenv("PL_GLOBAL_SEED", "42")
    torch.manual_seed(17)
    assert random_facts(paths)["seeds"] == {
        "PYTHONHASHSEED": "random",
        "PL_GLOBAL_SEED": 42,
        "torch": 17,
    }
    monkeypatch.setenv("PL_GLOBAL_SEED", "-" + "9" * 10_000)
    monkeypatch.delenv("PYTHONHASHSEED")
    seeds = random_facts(paths)["seeds"]
    assert seeds.keys() == {"PL_GLOBAL_SEED", "torch"}
    assert len(json.dumps(seeds)) < 100


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), before=st.integers(0, 700))
def test_states_are_read_back_as_they_were_written(tmp_path_factory, seed: int, before) -> None:
    rnd.fix_seed(seed)
    for _ in range(before):
        random.random(), np.random.randn(), random.gauss(0, 1)
    path = tmp_path_factory.mktemp("states") / "any.rnd"
    states = loaded_states()
    write_states(path, states)
    assert read_states(path) == states


def test_a_file_with_one_wrong_digit_is_refused(paths: RunPaths) -> None:
    random_facts(paths)
    content = json.loads(paths.start_state.read_text())
    content["state"]["python"]["words"][7] ^= 1
    paths.start_state.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="damaged: its sha256 does not fit"):
        read_states(paths.start_state)
