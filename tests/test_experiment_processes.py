"""A run and other processes: those that go on with it, those that must not, and its ranks."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record import Experiment, read_metrics
from thexp_pl.record.rank_reading import read_ranks
from thexp_pl.record.ranks import RankRecord, note_exit
from thexp_pl.runs import ExperimentViewer


def info_of(root: Path) -> dict[str, Any]:
    """What is known of the one run under a root."""
    viewer = ExperimentViewer(roots=[root])
    assert len(viewer.list()) == 1
    return viewer.exp_info("@last")


def train(exp: Experiment, fails: bool = False) -> None:
    """What rank 0 of a spawned training does."""
    exp.log_metrics(0, 0, {"loss": 100.0})  # of a loader's worker, say: its parent records
    exp.go_on()
    exp.params = {**exp.params, "batch": 8}
    for step in range(3):
        exp.log_metrics(step, 0, {"loss": float(step)})
    (exp.hold_exp_part("modules", [".ckpt"]) / "a.ckpt").write_text("weights")
    exp.set_world(2, device="cpu")
    if fails:
        raise ValueError("no such luck")


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_process_goes_on_with_the_run_and_the_first_one_ends_it(
    tmp_path: Path, method: str
) -> None:
    exp = Experiment(tmp_path, "a")
    exp.params = {"lr": 0.1}
    exp.start_exp()
    exp.log_metrics(None, None, {"before": 1.0})
    child = multiprocessing.get_context(method).Process(target=train, args=(exp,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert info_of(tmp_path)["status"] == "running"
    exp.log_metrics(3, 1, {"loss": 3.0})
    exp.end_exp()
    info = info_of(tmp_path)
    assert info["status"] == "finished"
    assert info["process"]["pid"] == os.getpid()
    assert info["params"] == {"lr": 0.1, "batch": 8}
    assert info["world_size"] == 2
    assert info["metrics"]["loss"] == {
        "last": 3.0, "min": 0.0, "max": 3.0, "mean": 1.5, "count": 4, "nonfinite": 0
    }  # fmt: skip
    assert read_metrics(exp.paths.metrics).name.count("loss") == 4
    assert list(ExperimentViewer(roots=[tmp_path]).backtracking("a.ckpt")) == [exp.key]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_run_that_paused_goes_on_in_another_process(tmp_path: Path, method: str) -> None:
    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    exp.pause()
    exp.paths.end_mark("failed").touch()  # left by an end on a full disk
    exp.go_on()
    child = multiprocessing.get_context(method).Process(target=train, args=(exp,))
    child.start()
    child.join()
    assert info_of(tmp_path)["status"] == "running"
    exp.end_exp()
    info = info_of(tmp_path)
    assert (info["status"], info["metrics"]["loss"]["count"]) == ("finished", 3)


def test_what_a_spawned_process_raised_is_the_cause(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    child = multiprocessing.get_context("spawn").Process(target=fail_loudly, args=(exp,))
    child.start()
    child.join()
    exp.finish("failed", RuntimeError("process 0 failed"))
    info = info_of(tmp_path)
    assert info["status"] == "failed"
    assert info["cause"]["message"] == "no such luck"
    assert "in train" in exp.paths.traceback.read_text()


def fail_loudly(exp: Experiment) -> None:
    """Fail as rank 0 does; of what nobody catches, Python 3.13 tells no one in such a process."""
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the traceback is not for the test
    with exp:
        train(exp, fails=True)


def test_an_experiment_that_was_not_started_is_only_described_when_pickled(tmp_path: Path) -> None:
    copy = pickle.loads(pickle.dumps(Experiment(tmp_path, "a", max_file_mb=1)))
    assert list(tmp_path.iterdir()) == []
    with copy:
        pass
    assert info_of(tmp_path)["experiment"] == "a"


def test_a_subprocess_that_imports_the_same_script_records_nothing_of_its_own(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, subprocess, sys
            from thexp_pl import Experiment

            def work(number):
                return number * 2

            if __name__ == "__main__":
                with Experiment("./exp", "a") as exp:
                    exp.log_metrics(0, 0, {"loss": 1.0})
                    subprocess.run([sys.executable, "-c", "import thexp_pl.record"], check=True)
                    for method in ("spawn", "fork", "forkserver"):
                        with multiprocessing.get_context(method).Pool(2) as pool:
                            assert pool.map(work, [1, 2]) == [2, 4]
                    exp.log_metrics(1, 0, {"loss": 2.0})
            """
        )
    )
    subprocess.run([sys.executable, "-W", "ignore", str(script)], cwd=tmp_path, check=True)
    info = info_of(tmp_path / "exp")
    assert info["status"] == "finished"
    assert info["metrics"]["loss"]["count"] == 2


RANK = """
import os, signal, sys
from pathlib import Path
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.ranks import RankRecord
paths = RunPaths(Path(sys.argv[1]), "a", sys.argv[2])
record = RankRecord(paths, int(sys.argv[3]), {"local_rank": 1, "device": "cpu"}, console=True)
print("ready", flush=True)
"""


def rank(exp: Experiment, number: int, ending: str) -> subprocess.CompletedProcess[str]:
    """Run the process of a rank that ends in some way."""
    words = [sys.executable, "-c", RANK + ending, str(exp.root), exp.key, str(number)]
    return subprocess.run(words, capture_output=True, text=True)


def test_each_rank_leaves_its_log_and_the_cause_of_its_end(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.set_world(5, device="cpu")
        rank(exp, 1, "")
        rank(exp, 2, "os.kill(os.getpid(), signal.SIGKILL)")
        rank(exp, 3, "raise ValueError('mine')")
        rank(exp, 4, "os.kill(os.getpid(), signal.SIGSEGV)")
        note_exit(exp.paths, 2, signal="SIGKILL")
    ranks = {one["rank"]: one for one in info_of(tmp_path)["ranks"]}
    assert [(number, one["status"]) for number, one in ranks.items()] == [
        (1, "finished"), (2, "killed"), (3, "failed"), (4, "killed")
    ]  # fmt: skip
    assert ranks[1]["facts"] == {"local_rank": 1, "device": "cpu"}
    assert ranks[2]["cause"] == {"signal": "SIGKILL"}
    assert ranks[3]["cause"] == {
        "type": "ValueError", "message": "mine", "traceback": "traceback.txt"
    }  # fmt: skip
    assert ranks[4]["cause"] == {"signal": "SIGSEGV"}
    folder = exp.paths.ranks
    assert (folder / "1" / "console.log").read_text() == "ready\n"
    assert "ValueError: mine" in (folder / "3" / "traceback.txt").read_text()


def test_a_rank_that_died_without_a_trace_is_told_as_that(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        rank(exp, 1, "os._exit(0)")
    (only,) = read_ranks(exp.paths)
    assert only["status"] == "killed"
    assert only["cause"]["message"].startswith("its process is gone without a trace: SIGKILL")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 1}', '{"status": "running"}'])
def test_a_damaged_file_of_a_rank_is_a_damaged_rank(tmp_path: Path, text: str) -> None:
    with Experiment(tmp_path, "a") as exp:
        (exp.paths.ranks / "7").mkdir(parents=True)
        (exp.paths.ranks / "7" / "rank.json").write_text(text)
        (exp.paths.ranks / "notes").mkdir()
    assert info_of(tmp_path)["ranks"] == [{"rank": 7, "status": "damaged"}]


def test_a_rank_in_this_process_ends_once(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        record = RankRecord(exp.paths, 1, {}, console=False)
        record.finish("interrupted", None, "SIGTERM")
        record.finish("finished")
    assert read_ranks(exp.paths)[0]["cause"] == {"signal": "SIGTERM"}


def test_a_terminal_that_closes_interrupts_the_run(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom thexp_pl import Experiment\n"
        f"Experiment({str(tmp_path)!r}, 'a').start_exp()\nos.kill(os.getpid(), signal.SIGHUP)"
    )
    done = subprocess.run([sys.executable, "-c", code])
    assert done.returncode == -signal.SIGHUP
    info = info_of(tmp_path)
    assert (info["status"], info["cause"]) == ("interrupted", {"signal": "SIGHUP"})


def test_a_forked_worker_that_is_ended_at_once_ends(tmp_path: Path) -> None:
    # with a signal lost, a pool that ends its workers would wait for ever
    with Experiment(tmp_path, "a"):
        for _ in range(200):
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(180)
                while True:
                    signal.pause()
            os.kill(child, signal.SIGTERM)
            assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    assert info_of(tmp_path)["status"] == "finished"
