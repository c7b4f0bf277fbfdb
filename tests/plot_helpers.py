"""What `thexp-pl plot` prints, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from thexp_pl.cli.main import main


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    """Give what it writes to stdout and stderr."""
    assert main(["plot", *words]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Give the words of a refusal, which writes nothing."""
    before = sorted(Path.cwd().rglob("*"))
    with pytest.raises(SystemExit) as ending:
        main(["plot", *words])
    assert ending.value.code == 2
    assert sorted(Path.cwd().rglob("*")) == before
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err
