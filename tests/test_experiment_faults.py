"""What goes wrong while recording stays out of the run's way."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.errors import UsageError
from thexp_pl.record import Experiment, read_metrics
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.runs import ExperimentViewer


def info_of(root: Path) -> dict[str, Any]:
    """What is known of the one run under a root."""
    return ExperimentViewer(roots=[root]).exp_info("@last")


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that records under ``folder/exp``."""
    path = folder / "script.py"
    path.write_text("from thexp_pl import Experiment\n" + textwrap.dedent(script))
    return subprocess.run([sys.executable, str(path)], cwd=folder, capture_output=True, text=True)


def test_a_fault_of_the_recorder_is_one_warning_and_the_run_goes_on(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import shutil
        exp = Experiment("./exp", "a")
        exp.start_exp()
        shutil.rmtree("exp")
        exp.log_metrics(0, 0, {"loss": 1.0})
        exp.log_event("checkpoint", path="x")
        exp.log_event("checkpoint", path="y")
        exp.params = {"lr": 1}
        exp.note("n")
        exp.end_exp()
        print("went on")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert done.stderr.count("RecorderWarning: the run of 'a' is not recorded in full") == 1
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_during_the_run_is_one_warning(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import resource
        exp = Experiment("./exp", "a")
        exp.start_exp()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        for step in range(5000):
            exp.log_metrics(step, 0, {"loss": 1.0})
        exp.end_exp()
        print("went on")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert done.stderr.count("RecorderWarning") == 1


def test_an_unwritable_home_is_one_warning_and_the_run_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "file"))
    exp = Experiment(tmp_path / "exp", "a")
    with pytest.warns(RecorderWarning, match="Not a directory"):
        exp.start_exp()
    exp.end_exp()
    assert info_of(tmp_path / "exp")["status"] == "finished"


def test_a_listener_that_fails_does_not_keep_the_run_from_ending(tmp_path: Path) -> None:
    def listener(path: Path, mode: str) -> None:
        raise UsageError("the listener's own fault")

    exp = Experiment(tmp_path, "a")
    exp.start_exp()
    exp.add_event_listener(listener, [".txt"])
    (exp.hold_exp_part("log", [".txt"]) / "a.txt").write_text("")
    with pytest.warns(RecorderWarning, match=r"the listener's own fault"):
        exp.end_exp()
    assert info_of(tmp_path)["status"] == "finished"
    assert "log/a.txt" in ExperimentViewer(roots=[tmp_path]).backtracking("a.txt")[exp.key]


@pytest.mark.parametrize(
    "text",
    [
        '{"tags": ["kept"], "notes": [',
        '{"tags": "kept", "notes": []}',
        '{"tags": ["kept", 1], "notes": []}',
        '["kept"]',
        '{"tags": ["kept"], "notes": ["a note without its time"]}',
    ],
)
def test_damaged_notes_are_left_as_they_are_with_one_warning(tmp_path: Path, text: str) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.tag("kept")
    exp.paths.notes.write_text(text)
    with pytest.warns(RecorderWarning, match=r"notes\.json' is damaged.*mend it"):
        exp.tag("new")
    exp.note("new")  # a second warning would be an error
    assert exp.paths.notes.read_text() == text


def test_notes_that_could_not_be_read_again_are_not_written(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.tag("kept")
    before = exp.paths.notes.read_bytes()
    with pytest.warns(RecorderWarning, match="would be larger"):
        exp.note("a " * (9 << 20))
    assert exp.paths.notes.read_bytes() == before


def test_what_someone_added_to_the_notes_by_hand_stays(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.tag("kept")
    kept = json.loads(exp.paths.notes.read_text())
    exp.paths.notes.write_text(json.dumps(kept | {"stars": 5}))
    exp.tag("new")
    assert json.loads(exp.paths.notes.read_text()) == kept | {"tags": ["kept", "new"], "stars": 5}


def test_a_trifle_does_not_hide_a_fault_of_another_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "file"))
    exp = Experiment(tmp_path / "exp", "a")
    with pytest.warns(RecorderWarning, match="Not a directory"):
        exp.start_exp()
    with pytest.warns(RecorderWarning, match="TypeError"):
        exp.keycode(len)
    exp.keycode(max)  # a second warning would be an error
    shutil.rmtree(exp.path)
    with pytest.warns(RecorderWarning, match="No such file"):
        exp.log_event("a")
    exp.end_exp()


HUGE = 10**5000  # more digits than Python prints


class Unprintable:
    """A value that raises whatever is done with it."""

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "value",
    [HUGE, 10**400, 1j, None, "x\ny", Unprintable()],
    ids=lambda value: type(value).__name__,
)
def test_a_metric_that_is_no_number_is_refused_and_the_rows_that_wait_stay(
    tmp_path: Path, value: Any
) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.log_metrics(0, 0, {"loss": 1.0})
        with pytest.raises(UsageError, match=r"the metric 'x' is .*give a number") as caught:
            exp.log_metrics(1, 0, {"loss": 2.0, "x": value})
        assert "\n" not in str(caught.value)
    assert read_metrics(exp.paths.metrics).value == [1.0]
    assert exp.metrics["loss"]["count"] == 1


@pytest.mark.parametrize(
    "step",
    [HUGE, 2**63, float("nan"), float("inf"), "x", Unprintable()],
    ids=lambda value: type(value).__name__,
)
def test_a_step_that_is_no_number_is_refused_and_the_rows_that_wait_stay(
    tmp_path: Path, step: Any
) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.log_metrics(0, 0, {"loss": 1.0})
        with pytest.raises(UsageError, match=r"the step is .*give a whole number"):
            exp.log_metrics(step, 0, {"loss": 2.0})
        with pytest.raises(UsageError, match=r"the epoch is .*give a whole number"):
            exp.log_metrics(0, step, {"loss": 2.0})
        exp.log_metrics(2**63 - 1, None, {"loss": 3.0})
    columns = read_metrics(exp.paths.metrics)
    assert (columns.step, columns.value) == ([0, 2**63 - 1], [1.0, 3.0])


def test_a_tensor_that_holds_no_real_number_is_refused(tmp_path: Path) -> None:
    import torch

    with Experiment(tmp_path, "a") as exp:
        for value in (torch.tensor(1j), torch.empty((), device="meta"), torch.zeros(2)):
            with pytest.raises(UsageError, match=r"the metric 'x' is .*a Tensor"):
                exp.log_metrics(0, 0, {"x": value})
        exp.log_metrics(torch.tensor(3), 0, {"x": torch.tensor(0.5)})
    assert read_metrics(exp.paths.metrics).step == [3]


def test_parameters_and_messages_that_are_too_large_are_cut_with_a_note(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    exp.params = {
        "lr": 0.1,
        "text": "a" * (2 << 20),
        "list": list(range(500_000)),
        "many": {str(i): i for i in range(300_000)},
        "last": "kept",
    }
    message = "first words" + "b" * (5 << 20) + "last words"
    with pytest.raises(RuntimeError), exp:
        raise RuntimeError(message)
    info = info_of(tmp_path)
    assert info["status"] == "failed"
    assert (info["params"]["lr"], info["params"]["last"]) == (0.1, "kept")
    assert "characters left out" in info["params"]["text"]
    assert "left out" in info["params"]["list"]
    assert "left out" in info["params"]["many"]
    assert re.fullmatch(r"first words.*characters left out.*last words", info["cause"]["message"])
    assert exp.paths.traceback.stat().st_size < 2 << 20


def test_more_parameters_than_a_manifest_holds_are_counted(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.params = {f"parameter {i:0100}": i for i in range(60_000)}
    params = info_of(tmp_path)["params"]
    assert params[f"parameter {0:0100}"] == 0
    left_out = int(params["…"].split()[0].replace(",", ""))
    assert len(params) - 1 + left_out == 60_000


def test_a_part_may_be_named_by_a_path(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        assert exp.hold_exp_part(Path("log")) == exp.path / "log"
        with pytest.raises(UsageError, match="inside the run"):
            exp.hold_exp_part(Path("../log"))
