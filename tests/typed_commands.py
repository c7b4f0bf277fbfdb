"""The commands that read and keep records as they are typed, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment


class Typed:
    """Types commands and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        """Type a command that succeeds, and give what it prints."""
        code, out, err = self.ended(*words)
        assert (code, err) == (0, "")
        return out

    def refused(self, *words: str) -> str:
        """Type a command that cannot be carried out, and give its one line."""
        code, out, err = self.ended(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), (code, out, err)
        return err

    def ended(self, *words: str) -> tuple[int | str | None, str, str]:
        """Type a command, and give its exit code, its output and its errors."""
        self._capsys.readouterr()
        code: int | str | None
        try:
            code = main(words)
        except SystemExit as ending:
            code = ending.code
        return code, *self._capsys.readouterr()

    def json(self, *words: str) -> Any:
        """Type a command with ``--json``, and read what it prints."""
        return json.loads(self(*words, "--json"))


@pytest.fixture
def thexp_pl(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Typed:
    """The command line, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Typed(capsys)


def record(name: str = "digits", root: str = "./experiment", **params: Any) -> Experiment:
    """Record a run of two steps."""
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        exp.log_metrics(0, 0, {"loss": 2.5})
        exp.log_metrics(1, 0, {"loss": 0.5, "acc": float("nan")})
    return exp
