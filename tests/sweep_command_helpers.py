"""`thexp-pl sweep` in a process of its own, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 240  # what takes longer hangs


def sweep(*words: str, code: int = 0) -> list[str]:
    """Run a sweep in a process of its own, and give the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "thexp_pl", "sweep", *words], capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def begun(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", "sweep", *words], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def key_of(lines: list[str]) -> str:
    return lines[0].split()[1].rstrip(",")


def manifests(here: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(here.glob("experiment/*/*/run.json"))]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.02)
