"""How processes end, fork and are killed while a Saver writes in the background."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from saver_helpers import SECONDS, Gate, files, forked, in_own_process, loaded_value, main, state_of

from thexp_pl import Saver

KILLS = int(os.environ.get("THEXP_PL_KILLS", "100"))


def end_without_a_flush(folder: str) -> None:
    saver = Saver(folder, background=True)
    for epoch in range(3):
        saver.save_checkpoint(epoch, state_of(epoch, size=500_000))


def test_a_process_that_ends_by_itself_writes_all(tmp_path: Path) -> None:
    in_own_process(end_without_a_flush, tmp_path)
    assert loaded_value(Saver(tmp_path)) == 2
    assert len(Saver(tmp_path).find_checkpoints()) == 3


def end_in_a_child(folder: str) -> None:
    child = multiprocessing.get_context("fork").Process(target=end_without_a_flush, args=[folder])
    child.start()
    child.join(SECONDS)
    assert child.exitcode == 0


def test_a_child_of_multiprocessing_that_ends_by_itself_writes_all(tmp_path: Path) -> None:
    in_own_process(end_in_a_child, tmp_path)
    assert len(Saver(tmp_path).find_checkpoints()) == 3


def end_with_an_error(folder: str) -> None:
    """Fill the disk, as far as this process may write."""
    saver = Saver(folder, background=True)
    saver.save_checkpoint(1, {"a": 1})
    saver.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    saver.save_checkpoint(2, {"weights": torch.ones(100_000)})
    assert len(saver.find_checkpoints()) == 1  # it has failed by now


def test_an_error_that_nobody_was_told_is_one_line_on_stderr(tmp_path: Path) -> None:
    code = f"import test_saver_ends as t; t.end_with_an_error({str(tmp_path)!r})"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("thexp_pl: cannot save the checkpoint of epoch 2")
    assert "File too large" in line
    assert files(tmp_path) == {"0000001.ckpt", "0000001.ckpt.json"}


def fork_while_one_is_written(folder: str) -> None:
    """Fork in the midst of a write that holds the folder's lock."""
    saver = Saver(folder, background=True)
    saver.save_checkpoint(1, {"gate": Gate()})
    saver.save_checkpoint(2, {"a": 2})
    assert Gate.entered.wait(SECONDS)

    def body() -> None:
        saver.flush()  # of this process: there is nothing to wait for
        other = Saver(f"{folder}/child", background=True)
        other.save_checkpoint(7, {"a": 7})
        other.close()
        assert len(saver.find_checkpoints()) == 0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
        child = forked(body)
    assert os.waitpid(child, 0)[1] == 0
    Gate.opened.set()
    saver.close()
    child = forked(lambda: print(saver.save_checkpoint(3, {"a": 3}), saver.flush(), flush=True))
    assert os.waitpid(child, 0)[1] == 0


def test_a_forked_process_writes_nothing_of_what_its_parent_gave(tmp_path: Path) -> None:
    assert "0000003.ckpt" in in_own_process(fork_while_one_is_written, tmp_path)
    saver = Saver(tmp_path)
    assert [path.name[6] for path in saver.find_checkpoints()] == ["1", "2", "3"]
    assert saver.load_checkpoint(2) == {"a": 2}
    assert Saver(tmp_path / "child").load_checkpoint(7) == {"a": 7}


def save_until_killed(folder: Path, value: int, writer: int) -> None:
    """Save back to back, and report each value once it is committed."""
    values: dict[Path, int] = {}

    def report(path: Path) -> None:
        os.write(writer, values[path].to_bytes(4, "big"))

    saver = Saver(folder, max_to_keep=2, background=True, on_commit=report)
    weights = torch.empty(100_000)
    while True:
        value += 1
        weights.fill_(value)  # in place, while the last copies are written
        path = folder / f"{value % 1_000_000:07d}.ckpt"
        values[path] = value
        assert saver.save_checkpoint(value, {"value": value, "weights": weights}) == path


def kill_once(folder: Path, value: int, delay_s: float) -> int:
    """Kill a process that saves from `value` on, some time after its first save; check the rest."""
    reader, writer = os.pipe()
    child = forked(lambda: save_until_killed(folder, value, writer))
    os.close(writer)
    reported = os.read(reader, 4)
    time.sleep(delay_s)  # any moment will do: it is the moment of the kill
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    while report := os.read(reader, 4):
        reported = report
    os.close(reader)
    last = int.from_bytes(reported, "big")
    on_disk = [name for name in files(folder) if name[0] != "." and name.endswith(".ckpt")]
    assert len(on_disk) <= 3, sorted(files(folder))
    saver = Saver(folder, max_to_keep=2)
    for path in saver.find_checkpoints():
        state: dict[str, Any] = saver.load_checkpoint(path)
        assert state["value"] == int(path.stem)
        assert state["weights"].eq(float(state["value"])).all()
    newest = loaded_value(saver)
    assert newest >= last > value, f"loaded {newest} where {last} was committed"
    return newest


def kill_many_times(folder: str, kills: str) -> None:
    drawn, value = random.Random(0), 0
    for _ in range(int(kills)):
        value = kill_once(Path(folder), value, drawn.uniform(0, 0.03))


def test_killed_at_random_times_every_committed_save_is_there_and_right(tmp_path: Path) -> None:
    in_own_process(kill_many_times, tmp_path / "sav", KILLS, timeout_s=60 + KILLS)


if __name__ == "__main__":
    main(globals())
