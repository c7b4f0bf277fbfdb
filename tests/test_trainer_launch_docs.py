"""Every way of docs/multi-device.md to start a training works as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from launch_helpers import environment

from thexp_pl import ExperimentViewer

PAGE = (Path(__file__).parents[1] / "docs" / "multi-device.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [text for language, text in BLOCK.findall(PAGE) if language == "bash"]


def test_the_page_shows_four_ways_that_need_no_cluster() -> None:
    assert [command.split()[0] for command in COMMANDS] == [
        "python",
        "torchrun",
        "python",
        "thexp-pl",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_way_to_start_a_training_records_one_run_on_two_ranks(
    command: str, tmp_path: Path
) -> None:
    (script,) = [text for language, text in BLOCK.findall(PAGE) if language == "python"]
    (tmp_path / "train.py").write_text(script)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    (run,) = ExperimentViewer([tmp_path / "experiment"]).runs()
    assert (run.status, run.manifest["world_size"]) == ("finished", 2)
    assert "distributed_backend" not in done.stderr
