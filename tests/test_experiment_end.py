"""The end of a run under difficulties: what is written first is how it ended."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.errors import ExperimentNameError, UsageError
from thexp_pl.record import Experiment, read_metrics
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.run import read_run


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that records under ``folder/exp``."""
    head = "import os, signal, sys\nfrom thexp_pl import Experiment\n"
    path = folder / "script.py"
    path.write_text(head + textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, str(path)], cwd=folder, capture_output=True, text=True, timeout=180
    )


def info_of(root: Path) -> dict[str, Any]:
    """What is known of the one run under a root."""
    return ExperimentViewer(roots=[root]).exp_info("@last")


# a signal comes while the run waits for the hash of a large file that it uses
SLOW_END = """
open("big", "wb").truncate(8 * 10**9)
exp = Experiment("exp", "a")
exp.start_exp()
for step in range(500):
    exp.log_metrics(step, 0, {"loss": 1.0})
exp.uses("big")

def press(*_):
    os.kill(os.getpid(), signal.%s)

import threading
from thexp_pl.record.facts import Inputs
close = Inputs.close
def closing(self, *a, **k):
    threading.Timer(0.2, press).start()
    close(self, *a, **k)
Inputs.close = closing
exp.end_exp()
"""


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_start_that_is_interrupted_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = tmp_path / "bin" / "git"  # it is called to keep the code
    git.parent.mkdir()
    git.write_text("#!/bin/sh\nkill -INT $PPID\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=os.pathsep)
    exp = Experiment(tmp_path / "exp", "a", project=git.parent, console=False)

    with pytest.raises(KeyboardInterrupt):
        exp.start_exp()
    gc.collect()  # a process that was being started just then, which Python lets go of

    run = read_run(exp.paths)
    assert (run.status, run.cause["type"]) == ("interrupted", "KeyboardInterrupt")
    with pytest.raises(UsageError, match="this experiment has ended"):
        exp.log_metrics(0, 0, {"loss": 1.0})


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_during_the_end_loses_neither_metrics_nor_status(
    tmp_path: Path, name: str
) -> None:
    done = run(tmp_path, SLOW_END % name)
    assert done.returncode != 0
    info = info_of(tmp_path / "exp")
    assert (info["status"], info["metrics"]["loss"]["count"]) == ("finished", 500)
    key = info["key"]
    assert len(read_metrics(tmp_path / "exp" / "a" / key / "metrics.csv")) == 500


def test_a_signal_while_the_end_is_written_ends_the_run_once(tmp_path: Path) -> None:
    script = """
    exp = Experiment("exp", "a")
    exp.start_exp()
    exp.at_end(lambda: print("first"))
    exp.at_end(lambda: os.kill(os.getpid(), signal.SIGTERM))
    exp.at_end(lambda: print("last", flush=True))
    exp.end_exp()
    """
    done = run(tmp_path, script)
    assert done.returncode == -15
    assert done.stdout == "first\nlast\n"
    assert info_of(tmp_path / "exp")["status"] == "finished"


def test_what_is_done_at_the_end_may_exit_end_and_fail(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    done: list[str] = []
    exp.at_end(lambda: done.append("first"))
    exp.at_end(lambda: sys.exit(4))
    exp.at_end(exp.end_exp)
    exp.at_end(lambda: done.append("last"))
    with pytest.warns(RecorderWarning, match=r"called sys.exit\(4\)"):
        exp.end_exp()
    assert done == ["first", "last"]
    assert info_of(tmp_path)["status"] == "finished"


@pytest.mark.parametrize(
    "hook", ["sys.excepthook = lambda *a: None", "import rich.traceback as t; t.install()"]
)
def test_an_exception_is_seen_past_a_hook_of_someone_else(tmp_path: Path, hook: str) -> None:
    done = run(tmp_path, f"Experiment('exp', 'a').start_exp()\n{hook}\n1 / 0")
    assert done.returncode == 1
    info = info_of(tmp_path / "exp")
    assert (info["status"], info["cause"]["type"]) == ("failed", "ZeroDivisionError")


def test_on_a_full_disk_the_end_is_told_by_the_name_of_a_file(tmp_path: Path) -> None:
    script = """
    import resource
    with Experiment("exp", "a", console=False) as exp:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    print("went on")
    """
    done = run(tmp_path, script)
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert done.stderr.count("RecorderWarning") == 1
    assert info_of(tmp_path / "exp")["status"] == "finished"


def test_what_comes_after_the_end_is_refused_and_not_lost_in_silence(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    with exp:
        pass
    with pytest.raises(UsageError, match="has ended"):
        exp.params = {"lr": 1}
    with pytest.raises(UsageError, match="has ended"):
        exp.log_metrics(0, 0, {"loss": 1.0})


@pytest.mark.parametrize("count", [0.25, 1.9, True, float("nan")])
def test_a_part_of_a_step_is_no_step(tmp_path: Path, count: Any) -> None:
    with Experiment(tmp_path, "a") as exp:
        for step, epoch in ((count, 0), (0, count)):
            with pytest.raises(UsageError, match="give a whole number"):
                exp.log_metrics(step, epoch, {"loss": 1.0})
        exp.log_metrics(2.0, 1.0, {"loss": 1.0})  # type: ignore[arg-type]
    assert list(read_metrics(exp.paths.metrics).step) == [2]


def test_arguments_of_another_kind_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExperimentNameError, match="5 is no text"):
        Experiment(tmp_path, 5)  # type: ignore[arg-type]
    with Experiment(tmp_path, "a") as exp:
        with pytest.raises(UsageError, match="by name"):
            exp.log_metrics(0, 0, [1.0])  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="name it otherwise"):
            exp.log_event("said", event=5)
