"""Board: kills, forks, signals, full disks and a broken TensorBoard."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from thexp_pl.loggers.board import Board

# the package's own __init__ would import Lightning, which takes seconds: a board needs none of it
BEGIN = """
import os, resource, signal, sys, threading, time, types
from pathlib import Path
import thexp_pl
loggers = sys.modules["thexp_pl.loggers"] = types.ModuleType("thexp_pl.loggers")
loggers.__path__ = [str(Path(thexp_pl.__file__).parent / "loggers")]
from thexp_pl.loggers.board import Board
folder = Path(sys.argv[1])
faults = []
board = Board(folder, faults.append)
"""


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def steps(folder: Path) -> list[int]:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return [event.step for event in accumulator.Scalars("loss")]


def test_adding_a_value_imports_nothing_of_tensorboard(tmp_path: Path) -> None:
    script = """
board.add_scalars(0, {"loss": 1.0})
print("tensorboard" in sys.modules)
board.close()
print("tensorboard" in sys.modules, "tensorflow" in sys.modules, "torch" in sys.modules)
"""
    assert run(script, tmp_path) == "False\nTrue False False\n"


def test_a_kill_leaves_all_that_was_flushed(tmp_path: Path) -> None:
    script = """
for step in range(1000):
    board.add_scalars(step, {"loss": step})
board.flush()
print("flushed", flush=True)
while True:
    board.add_scalars(step, {"loss": 0.0})
    board.flush()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + script, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        process.kill()
        assert process.wait(timeout=300) == -signal.SIGKILL
    assert steps(tmp_path)[:1000] == list(range(1000))


def test_a_forked_process_writes_nothing_and_does_not_hang(tmp_path: Path) -> None:
    script = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
board.add_scalars(0, {"loss": 1.0})
child = os.fork()
if child == 0:
    board.add_scalars(1, {"loss": 2.0})
    board.add_hparams({"lr": 1}, {"loss": 2.0})
    board.flush()
    board.close()
    os._exit(len(faults))
print(os.waitpid(child, 0)[1], os.listdir(folder))
board.close()
"""
    assert run(script, tmp_path) == "0 []\n"
    assert steps(tmp_path) == [0]


def test_a_process_that_forgets_its_board_ends(tmp_path: Path) -> None:
    assert run('board.add_scalars(0, {"loss": 1.0})', tmp_path) == ""


def test_a_board_closed_at_the_exit_of_the_interpreter_has_all(tmp_path: Path) -> None:
    script = """
import atexit
atexit.register(board.close)
atexit.register(board.add_scalars, 1, {"loss": 2.0})
board.add_scalars(0, {"loss": 1.0})
"""
    run(script, tmp_path)
    assert steps(tmp_path) == [0, 1]


def test_a_signal_handler_may_close_at_any_moment(tmp_path: Path) -> None:
    script = """
def end(number, frame):
    board.close()
    print(len(threading.enumerate()), faults)
    sys.stdout.flush()
    os._exit(0)
signal.signal(signal.SIGALRM, end)
signal.setitimer(signal.ITIMER_REAL, 3.05)  # about when the thread writes too
step = 0
while True:
    board.add_scalars(step, {"loss": step})
    step += 1
    time.sleep(0)
"""
    assert run(script, tmp_path) == "1 []\n"
    found = steps(tmp_path)
    assert sorted(set(found)) == list(range(max(found) + 1))


FULL = """
board.add_scalars(0, {"loss": 0.0})
board.flush()
(file,) = folder.iterdir()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, hard))
"""


def test_a_full_disk_is_one_report_and_its_values_are_written_later(tmp_path: Path) -> None:
    script = """
size = file.stat().st_size
for step in range(1, 4):
    board.add_scalars(step, {"loss": step})
    board.flush()
print(len(faults), type(faults[0]).__name__, file.stat().st_size - size)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
board.close()
print(len(faults))
"""
    assert run(FULL + script, tmp_path) == "1 OSError 0\n1\n"
    assert steps(tmp_path) == [0, 1, 2, 3]


def test_a_disk_that_refuses_for_long_costs_the_oldest_values(tmp_path: Path) -> None:
    script = """
for step in range(1, 30_101):
    board.add_scalars(step, {"loss": step})
    if step == 1:
        board.flush()
print(len(faults))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
board.close()
print(len(faults))
"""
    assert run(FULL + script, tmp_path) == "1\n1\n"
    found = steps(tmp_path)
    assert found[-10_000:] == list(range(20_101, 30_101))
    assert found == sorted(set(found))
    assert len(found) < 10_500


def test_a_loop_faster_than_the_disk_loses_nothing(tmp_path: Path) -> None:
    script = """
for step in range(25_000):
    board.add_scalars(step, {"loss": step})
board.close()
print(faults)
"""
    assert run(script, tmp_path) == "[]\n"
    assert steps(tmp_path) == list(range(25_000))


def test_a_folder_that_cannot_be_made_is_one_report(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    faults: list[Exception] = []
    board = Board(tmp_path / "file" / "board", faults.append)
    for step in range(3):
        board.add_scalars(step, {"loss": 1.0})
        board.flush()
    board.close()
    assert [type(fault) for fault in faults] == [NotADirectoryError]


def test_a_fault_that_is_to_be_raised_is_raised_where_values_are_given(tmp_path: Path) -> None:
    def strict(error: Exception) -> None:
        raise error

    (tmp_path / "file").touch()
    board = Board(tmp_path / "file" / "board", strict)
    board.add_scalars(0, {"loss": 1.0})
    with pytest.raises(NotADirectoryError):
        board.flush()
    board.add_scalars(0, {"loss": 1.0})
    board.close()


def test_where_tensorboard_cannot_be_imported_the_board_is_given_up_with_one_report(
    tmp_path: Path,
) -> None:
    script = """
sys.modules["tensorboard"] = None
for step in range(3):
    board.add_scalars(step, {"loss": 1.0})
    board.flush()
board.add_hparams({}, {})
board.close()
print([type(fault).__name__ for fault in faults], threading.active_count())
"""
    assert run(script, tmp_path) == "['ModuleNotFoundError'] 1\n"
