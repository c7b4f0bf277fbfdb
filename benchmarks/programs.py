"""Programs as users start them: whole processes, with the bytecode that installed packages have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["BEST", "RECENT", "WANTED", "command", "process"]

RECENT = ("list", "--recent", "10000d", "--limit", "20")  # generated runs are of other years
BEST = "metrics.acc.max"
WANTED = (f"{BEST} > 0.9", "--sort", BEST, "--reverse", "--limit", "20")


def process(
    words: Sequence[str | Path], cwd: Path | None = None, **variables: str
) -> Callable[[], object]:
    """Make a call of a program.

    Args:
        words: The program and its arguments.
        cwd: Where it runs.
        variables: Of its environment, beside this process' own.

    Returns:
        What runs it until its end; a RuntimeError says what it printed where it fails.
    """
    environment = {**os.environ, **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def call() -> None:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))} failed:\n{done.stderr}")

    return call


def command(home: Path, *words: str, **variables: str) -> Callable[[], object]:
    """Make a call of ``thexp-pl``, with a home of its own."""
    program = [sys.executable, "-m", "thexp_pl", *words]
    return process(program, home.parent, THEXP_HOME=str(home), **variables)
