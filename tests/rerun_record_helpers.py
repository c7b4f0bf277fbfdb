"""Scripts that record runs, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from thexp_pl.record.folders import run_folders
from thexp_pl.record.rerun import Rerun

SECONDS = 120

# what the scripts have in common
HEAD = """
import json, os, random, signal, subprocess, sys, warnings
from pathlib import Path
from thexp_pl.record import Experiment

def begun(root="runs", name="digits", **options):
    exp = Experiment(root, name, **{"code": False, "console": False, **options})
    exp.start_exp()
    return exp
"""


def call(folder: Path, body: str, told: Rerun | None = None, *words: str) -> tuple[int, str, str]:
    """Run a script in a folder: its exit code, and what it printed on stdout and stderr."""
    folder.mkdir(exist_ok=True)
    script = folder / "script.py"
    script.write_text(HEAD + body)
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    if told is not None:
        environment |= told.write(folder.parent / "rerun.json")
    done = subprocess.run(
        [sys.executable, str(script), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def manifests(root: Path) -> list[dict[str, Any]]:
    """The manifests of a root, by their starts."""
    found = [json.loads(paths.manifest.read_text()) for paths in run_folders(root)]
    return sorted(found, key=lambda manifest: manifest["start"])


def keys(root: Path) -> tuple[str, ...]:
    """The keys of the runs of a root, by their starts."""
    return tuple(manifest["key"] for manifest in manifests(root))
