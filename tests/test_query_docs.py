"""docs/querying.md: every block is run, over runs that have what it speaks of."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.query.names import AGGREGATES, COLUMNS, STATUSES

PAGE = (Path(__file__).parent.parent / "docs" / "querying.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
SCRIPTS = [text for kind, text in BLOCKS if kind == "python" and "import" in text]
QUERIES = [line for kind, text in BLOCKS if kind == "python" and "import" not in text
           for line in text.splitlines()]  # fmt: skip
COMMANDS = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]


@pytest.fixture(autouse=True)
def runs() -> list[str]:
    """Record two runs that have every name on the page; give their keys."""
    keys = []
    for lr in (0.01, 1.0):
        with Experiment("./experiment", "digits", code=False, console=False) as exp:
            optim = {"lr": lr, "name": "SGD"}
            exp.params = {"optim": optim, "odd name": 3, "sizes": [64, 64], "amp": False,
                          "warmup": None, "lr": lr}  # fmt: skip
            exp.log_metrics(0, 0, {"acc": 0.95, "loss": 0.5, "val/acc": 0.95, "val.acc": 0.9})
            exp.log_metrics(1, 0, {"acc": 0.75})
        keys.append(exp.key)
    return keys


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_carried_out(
    command: str, runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    program, *words = shlex.split(command)
    assert program == "thexp-pl"
    assert main(words) == 0
    assert runs[0] in capsys.readouterr().out


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_is_carried_out(query: str) -> None:
    ExperimentViewer().query(query)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_runs(
    script: str, runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    exec(script, {})
    out = capsys.readouterr().out
    assert repr(runs) in out
    assert f"{runs[0]} 0.01 0.95" in out


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("params.optim.lr < 0.1", 1),
        ("metrics.acc > 0.9", 0),
        ("metrics.acc.last < metrics.acc.max", 2),
        ("metrics.val.acc.max == 0.9", 2),
        ("params.warmup != 1", 0),
        ("not params.warmup == 1", 2),
        ("params.warmup == None", 2),
        ("params.sizes == [64, 64] and 64 in params.sizes", 2),
        ("params.amp == 0", 0),
        ("params.amp == False", 2),
        ("metrics.loss != 0.25", 2),
        ("not parent and not tags", 2),
        ("age < '2d' and seconds < '1h'", 2),
        ("started == '2020-02-02'", 0),
    ],
)
def test_a_query_finds_what_the_page_says(query: str, found: int) -> None:
    assert len(ExperimentViewer().query(query)) == found


def test_the_page_names_all_there_is() -> None:
    table = PAGE[PAGE.index("| Name |") :]
    for name in (*COLUMNS, *(f".{one}" for one in AGGREGATES), *STATUSES):
        assert f"`{name}`" in table
