"""Long commands show a bar at a terminal, gone at their end; in a pipe there is nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from progress_helpers import AtTerminal, command, in_pipe, screen
from reproduce_helpers import PLAIN
from reproduce_helpers import record as record_script
from upkeep_helpers import add_checkpoint, change, record, with_code

from thexp_pl.record.paths import RunPaths
from thexp_pl.upkeep import export_runs, remove

HUGE = 1 << 36  # of zeros that take no room; an hour's work

BAR = re.compile("━|╸|╺")


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run with code and a checkpoint."""
    project = tmp_path / "code"
    project.mkdir()
    (project / "train.py").write_text("pass\n")
    paths = with_code(tmp_path / "experiment", project)
    add_checkpoint(paths)
    return paths


Made = Callable[[RunPaths, Path], list[str]]


def reindexed(run: RunPaths, folder: Path) -> list[str]:
    return ["reindex"]


def collected(run: RunPaths, folder: Path) -> list[str]:
    remove([record(run.root)])
    return ["gc", "--older_than", "0s"]


def checked(run: RunPaths, folder: Path) -> list[str]:
    return ["gc", "--check"]


def exported(run: RunPaths, folder: Path) -> list[str]:
    return ["export", run.key, "-o", str(folder / "run.zip")]


def imported(run: RunPaths, folder: Path) -> list[str]:
    export_runs([run], folder / "run.zip")
    return ["import", str(folder / "run.zip"), "--exps_dir", str(folder / "other")]


def purged(run: RunPaths, folder: Path) -> list[str]:
    return ["rm", run.key, "--purge", "--yes"]


def rolled_back(run: RunPaths, folder: Path) -> list[str]:
    return ["rollback", run.key, "--to", str(folder / "back")]


COMMANDS: dict[str, Made] = {
    "reading runs": reindexed,
    "looking for what nothing needs": collected,
    "checking": checked,
    "exporting": exported,
    "importing": imported,
    "deleting": purged,
    "restoring": rolled_back,
}


@pytest.mark.parametrize("text", COMMANDS)
def test_a_bar_is_shown_at_a_terminal_and_nothing_of_it_is_left(
    text: str, run: RunPaths, tmp_path: Path
) -> None:
    process = AtTerminal(command(*COMMANDS[text](run, tmp_path)))
    assert process.ended() == 0, process.written
    assert text in process.written
    assert BAR.search(process.written)
    assert not BAR.search(process.out.decode())
    assert process.out
    assert screen(process.written) == []


@pytest.mark.parametrize("text", COMMANDS)
def test_in_a_pipe_nothing_is_shown(text: str, run: RunPaths, tmp_path: Path) -> None:
    done = in_pipe(command(*COMMANDS[text](run, tmp_path)), TERM="xterm-256color")
    assert (done.returncode, done.stderr) == (0, "")
    assert not BAR.search(done.stdout)


def test_reproducing_and_verifying_show_bars_around_what_the_command_itself_prints(
    tmp_path: Path,
) -> None:
    run = record_printing(tmp_path / "project")
    process = AtTerminal(command("reproduce", run.key, "--verify"), piped=False)
    assert process.ended() == 0, process.written
    for text in ("restoring", "comparing packages and data", "verifying"):
        assert f"{text} " in process.written
    left = screen(process.written)
    assert [line.partition(":")[0] for line in left] == ["code", "its own words", "run", "verify"]
    assert "identical: 10 values of metrics" in left[-1]


def test_verifying_in_a_pipe_shows_no_bar(tmp_path: Path) -> None:
    run = record_printing(tmp_path / "project")
    done = in_pipe(command("reproduce", run.key, "--verify"), TERM="xterm-256color")
    assert (done.returncode, done.stderr) == (0, "")
    assert "identical: 10 values of metrics" in done.stdout
    assert not BAR.search(done.stdout)


def test_what_is_left_at_a_terminal_is_what_a_pipe_gets(run: RunPaths) -> None:
    process = AtTerminal(command("gc", "--check"), piped=False)
    assert process.ended() == 0
    assert screen(process.written) == in_pipe(command("gc", "--check")).stdout.splitlines()
    assert BAR.search(process.written)


def test_json_in_a_pipe_is_whole_while_the_bar_is_at_the_terminal(run: RunPaths) -> None:
    process = AtTerminal(command("gc", "--check", "--json"))
    assert process.ended() == 0
    assert json.loads(process.out)["runs"] == 1
    assert "checking" in process.written
    assert "looking at runs" in process.written  # until it is known how many bytes there are


def test_a_terminal_that_draws_nothing_in_place_gets_no_bar(run: RunPaths) -> None:
    process = AtTerminal(command("gc", "--check"), TERM="dumb")
    assert process.ended() == 0
    assert process.written == ""


def test_no_color_leaves_the_bar_without_colours(run: RunPaths) -> None:
    shown = {}
    for name, variables in {"coloured": {}, "plain": {"NO_COLOR": "1"}}.items():
        process = AtTerminal(command("gc", "--check"), **variables)
        assert process.ended() == 0
        assert "checking" in process.written
        shown[name] = re.findall(r"\x1b\[[0-9;]*(?:3|4)[0-9;]*m", process.written)
    assert shown["coloured"]
    assert shown["plain"] == []


def test_the_bar_tells_how_many_bytes_of_how_many_are_done(run: RunPaths, tmp_path: Path) -> None:
    add_huge_data(run, tmp_path)
    process = AtTerminal(command("gc", "--check"))
    process.wait_for(r"checking .*[MG]B of 68\.7 GB 0:00:")
    process.type_in(b"\x03")
    assert process.ended() == 130


@pytest.mark.parametrize("name", ["gc --check", "export"])
def test_ctrl_c_leaves_a_clean_terminal_and_no_file(
    name: str, run: RunPaths, tmp_path: Path
) -> None:
    target = tmp_path / "zips"
    target.mkdir()
    words = ["gc", "--check"]
    if name == "export":
        words = ["export", run.key, "-o", str(target / "run.zip")]
        with (run.folder / "huge.bin").open("xb") as file:
            file.truncate(HUGE)
    else:
        add_huge_data(run, tmp_path)
    process = AtTerminal(command(*words), piped=False)
    process.wait_for(r"[MG]B of 6")
    process.type_in(b"\x03")
    assert process.ended() == 130
    assert [line.removeprefix("^C") for line in screen(process.written)] == ["interrupted"]
    assert "\x1b[?25l" not in process.written  # the cursor was there all the time
    assert list(target.iterdir()) == []


def record_printing(project: Path) -> RunPaths:
    """Record a script that prints a line of its own."""
    project.mkdir()
    (project / "pyproject.toml").touch()
    (project / "train.py").write_text(f"{PLAIN}\nprint('its own words')\n")
    return record_script(project)


def add_huge_data(run: RunPaths, folder: Path) -> None:
    """Have a run declare data that takes long to hash."""
    data = folder / "huge.bin"
    with data.open("xb") as file:
        file.truncate(HUGE)
    used = {"path": str(data), "kind": "file", "state": "hashed", "bytes": HUGE, "sha256": "0" * 64}
    change(run, uses=[used])
