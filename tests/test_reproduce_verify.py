"""What is not as it was is named: numbers that diverge, a package, data; and what cannot be run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from reproduce_helpers import PLAIN, SECONDS, Terminal, last, record, write

from thexp_pl import Experiment, ExperimentViewer, Saver
from thexp_pl.rerun import verify
from thexp_pl.runs import Run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, {"pyproject.toml": "", "train.py": PLAIN})
    return folder


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


# -- what differs ----------------------------------------------------------------------------------


def test_planted_nondeterminism_is_named_with_step_metric_and_both_values(
    project: Path, type_in: Terminal
) -> None:
    noise = "random.random() + (step == 3) * int.from_bytes(os.urandom(8), 'big')"
    write(project, {"train.py": PLAIN.replace("random.random()", noise)})
    run = record(project)
    assert type_in("reproduce", run.key, "--verify") == 1
    values = [
        value for each in (run, last(project)) for step, _, value in rows(each, "loss") if step == 3
    ]
    expected = f"diverged: loss at step 3, epoch 1 was {values[0]!r} and is {values[1]!r}"
    assert type_in.said("verify") == [expected]
    assert type_in("reproduce", run.key, "--verify", "--ignore", "l*s", "other") == 0
    assert type_in.said("verify") == ["identical: 5 values of metrics, no weights"]


def rows(run: Run, name: str) -> list[tuple[int | None, int | None, float]]:
    from thexp_pl.record.metrics import read_metrics

    found = read_metrics(run.paths.metrics).rows()
    return [(step, epoch, value) for step, epoch, _, other, value in found if other == name]


def test_a_changed_package_is_named_and_strict_runs_nothing(
    project: Path, type_in: Terminal
) -> None:
    run = record(project)
    text = run.paths.manifest.read_text()
    assert '"rich": "' in text
    changed = text.replace('"rich": "', '"rich": "0.').replace('"torch": "', '"not-here": "')
    run.paths.manifest.write_text(changed.replace('"python": "3', '"python": "2'))
    assert type_in("reproduce", run.key, "--verify") == 0
    told = type_in.said("differs")
    rich, version = run.manifest["packages"]["rich"], run.manifest["python"]
    assert f"package rich: 0.{rich} then, {rich} now" in told
    assert f"python version: 2{version[1:]} then, {version} now" in told
    assert any(line.startswith("package not-here:") for line in told)
    assert any(line.startswith("package torch: not installed then") for line in told)
    assert len(told) == 4
    count = len(ExperimentViewer([project / "experiment"]).list())
    assert "4 of Python, packages and data" in refused(type_in, run, "--strict")
    assert len(ExperimentViewer([project / "experiment"]).list()) == count


def refused(type_in: Terminal, run: Run, *words: str) -> str:
    assert type_in("reproduce", run.key, *words) == 2
    return type_in.err


@pytest.mark.parametrize(
    ("change", "now"),
    [
        (lambda data: data.write_text("2"), "1 bytes, sha256 d4735e3a265e now"),
        (lambda data: data.write_text("1\n\n"), "3 bytes, sha256"),
        (lambda data: data.unlink(), "not there now"),
    ],
    ids=["other bytes", "another size", "gone"],
)
@pytest.mark.parametrize("place", ["data/x.csv", "../outside.csv", "kept.py"])
def test_a_changed_data_file_is_named(
    change, now: str, place: str, project: Path, type_in: Terminal
) -> None:
    uses = f"    exp.uses({place!r})\n"
    write(project, {"train.py": PLAIN + uses, ".gitignore": "data\n", place: "1"})
    run = record(project)
    assert type_in("reproduce", run.key) == 0
    assert type_in.said("differs") == []
    change(project / place)
    code = type_in("reproduce", run.key)
    told = type_in.said("differs")
    if place == "kept.py":  # it is part of the snapshot: the recorded one is used
        assert (code, told) == (0, [])
    else:
        (line,) = told
        assert line.startswith("data ")
        assert "1 bytes, sha256 6b86b273ff34 then, " in line
        assert now in line


def test_a_folder_of_data_in_the_project_is_linked_and_checked(
    project: Path, type_in: Terminal
) -> None:
    reads = "    exp.uses('data')\n    open('data/made', 'w').write(open('data/in/x').read())\n"
    write(project, {"train.py": PLAIN + reads, ".gitignore": "data/\n", "data/in/x": "1"})
    run = record(project)
    (project / "data" / "made").unlink()
    assert type_in("reproduce", run.key) == 0
    assert not (project / "data" / "made").exists()  # what the run writes stays in its folder
    assert last(project).manifest["code"]["tree"] == run.manifest["code"]["tree"]


# -- weights ---------------------------------------------------------------------------------------


def saved(root: Path, weights: torch.Tensor, metrics: dict[str, float] | None = None) -> Run:
    with Experiment(root, "a", code=False, console=False) as exp:
        if metrics:
            exp.log_metrics(0, 0, metrics)
        saver = Saver(exp.hold_exp_part("modules", []))
        saver.save_checkpoint(1, {"state_dict": {"old": torch.zeros(2)}})
        saver.save_checkpoint(2, {"state_dict": {"fc": weights, "b": torch.ones(2)}, "x": 1})
    return ExperimentViewer([root]).run(exp.key)


def test_weights_are_compared_to_the_bit(tmp_path: Path) -> None:
    one = torch.tensor([1.0, float("nan"), 0.0])
    same = verify(saved(tmp_path, one), saved(tmp_path, one.clone()))
    assert (same.identical, same.tensors, same.values) == (True, 2, 0)
    assert str(same) == (
        "identical: 0 values of metrics, 2 tensors and 1 other values of modules/0000002.ckpt"
    )

    for other in (torch.tensor([1.0, float("nan"), -0.0]), torch.tensor([1.5, 0.0, 0.0])):
        verdict = verify(saved(tmp_path, one), saved(tmp_path, other))
        assert not verdict.identical
        told = "differ in 1 of 2 tensors, first in state_dict.fc of modules/0000002.ckpt ("
        assert told in verdict.weights
    verdict = verify(saved(tmp_path, one.nan_to_num(0)), saved(tmp_path, torch.tensor([3.5, 0, 0])))
    assert "the largest difference is 2.5" in verdict.weights
    verdict = verify(saved(tmp_path, one), saved(tmp_path, one.double()))
    assert "torch.float32 [3] then, torch.float64 [3] now" in verdict.weights


def test_weights_of_one_run_alone_or_damaged_ones_are_not_identical(tmp_path: Path) -> None:
    one, other = (saved(tmp_path, torch.ones(3), {"loss": 1.0}) for _ in range(2))
    path = other.paths.folder / "modules" / "0000002.ckpt"
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    assert "cannot be compared" in verify(one, other).weights
    with Experiment(tmp_path, "a", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 1.0})
    bare = ExperimentViewer([tmp_path]).run(exp.key)
    assert f"{bare.key} has kept none" in verify(one, bare).weights


def test_one_run_that_recorded_more_diverges_and_none_is_nothing_to_compare(tmp_path: Path) -> None:
    runs = []
    for steps in (0, 2, 3):
        with Experiment(tmp_path, "a", code=False, console=False) as exp:
            for step in range(steps):
                exp.log_metrics(step, None, {"loss": 1.0})
        runs.append(ExperimentViewer([tmp_path]).run(exp.key))
    none, two, three = runs
    assert "loss at step 2, epoch None is recorded by one run alone" in verify(two, three).metrics
    assert verify(three, two).values == 2
    verdict = verify(none, none)
    assert not verdict.identical
    assert str(verdict) == "nothing to compare: neither run has metrics or weights"


# -- what cannot be run ----------------------------------------------------------------------------


def test_a_secret_argument_is_refused_by_name_and_the_folder_is_there(
    project: Path, type_in: Terminal
) -> None:
    run = record(project, "train.py", "--api_key", "hunter2hunter2")
    told = refused(type_in, run)
    assert "its argument '--api_key <redacted>' was a secret" in told
    assert "hunter2" not in told
    assert type_in("reproduce", run.key, "--dry_run") == 0
    assert "warning: the command cannot be run as it is" in type_in.err
    assert "'<redacted>'" in type_in.said("command")[0]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("python -m ipykernel_launcher -f kernel.json", "was recorded in a notebook"),
        ("python", "was recorded at a prompt"),
        ("python -i", "was recorded at a prompt"),
        ("python -", "from a pipe"),
        ("", "names no command"),
        ("python 'train.py", "names no command"),
    ],
)
def test_what_no_command_starts_is_refused_and_leaves_nothing(
    command: str, told: str, project: Path, type_in: Terminal
) -> None:
    run = record(project)
    recorded = '"command": "' + run.manifest["command"]
    text = run.paths.manifest.read_text()
    assert recorded in text
    run.paths.manifest.write_text(text.replace(recorded, f'"command": "{command}'))
    assert told in type_in.refused("reproduce", run.key)
    assert list(project.glob("experiment/.thexp/reproduced/*")) == []


def test_a_run_of_a_launcher_is_refused_with_the_way_to_start_it(
    project: Path, type_in: Terminal
) -> None:
    run = record(project, env={"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "2"})
    told = refused(type_in, run)
    assert "a launcher started it (TORCHELASTIC_RUN_ID was set)" in told
    assert "--dry_run" in told


def test_a_damaged_run_is_refused(project: Path, type_in: Terminal) -> None:
    run = record(project)
    run.paths.manifest.write_text("{")
    assert "cannot be done again: run.json" in type_in.refused("reproduce", run.key)


# -- signals ---------------------------------------------------------------------------------------

WAITS = """
    try:
        print("ready", flush=True)
        __import__("time").sleep(60 if 'AGAIN' in os.environ else 0)
    except KeyboardInterrupt:
        print("told", flush=True)
        raise
"""


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", -signal.SIGTERM)])
def test_a_signal_reaches_the_run_which_ends_first(number: str, code: int, project: Path) -> None:
    write(project, {"train.py": PLAIN + WAITS})
    run = record(project)
    command = [sys.executable, "-m", "thexp_pl", "reproduce", run.key]
    process = subprocess.Popen(
        command,
        env={**os.environ, "AGAIN": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            process.send_signal(getattr(signal, number))
            break
    rest, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == code, rest
    assert ("told\n" in rest) == (number == "SIGINT")
    assert last(project).status == "interrupted"
