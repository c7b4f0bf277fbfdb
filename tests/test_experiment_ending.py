"""However a process ends, its run says how."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.record.journal import read_journal
from thexp_pl.runs import ExperimentViewer

# the files that a process which ends its run tells of, each once
LEFT = ["logs/console.log", "metrics.csv", "rnd/start.rnd"]

START = """
import os, signal, sys
from thexp_pl import Experiment
exp = Experiment("./exp", "a")
exp.start_exp()
exp.log_metrics(0, 0, {"loss": 1.0})
"""


def end_of(folder: Path, script: str) -> tuple[int, str, str, dict[str, Any]]:
    """Run a script; give its exit code, stdout, stderr and what is known of its run."""
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    viewer = ExperimentViewer(roots=[folder / "exp"])
    assert len(viewer.list()) == 1
    return done.returncode, done.stdout, done.stderr, viewer.exp_info("@last")


def test_a_script_that_just_ends_is_finished(tmp_path: Path) -> None:
    code, _, errors, info = end_of(tmp_path, "")
    assert (code, errors, info["status"], info["cause"]) == (0, "", "finished", None)
    assert info["metrics"]["loss"]["count"] == 1


def test_an_exception_is_failed_and_keeps_its_type_message_and_traceback(tmp_path: Path) -> None:
    code, _, errors, info = end_of(
        tmp_path,
        """
        before = sys.excepthook
        def fail():
            raise ValueError("no such batch")
        fail()
        """,
    )
    assert code == 1
    assert "ValueError: no such batch" in errors
    assert info["status"] == "failed"
    assert info["cause"]["type"] == "ValueError"
    assert info["cause"]["message"] == "no such batch"
    trace = (Path(info["folder"]) / info["cause"]["traceback"]).read_text()
    assert "in fail" in trace
    assert trace.endswith("ValueError: no such batch\n")


def test_a_keyboard_interrupt_is_interrupted(tmp_path: Path) -> None:
    code, _, _, info = end_of(tmp_path, "os.kill(os.getpid(), signal.SIGINT); signal.pause()")
    assert code == -signal.SIGINT
    assert (info["status"], info["cause"]["type"]) == ("interrupted", "KeyboardInterrupt")


def test_sigterm_is_interrupted_and_still_kills(tmp_path: Path) -> None:
    code, out, _, info = end_of(tmp_path, "os.kill(os.getpid(), signal.SIGTERM); print('survived')")
    assert (code, out) == (-signal.SIGTERM, "")
    assert (info["status"], info["cause"]) == ("interrupted", {"signal": "SIGTERM"})
    assert info["metrics"]["loss"]["count"] == 1


def test_sigkill_is_killed_and_flushed_metrics_are_there(tmp_path: Path) -> None:
    code, _, _, info = end_of(
        tmp_path,
        """
        for step in range(1, 2500):
            exp.log_metrics(step, 0, {"loss": 1.0})
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert code == -signal.SIGKILL
    assert (info["status"], info["end"]) == ("killed", None)
    assert info["metrics"]["loss"]["count"] >= 2000


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        ("SystemExit(0)", "finished"),
        ("SystemExit(3)", "failed"),
        ("KeyboardInterrupt", "interrupted"),
        ("OSError('x')", "failed"),
    ],
)
def test_with_sees_what_leaves_its_block(tmp_path: Path, raised: str, status: str) -> None:
    _, _, _, info = end_of(tmp_path, f"with exp:\n    raise {raised}")
    assert info["status"] == status


def test_a_handler_that_was_there_before_decides_what_sigterm_does(tmp_path: Path) -> None:
    script = (
        """
import signal, sys, os
signal.signal(signal.SIGTERM, lambda number, frame: print("told", flush=True))
sys.excepthook = lambda kind, value, trace: print("hooked", value)
"""
        + START
        + """
os.kill(os.getpid(), signal.SIGTERM)
exp.log_metrics(1, 0, {"loss": 2.0})
raise ValueError("later")
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "told\nhooked later\n"
    info = ExperimentViewer(roots=[tmp_path / "exp"]).exp_info("@last")
    assert info["status"] == "interrupted"
    assert info["cause"]["signal"] == "SIGTERM"
    assert info["metrics"]["loss"]["count"] == 2


def test_a_handler_that_was_set_upon_ours_decides_too(tmp_path: Path) -> None:
    code, out, _, info = end_of(
        tmp_path,
        """
        below = signal.getsignal(signal.SIGTERM)
        def gentle(number, frame):
            below(number, frame)
            print("saving", flush=True)
        signal.signal(signal.SIGTERM, gentle)
        os.kill(os.getpid(), signal.SIGTERM)
        exp.log_metrics(1, 0, {"loss": 2.0})
        print("done")
        """,
    )
    assert (code, out) == (0, "saving\ndone\n")
    assert (info["status"], info["cause"]) == ("interrupted", {"signal": "SIGTERM"})
    assert info["metrics"]["loss"]["count"] == 2


def test_after_the_end_the_hooks_are_those_of_before(tmp_path: Path) -> None:
    script = (
        """
import signal, sys
hooks = lambda: (sys.excepthook, signal.getsignal(signal.SIGTERM))
before = hooks()
"""
        + START
        + """
held = hooks()
with Experiment("./exp", "b"):
    assert hooks() == held
exp.end_exp()
assert hooks() == before != held
"""
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_two_open_runs_both_end(tmp_path: Path) -> None:
    script = (
        START
        + """
other = Experiment("./exp", "b")
other.start_exp()
os.kill(os.getpid(), signal.SIGTERM)
"""
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path)
    assert done.returncode == -signal.SIGTERM
    runs = ExperimentViewer(roots=[tmp_path / "exp"]).runs()
    assert [run.status for run in runs] == ["interrupted", "interrupted"]


def test_a_run_started_in_a_thread_ends_with_the_process(tmp_path: Path) -> None:
    script = """
import threading
from thexp_pl import Experiment
def work():
    exp = Experiment("./exp", "a")
    exp.start_exp()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    (run,) = ExperimentViewer(roots=[tmp_path / "exp"]).runs()
    assert run.status == "finished"


@pytest.mark.parametrize(
    "child",
    [
        "sys.exit(0)",
        "raise ValueError('of the child')",
        "exp.end_exp(); sys.exit(0)",
        "exp.log_metrics(9, 9, {'loss': 9.0}); exp.log_event('child'); sys.exit(0)",
        "os.kill(os.getpid(), signal.SIGTERM)",
    ],
)
def test_a_forked_child_neither_ends_the_run_nor_records_in_it(tmp_path: Path, child: str) -> None:
    code, out, _, info = end_of(
        tmp_path,
        f"""
        if os.fork() == 0:
            {child}
        os.wait()
        from thexp_pl.runs.run import read_run
        print(read_run(exp.paths).status)
        exp.log_metrics(1, 0, {{"loss": 2.0}})
        """,
    )
    assert (code, out, info["status"]) == (0, "running\n", "finished")
    events = read_journal(Path(info["folder"]) / "journal.jsonl")
    assert sorted(event["path"] for event in events if event.get("final")) == LEFT
    assert len(events) == len(LEFT)
    assert info["metrics"]["loss"] == {
        "last": 2.0, "min": 1.0, "max": 2.0, "mean": 1.5, "count": 2, "nonfinite": 0,
    }  # fmt: skip


def test_a_loader_worker_neither_ends_the_run_nor_records_in_it(tmp_path: Path) -> None:
    code, _, errors, info = end_of(
        tmp_path,
        """
        import torch
        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, index):
                exp.log_metrics(index, 5, {"loss": 100.0})
                exp.log_event("worker")
                return index
        loader = torch.utils.data.DataLoader(Data(), num_workers=2)
        assert sorted(int(batch) for batch in loader) == [0, 1, 2, 3]
        exp.log_metrics(1, 0, {"loss": 2.0})
        """,
    )
    assert (code, info["status"]) == (0, "finished"), errors
    assert (info["metrics"]["loss"]["count"], info["metrics"]["loss"]["max"]) == (2, 2.0)
    events = read_journal(Path(info["folder"]) / "journal.jsonl")
    assert sorted(event["path"] for event in events if event.get("final")) == LEFT
    assert len(events) == len(LEFT)
