"""The benchmarks run and state sane figures; how fast they are is not asserted."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import NAMES

# together less than a minute of one core, in two processes; each other one is a slow test
SMOKE = (
    ("disk", "meter", "metrics", "reading", "rnd", "snapshot_disk"),
    ("loader", "page_size", "saver", "snapshot", "startup"),
)
OTHERS = sorted({*NAMES}.difference(*SMOKE))
# by cases of our own
NEEDED = {"a CUDA device", "pandas", "a team's index: no PostgreSQL server is installed"}
SECONDS = 120  # that no call takes, on any machine
FOLDER = Path(__file__).parents[1]


def run(*words: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(FOLDER)},  # of a copy, the package itself
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def assert_sane(report: dict[str, Any]) -> None:
    values, absent = report["values"], report["absent"]
    assert values or absent
    assert all(report[told] for told in ("title", "unit", "why", "where", "date"))
    assert 0 <= report["noise"] < math.inf
    for case, rounds in values.items():
        assert rounds, case
        assert all(0 <= value < math.inf for value in rounds), (case, rounds)
        assert report["unit"] != "s" or min(rounds) > 0 or "nothing" in case, (case, rounds)
    for goal in report["goals"]:
        missing = {goal["case"], goal["against"]} - {*values}
        if missing:  # a peer that is not installed has no figure, never a zero
            assert absent, f"{missing} not measured, and no peer is absent"
            assert goal["case"] not in missing or NEEDED & {*absent}, missing
            assert goal["figure"] is None
        else:
            median, low, high = goal["figure"]
            assert -math.inf < low <= median <= high < math.inf
    for growth in report["growths"]:
        if len(growth["cases"]) == 1:  # quickly only one size is measured
            continue
        missing = {*growth["cases"].values()} - {*values}
        assert not missing or absent, f"{missing} not measured, and no peer is absent"
        assert missing or math.isfinite(growth["exponent"])


def assert_all_sane(*names: str) -> None:
    done = run("--quick", "--json", *names)
    assert done.returncode == 0, done.stderr
    reports = json.loads(done.stdout)
    assert list(reports) == [*names]
    for report in reports.values():
        assert_sane(report)


@pytest.mark.parametrize("names", SMOKE, ids=["small", "with processes"])
def test_quick_benchmarks_state_sane_figures(names):
    assert_all_sane(*names)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_benchmark_states_sane_figures(name):
    assert_all_sane(name)


def test_every_benchmark_file_has_a_name():
    assert {f"bench_{name}.py" for name in NAMES} == {
        path.name for path in (FOLDER / "benchmarks").glob("bench_*.py")
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["metre"], ["metre", "meter"]),
        (["meter", "--write", "--quick"], ["--write", "--quick"]),
        (["meter", "--json", "--write"], ["--json", "--write"]),
        (["--repeats", "0"], ["--repeats 0"]),
        (["--repeats", "many"], ["--repeats", "many"]),
    ],
)
def test_a_mistake_is_refused_in_one_line(words, told):
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in told)


def test_the_benchmark_of_the_docs_is_found_kept_and_refused_where_the_kept_are_spoilt(tmp_path):
    shutil.copytree(FOLDER / "benchmarks", tmp_path / "benchmarks")
    kept = tmp_path / "benchmarks" / "results.json"
    kept.unlink(missing_ok=True)
    text = (FOLDER / "docs" / "benchmarks.md").read_text("utf-8")
    script = text.partition("```python\n")[2].partition("```")[0]
    (kept.parent / "bench_json.py").write_text(script, "utf-8")
    words = ("json", "--repeats", "1", "--write")
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_sane(json.loads(kept.read_text("utf-8"))["json"])
    assert "## JSON" in (kept.parent / "RESULTS.md").read_text("utf-8")
    kept.write_text("{", "utf-8")
    refused = run(*words, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "delete it" in refused.stderr
    assert kept.read_text("utf-8") == "{"
