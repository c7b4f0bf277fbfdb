"""What a machine has to share, and who gets it; a real program stands in for nvidia-smi."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_local_helpers import (
    PLAIN,
    SECONDS,
    Heard,
    light_sweep,
    root,
    run_all,
    runs_of,
    until,
)

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.devices import (
    Memory,
    gpu_memory,
    machine_memory,
    memory_size,
    threads_for,
    usable_cores,
    visible_gpus,
)
from thexp_pl.sweeps.engines.local import LocalEngine
from thexp_pl.sweeps.engines.places import Places

__all__ = ["root"]

_GIB = 1 << 30
_SMI = """#!{python} -SE
import json, sys
query, = [word for word in sys.argv if word.startswith("--query-gpu=")]
for gpu in json.load(open({file!r})):
    print(", ".join(str(gpu[name]) for name in query.partition("=")[2].split(",")))
"""


class Smi:
    """The GPUs that the program nvidia-smi of this test tells of."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "gpus.json"
        program = folder / "nvidia-smi"
        program.write_text(_SMI.format(python=sys.executable, file=str(self._file)))
        program.chmod(0o755)

    def tell(self, *free: int, total: int = 16 * 1024) -> None:
        """Have as many GPUs as numbers are given: their free memory in MiB."""
        gpus = [
            {
                "index": index,
                "uuid": f"GPU-{index}aa",
                "name": "Test GPU",
                "driver_version": "550.1",
                "memory.free": each,
                "memory.total": total,
            }
            for index, each in enumerate(free)
        ]
        aside = self._file.with_suffix(".new")
        aside.write_text(json.dumps(gpus))
        aside.rename(self._file)


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Smi:
    if Path("/proc/driver/nvidia/gpus").exists():
        pytest.skip("this machine's own GPUs would be told of")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return Smi(folder)


@pytest.mark.parametrize("text", ["", "8 apples", "-1GB", "0", "8GBB", "nan"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no amount of memory"):
        memory_size(text)


@given(st.integers(1, 10**6), st.sampled_from("KMGT"), st.sampled_from(["", "B", "iB"]))
def test_units_of_memory_are_those_of_the_field(count: int, unit: str, end: str) -> None:
    base = 1024 if end == "iB" else 1000
    assert memory_size(f"{count}{unit}{end}") == count * base ** ("KMGT".index(unit) + 1)


def test_gpus_are_named_by_their_uuids(smi: Smi) -> None:
    smi.tell(100, 200)
    assert visible_gpus() == ["GPU-0aa", "GPU-1aa"]
    told = gpu_memory(["GPU-1aa", "0", "MIG-x"])
    assert told == {"GPU-1aa": Memory(200 << 20, 16 * _GIB), "0": Memory(100 << 20, 16 * _GIB)}


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2,0", ["2", "0"]),
        ("0,-1,1", ["0"]),
        ("GPU-0a, MIG-7f/1/0", ["GPU-0a", "MIG-7f/1/0"]),
    ],
)
def test_an_outer_choice_of_gpus_is_kept(smi: Smi, told: str, names: list[str]) -> None:
    smi.tell(1, 1, 1)
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": told}) == names


def test_the_cores_are_divided_unless_the_user_did(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_for(1, {}) == {"OMP_NUM_THREADS": str(usable_cores())}
    assert threads_for(10_000, {}) == {"OMP_NUM_THREADS": "1"}
    assert threads_for(2, {"OMP_NUM_THREADS": "3"}) == {}


def test_the_memory_of_a_machine_is_no_more_than_it_has() -> None:
    memory = machine_memory()
    assert 0 < memory.free <= memory.total


def test_fewer_gpus_than_a_run_needs_are_refused(smi: Smi, monkeypatch: pytest.MonkeyPatch) -> None:
    smi.tell(1, 1)
    with pytest.raises(UsageError, match=r"--gpus_per_run=3: this process sees 2 GPUs"):
        Places(3).check()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UsageError, match=r"sees 1 GPUs \(1\)"):
        Places(2).check()


def test_memory_that_no_gpu_has_is_refused(smi: Smi) -> None:
    smi.tell(1, 1)
    with pytest.raises(UsageError, match=r"--min_free_memory=80GB can never be free: GPU-0aa has"):
        Places(memory=80 * 10**9).check()
    Places(memory=8 * 10**9).check()  # free later


def test_gpus_of_ones_own_are_no_ones_else(smi: Smi) -> None:
    smi.tell(1, 1, 1)
    places = Places(2)
    assert places.take(7, places.find() or []) == {"CUDA_VISIBLE_DEVICES": "GPU-0aa,GPU-1aa"}
    assert places.find() is None
    places.give_back(7)
    assert places.find() == ["GPU-0aa", "GPU-1aa"]


def test_a_run_that_has_taken_nothing_yet_keeps_its_room(smi: Smi) -> None:
    smi.tell(10 * 1024, 4 * 1024)
    places = Places(memory=4 * _GIB)
    taken = []
    for point in range(3):  # nothing is seen of them: the answers stay as they are
        found = places.find()
        assert found
        places.take(point, found)
        taken += found
    assert taken == ["GPU-0aa", "GPU-0aa", "GPU-1aa"]
    assert places.find() is None
    smi.tell(2 * 1024, 4 * 1024)  # the two are seen now, and take 8 GiB together
    assert places.find() is None
    places.give_back(2)
    assert places.find() == ["GPU-1aa"]


def test_what_a_run_really_takes_counts_where_it_is_more(smi: Smi) -> None:
    smi.tell(12 * 1024)
    places = Places(memory=4 * _GIB)
    places.take(0, places.find() or [])
    smi.tell(3 * 1024)
    assert places.find() is None


def test_a_driver_that_does_not_answer_gives_no_room(smi: Smi, tmp_path: Path) -> None:
    smi.tell(8 * 1024)
    places = Places(memory=_GIB)
    (tmp_path / "bin" / "gpus.json").write_text("no JSON")
    assert places.find() is None
    smi.tell(8 * 1024)
    assert places.find() == ["GPU-0aa"]


def test_each_run_sees_a_gpu_of_its_own(root: Path, smi: Smi) -> None:
    smi.tell(1, 1)
    sweep = light_sweep(root, PLAIN, ["1", "2", "3"])
    heard = Heard()
    assert run_all(sweep, LocalEngine(3, gpus_per_run=1), listener=heard).done == 3
    assert heard.most_at_once <= 2
    seen = [run.manifest["environment"]["CUDA_VISIBLE_DEVICES"] for run in runs_of(root)]
    assert sorted(set(seen)) == ["GPU-0aa", "GPU-1aa"]


def test_a_run_waits_until_the_memory_is_free(root: Path, smi: Smi) -> None:
    smi.tell(2 * 1024)
    sweep = light_sweep(root, PLAIN, ["1"])
    heard = Heard()

    def make_room(running: object) -> None:
        if heard.hindrances:
            smi.tell(9 * 1024)

    heard.on_look = make_room
    engine = LocalEngine(1, memory=memory_size("8GB"))
    assert run_all(sweep, engine, listener=heard).done == 1
    assert heard.hindrances == {"waiting for 8 GB of free memory"}


def test_without_gpus_the_memory_is_that_of_the_machine(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UsageError, match="this machine has"):
        Places(memory=1 << 60).check()
    free = machine_memory().free
    places = Places(memory=free * 2 // 3)
    assert places.take(0, places.find() or []) == {}
    assert places.find() is None  # two thirds are spoken for


def test_what_an_ended_driver_left_running_keeps_its_gpu(root: Path, smi: Smi) -> None:
    smi.tell(1, 1)
    body = f"{PLAIN.rstrip()}\n    (here / 'began').touch()\n    wait_for('go')\n"
    sweep = light_sweep(root, body, ["1", "2"])
    left = _left_running(sweep.key, root)
    until((root.parent / "began").exists)
    engine = LocalEngine(2, gpus_per_run=1)
    engine.open(sweep)
    engine.start(0)
    until(engine.room)
    engine.start(1)
    until(lambda: len(runs_of(root)) == 2)
    (root.parent / "go").touch()
    ended: list[int] = []
    until(lambda: ended.extend(each.point for each in engine.wait(0.1)) or len(ended) == 2)
    seen = [run.manifest["environment"]["CUDA_VISIBLE_DEVICES"] for run in runs_of(root)]
    assert sorted(seen) == ["GPU-0aa", "GPU-1aa"]
    assert left == 0
    engine.close()


def _left_running(key: str, root: Path) -> int:
    """Start point 0 on the first GPU from a process that ends at once."""
    script = f"""
    from pathlib import Path
    from thexp_pl.sweeps.attempt import begin_attempt
    from thexp_pl.record.sweep_folder import SweepFolder
    from thexp_pl.sweeps.sweep import read_points, read_sweep
    sweep = read_sweep(SweepFolder(Path({str(root)!r}), {key!r}))
    begin_attempt(sweep, read_points(sweep)[0], environment={{"CUDA_VISIBLE_DEVICES": "GPU-0aa"}})
    import os; os._exit(0)
    """
    words = [sys.executable, "-c", "\n".join(line.strip() for line in script.splitlines())]
    return subprocess.run(words, timeout=SECONDS, check=False).returncode
