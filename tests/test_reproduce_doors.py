"""A training that came through the command line is reproduced to the bit, and looks so."""

from __future__ import annotations

from pathlib import Path

import pytest
from reproduce_helpers import Terminal
from reproduce_trainings import history, run_of, trained


@pytest.mark.slow
def test_a_fit_of_the_command_line_is_reproduced_with_the_recorded_module(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project,) = trained(tmp_path, ("fit", ""))
    run = run_of(project)
    (project / "parts.py").write_text("raise SystemExit('this is not the recorded code')")
    type_in = Terminal(capfd)

    assert type_in("reproduce", run.key, "--verify") == 0, type_in.out + type_in.err

    again = run_of(project)
    assert history(again) == history(run)
    assert type_in.said("differs") == []
    assert type_in.said("verify")[0].startswith(f"identical: {len(history(run))} values")
    assert again.paths.config.read_text() == run.paths.config.read_text()
