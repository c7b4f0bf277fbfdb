"""Every block of docs/from-lightning.md runs, in its order, and leaves the runs it speaks of."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from docs_helpers import run_page

from thexp_pl import ExperimentViewer

PAGE = Path(__file__).parents[1] / "docs" / "from-lightning.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = "import subprocess; subprocess.run({text!r}, shell=True, check=True)\n"


def script_of(page: str, folder: Path) -> str:
    """Write the blocks that name a file to it, and give all others as one script."""
    parts = []
    for language, text in BLOCK.findall(page):
        name = re.match(r"# (\S+\.\w+)\n", text)
        if name:
            (folder / name[1]).write_text(text)
        elif language == "bash":
            parts.append(SHELL.format(text=f"set -e\n{text}"))
        else:
            assert language == "python", f"a block in {language} that no file is named for"
            parts.append(text)
    return "".join(parts)


@pytest.mark.slow
def test_every_block_of_the_page_runs(tmp_path: Path) -> None:
    done = run_page(
        script_of(PAGE.read_text(), tmp_path),
        tmp_path,
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        PYTHONWARNINGS="ignore,default::RuntimeWarning",
    )

    assert done.returncode == 0, done.stderr
    assert "RecorderWarning" not in done.stderr
    runs = ExperimentViewer([tmp_path / "experiment"]).runs()
    names = [
        "rings",
        "beside",
        "callback",
        "meter",
        "longer",
        "several",
        *["from_yaml"] * 2,
        "bare",
    ]
    assert sorted(run.paths.experiment for run in runs) == sorted(names)
    assert {run.status for run in runs} == {"finished"}
    by_name = {run.paths.experiment: run for run in runs}
    assert by_name["longer"].manifest["parent"]["key"] == by_name["rings"].key
    assert by_name["several"].manifest["world_size"] == 2
    assert (by_name["from_yaml"].paths.folder / "config.yaml").is_file()
