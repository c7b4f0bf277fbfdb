"""Running the blocks of a page of the docs as one script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_page(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, and give how it ended and what it said.

    Args:
        script: Its text.
        folder: Where it is written and run.
        **variables: Of its environment, besides those of the test's own.
    """
    (folder / "page.py").write_text(script)
    return subprocess.run(
        [sys.executable, "page.py"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
