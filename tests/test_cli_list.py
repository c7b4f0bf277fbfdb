"""`thexp-pl list`, as it is typed: which runs, in which order, in which form."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment


class Listing:
    """Types ``thexp-pl list`` and reads what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        assert main(["list", *words]) == 0
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return captured.out

    def refused(self, *words: str) -> str:
        with pytest.raises(SystemExit, match="2"):
            main(["list", *words])
        captured = self._capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return captured.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def csv(self, *words: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self(*words, "--csv"))))

    def keys(self, *words: str) -> list[str]:
        return [run["key"] for run in self.json(*words)]


@pytest.fixture
def listing(capsys: pytest.CaptureFixture[str]) -> Listing:
    return Listing(capsys)


def record(name: str = "digits", *, acc: float = 0.5, ago: float = 0.0, **params: Any) -> str:
    """Record a run that started so many hours ago, and give its key."""
    with Experiment("./experiment", name, code=False, console=False) as exp:
        exp.params = params
        exp.log_metrics(0, 0, {"val/acc": acc})
    if ago:
        start = datetime.now(timezone.utc) - timedelta(hours=ago)
        kept = json.loads(exp.paths.manifest.read_text()) | {"start": start.isoformat()}
        exp.paths.manifest.write_text(json.dumps(kept))
    return exp.key


def test_a_query_chooses_runs(listing: Listing) -> None:
    one, two = record(lr=0.1, acc=0.25), record("手写", lr=0.01, acc=0.75)
    assert listing.keys("params.lr < 0.05") == [two]
    assert listing.keys("metrics['val/acc'].max < 0.5 and status == 'finished'") == [one]
    assert listing.keys("experiment == '手写'") == [two]
    assert [line.split()[0] for line in listing("params.lr > 0.05").splitlines()] == ["key", one]
    assert listing("params.lr > 7") == "No run is like that; `thexp-pl list` shows all.\n"
    assert listing.json("params.lr > 7") == []


def test_a_query_that_cannot_be_meant_is_one_line(listing: Listing) -> None:
    record(lr=0.1)
    assert "did you mean 'lr'?" in listing.refused("params.lrr < 1")
    assert "(at character 1)" in listing.refused("lr < 1")
    assert "lr < 1" not in listing.refused("started > 'x'", "--recent")
    assert "no name 'start'" in listing.refused("--sort", "start")
    assert "did you mean 'val/acc'?" in listing.refused("--sort", "metrics.val_acc")
    assert "is no span of time" in listing.refused("--recent", "often")
    assert "give a number from 1" in listing.refused("--limit", "0")
    assert "--columns is for the table" in listing.refused("--columns", "key", "--json")
    assert "names no column" in listing.refused("--columns", ",")
    assert "no name 'a'" in listing.refused("--columns", "key,a")


def test_runs_are_sorted_by_any_name_and_those_without_it_come_last(listing: Listing) -> None:
    high, none, low = record(acc=0.9, lr=1), record(acc=float("nan")), record(acc=0.1, lr="a")
    assert listing.keys("--sort", "metrics.val/acc.max") == [low, high, none]
    assert listing.keys("--sort", "metrics.val/acc.max", "--reverse") == [high, low, none]
    assert listing.keys("--sort", "params.lr") == [high, low, none]
    assert listing.keys() == listing.keys("--sort", "started") == [high, none, low]
    assert listing.keys("--reverse") == listing.keys("--sort", "age") == [low, none, high]


def test_limit_takes_the_newest_or_the_first_as_sorted(listing: Listing) -> None:
    high, middle, low = record(acc=0.9), record(acc=0.5), record(acc=0.1)
    assert listing.keys("--limit", "2") == [middle, low]
    assert listing.keys("--limit", "2", "--reverse") == [low, middle]
    assert listing.keys("--limit", "2", "--sort", "metrics.val/acc", "--reverse") == [high, middle]


def test_recent_runs_are_those_of_a_day_or_a_given_time(listing: Listing) -> None:
    days, hours, now = record(ago=49), record(ago=3, lr=1), record()
    assert listing.keys("--recent") == [hours, now]
    assert listing.keys("--recent", "90m") == [now]
    assert listing.keys("--recent", "3d") == [days, hours, now]
    assert listing.keys("params.lr == 1", "--recent", "1w") == [hours]
    assert "No run is like that" in listing("--recent", "0s")


def test_json_has_all_that_the_index_knows(listing: Listing, tmp_path: Path) -> None:
    with Experiment("./experiment", "digits", code=False, console=False) as exp:
        exp.params = {"optim": {"lr": 0.1}}
        exp.log_metrics(0, 0, {"loss": float("-inf")})
        exp.tag("paper")
        exp.note("a\x1b[31mb")
    (run,) = listing.json()
    assert list(run) == [
        "key", "status", "experiment", "root", "path", "started", "seconds", "params", "metrics",
        "tags", "notes", "command", "code", "commit", "python", "host", "away", "parent", "sweep",
        "point", "damage",
    ]  # fmt: skip
    assert run["params"] == {"optim": {"lr": 0.1}}
    assert run["metrics"]["loss"]["last"] == "-Infinity"
    assert (run["tags"], run["notes"]) == (["paper"], ["a\x1b[31mb"])
    assert Path(run["path"]) == exp.path.resolve()
    assert datetime.fromisoformat(run["started"]).tzinfo is not None
    assert listing("--json").isascii()


def test_csv_has_a_column_a_parameter_and_a_number_of_a_metric(listing: Listing) -> None:
    record(lr=0.1, amp=True, sizes=[64, 64], text='a,"b"\nc\x1b[31m')
    record(lr=None, acc=float("nan"))
    one, two = listing.csv()
    assert (one["params.lr"], one["params.amp"], one["params.sizes"]) == ("0.1", "true", "[64,64]")
    assert one["params.text"] == 'a,"b"\\nc\\x1b[31m'
    assert (one["metrics.val/acc.last"], one["metrics.val/acc.count"]) == ("0.5", "1")
    assert (two["params.lr"], two["params.amp"], two["metrics.val/acc.last"]) == ("", "", "NaN")
    assert (two["tags"], two["status"]) == ("", "finished")
    assert listing("--csv").count("\n") == 3


def test_columns_are_any_names(listing: Listing) -> None:
    key = record(lr=0.1, **{"odd, name": 3})
    names = ["key", 'params["odd, name"]', "metrics.val/acc.max", "params.lr", "status"]
    words = ("--columns", ",".join(names))
    header, line = listing(*words).splitlines()
    assert re.split("  +", header) == names
    assert line.split() == [key, "3", "0.5", "0.1", "finished"]
    (run,) = listing.csv(*words)
    assert list(run) == names
    assert list(run.values()) == [key, "3", "0.5", "0.1", "finished"]


def test_an_empty_machine_gets_help_and_machines_get_nothing(listing: Listing) -> None:
    assert "`thexp-pl fit` records one" in listing()
    assert "No run is like that" in listing("status == 'failed'")
    assert listing("--csv").splitlines()[0].startswith("key,experiment,status,started")
    assert listing.json() == []


def test_chinese_names_line_up_in_a_pipe(listing: Listing) -> None:
    record("手写数字")
    record("digits")
    header, *lines = listing().splitlines()
    place = len(header[: header.index("status")])
    widths = [len(line) + sum("\u4e00" <= letter <= "\u9fff" for letter in line) for line in lines]
    assert [line.index("finished") for line in lines] == [place - 4, place]
    assert widths[0] == widths[1]
