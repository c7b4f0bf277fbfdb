"""The table of exit codes in the docs: each code is provoked by a command in a process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from reproduce_helpers import PLAIN, SECONDS, record, write

from thexp_pl.record import Experiment

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
COMMAND = (sys.executable, "-m", "thexp_pl")


def table() -> list[int]:
    """Read the codes of the table, from the top."""
    _, _, rows = PAGE.read_text().partition("| Exit code | Meaning |\n|---|---|\n")
    return [int(row.split("|")[1]) for row in rows.partition("\n\n")[0].splitlines()]


def ended(*words: str) -> tuple[int, str]:
    """Type a command, and give its code and what it said on stderr."""
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stderr


def done() -> int:
    return ended("list")[0]


def failed() -> int:
    """Reproduce a run whose script fails when it is run again."""
    fails = "sys.exit(3 if 'THEXP_PL_RERUN' in os.environ else 0)\n"
    write(Path(), {"pyproject.toml": "", "train.py": PLAIN + fails})
    record(Path())
    code, err = ended("reproduce", "@last")
    assert err == "error: the command ended with exit code 3\n"
    return code


def found_a_fault() -> int:
    """Check a root in which a manifest is torn."""
    with Experiment("./experiment", "digits", code=False, console=False) as exp:
        pass
    exp.paths.manifest.write_text("{")
    return ended("gc", "--check")[0]


def not_carried_out() -> int:
    """Name a run that is not there: one line, and nothing is written."""
    code, err = ended("tag", "26-nothing", "best")
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []
    return code


def stopped_by(number: signal.Signals) -> int:
    """Follow a run that goes on, and stop that once it has begun."""
    pipe = subprocess.PIPE
    with Experiment("./experiment", "digits", code=False, console=False):
        command = [*COMMAND, "show", "@last", "--follow"]
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as follower:
            try:
                assert follower.stdout is not None
                assert follower.stdout.readline().startswith("status running")
                follower.send_signal(number)
                return follower.wait(SECONDS)
            finally:
                follower.kill()


PROVOKED: dict[int, tuple[Callable[[], int], ...]] = {
    0: (done,),
    1: (failed, found_a_fault),
    2: (not_carried_out,),
    130: (lambda: stopped_by(signal.SIGINT),),
    143: (lambda: stopped_by(signal.SIGTERM),),
}


@pytest.mark.parametrize("code", table())
def test_a_code_of_the_table_is_what_a_command_ends_with(code: int) -> None:
    assert [provoke() for provoke in PROVOKED[code]] == [code] * len(PROVOKED[code])


def test_no_code_is_missing_in_the_table_and_the_program_says_the_same() -> None:
    import thexp_pl.cli.main as program

    assert table() == list(PROVOKED)
    assert [int(number) for number in re.findall(r"\b\d+\b", program.__doc__ or "")] == table()
