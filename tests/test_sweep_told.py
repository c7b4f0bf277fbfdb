"""What a sweep says of itself: where the same command meets other code, or nobody who reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from swept_helpers import SCRIPT, finished, points_of, submitted, write

from thexp_pl.record.paths import code_store
from thexp_pl.runs.run import read_runs
from thexp_pl.sweeps.identity import other_code
from thexp_pl.sweeps.submission import held, submit

SECONDS = 240
WAITING = """
import os, time
from pathlib import Path
while not Path(os.environ["GATE"]).exists():
    time.sleep(0.02)
"""


@pytest.fixture(autouse=True)
def project() -> Path:
    folder = Path.cwd()
    write(folder, {"train.py": SCRIPT, "pyproject.toml": ""})
    return folder


def begun(*words: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", "sweep", *words],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_same_command_on_other_code_names_the_sweep_before_and_what_differs(
    project: Path,
) -> None:
    first = submitted("0.1", "0.2")
    assert other_code(first) == ""
    finished(first)
    write(project, {"out\n.txt": "printed", "train.py": SCRIPT + "\n"})
    second = submitted("0.1", "0.2")
    told = f"{first.key} (1 of 2 done) is this command on other code"
    assert other_code(second) == f"{told}: 'out\\n.txt', 'train.py' differ"
    assert other_code(submitted("0.3")) == f"{told}: 'out\\n.txt', 'train.py' differ"
    other_words = ["train.py", "--seed=1"]
    assert other_code(submit("experiment", other_words, ["lr"], points_of("1"), command="")) == ""
    write(project, {f"m{number}.py": "" for number in range(5)})
    assert other_code(submitted("0.1")).endswith("'m0.py', 'm1.py', 'm2.py', 2 more differ")
    finished(second)
    assert other_code(second) == ""  # it was told when it began


def test_code_that_is_gone_and_a_damaged_sweep_are_no_hindrance(project: Path) -> None:
    first = submitted("0.1")
    write(project, {"more.py": ""})
    second = submitted("0.1")
    tree = code_store(first.paths.root) / "objects" / first.tree[:2] / first.tree[2:]
    tree.unlink()
    assert other_code(second) == f"{first.key} (0 of 1 done) is this command on other code"
    first.paths.points.write_text("torn\n")
    assert other_code(second) == ""
    first.paths.manifest.write_text("torn")
    assert other_code(second) == ""


def test_a_script_that_records_no_run_is_told_so_and_new_code_is_noted(project: Path) -> None:
    write(project, {"train.py": "print('hi')"})
    first = begun("train.py", "--lr=1,2")
    printed, said = first.communicate(timeout=SECONDS)
    assert (first.returncode, said) == (1, "")
    reason = "it ended with exit code 0 and recorded no run: let it record an Experiment"
    assert printed.count(f"failed: {reason}; its last line: hi  lr=") == 2
    key = printed.split()[1].rstrip(",")
    write(project, {"out": printed})
    again = begun("train.py", "--lr=1,2")
    _, said = again.communicate(timeout=SECONDS)
    assert said == f"note: {key} (0 of 2 done) is this command on other code: 'out' differs\n"


def test_a_fault_in_what_is_done_with_a_sweep_is_no_fault_of_its_lock() -> None:
    sweep = submitted()
    with pytest.raises(BrokenPipeError) as met, held(sweep):
        raise BrokenPipeError(32, "Broken pipe")
    assert met.type is BrokenPipeError
    with held(sweep):
        pass


def test_a_reader_that_goes_ends_the_sweep_without_a_word_and_the_same_command_goes_on(
    project: Path,
) -> None:
    gate = project.parent / f"{project.name}-gate"
    write(project, {"train.py": WAITING + SCRIPT})
    process = begun("train.py", "--lr=1..4", GATE=str(gate))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("sweep: ")
    assert process.stdout.readline().startswith("point 0 begun")
    process.stdout.close()
    gate.touch()
    with process:
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""
    statuses = [run.status for run in read_runs([project / "experiment"])]
    assert "running" not in statuses
    assert len(statuses) < 4
    again = begun("train.py", "--lr=1..4", GATE=str(gate))
    printed, _ = again.communicate(timeout=SECONDS)
    assert (again.returncode, "sweep: 4 of 4 done\n" in printed) == (0, True)


def test_an_output_that_takes_no_more_is_named(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "thexp_pl", "sweep", "train.py", "--lr=1,2"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )
    said = "error: cannot print: No space left on device; send the output elsewhere\n"
    assert (done.returncode, done.stderr) == (2, said)
