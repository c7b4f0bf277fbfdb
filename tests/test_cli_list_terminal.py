"""The table of `thexp-pl list` at a terminal: it fits, and a run's own words are only shown."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from thexp_pl.cli.main import main
from thexp_pl.record import Experiment
from thexp_pl.record.names import escaped

Screen = Callable[..., list[str]]
HOSTILE = ["[red]x[/red]", "[/]", "a\x1b[31mb", "\x1b]0;title\x07", "a\rb", "\u202egnp.exe", "a\nb"]


STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Give what types ``thexp-pl list`` at a terminal of some width, and gives its lines."""

    def lines(*words: str, width: int = 80, plain: bool = True) -> list[str]:
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            patch.setenv("TERM", "xterm-256color")  # of a dumb one rich takes 80 columns
            patch.delenv("NO_COLOR", raising=False)
            patch.setattr(sys, "stdout", Terminal())
            assert main(["list", *words]) == 0
            text = sys.stdout.getvalue()  # type: ignore[attr-defined]
        return (STYLE.sub("", text) if plain else text).splitlines()

    return lines


def record_many(count: int, names: Sequence[str] = ("digits",), **changes: Any) -> list[str]:
    """Record a run and copies of it that say something else; give the keys, oldest first."""
    with Experiment("./experiment", names[0], code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 0.5})
    kept = json.loads(exp.paths.manifest.read_text())
    keys = []
    for number in range(count - 1):
        key = f"25-01-{number // 60 + 1:02}-0611{number % 60:02}-q{number:03}"
        name = names[number % len(names)]
        folder = Path("experiment", name, key)
        folder.mkdir(parents=True)
        start = f"2025-01-{number // 60 + 1:02}T06:11:{number % 60:02}+00:00"
        own = {"key": key, "experiment": name, "path": f"{name}/{key}", "start": start}
        own["params"] = {
            "seed": number,
            "optim": {"name": "SGD", "lr": 0.1 * number},
            "id": "x" * 90,
        }
        own["metrics"] = {
            metric: {"last": 0.25, "min": 0.0, "max": 1.0, "mean": 0.5, "count": 4, "nonfinite": 0}
            for metric in ("train/loss", "val/loss", "val/acc", "learning_rate", "epoch_time")
        }
        (folder / "run.json").write_text(json.dumps(kept | own | changes))
        keys.append(key)
    return [*keys, exp.key]


@pytest.mark.parametrize("width", [40, 80, 100, 120, 160, 300])
def test_no_line_is_longer_than_the_terminal(screen: Screen, width: int) -> None:
    record_many(8, ["digits", "手写数字识别_手写数字识别", "mytrainer_lr=0.01_epochs=20_resnet50"])
    assert max(map(cell_len, screen(width=width))) <= width


@pytest.mark.parametrize("width", [80, 120, 160])
def test_keys_and_status_are_whole(screen: Screen, width: int) -> None:
    keys = record_many(12, ["手写数字识别_lr=0.01", "digits"], status="interrupted")
    lines = [line.split() for line in screen(width=width)]
    first = {words[0]: words for words in lines if words and words[0] in keys}
    assert list(first) == keys
    assert all({"interrupted", "finished"} & set(words) for words in first.values())


def test_a_run_takes_three_lines_at_most_and_says_how_many_values_are_left_out(
    screen: Screen,
) -> None:
    record_many(5)
    lines = screen(width=80)
    assert lines[0].split() == ["key", "experiment", "status", "params", "metrics"]
    assert len(lines) <= 1 + 3 * 5
    assert re.search(r"… \d more", "\n".join(lines))
    wide = screen(width=300)
    assert wide[0].split()[3:5] == ["start", "duration"]
    assert len(wide) == 6


def test_the_newest_fifty_are_shown_and_the_last_line_says_how_to_see_the_others(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = record_many(62)
    lines = screen(width=300)
    assert [line.split()[0] for line in lines[1:-1]] == keys[-50:]
    assert lines[-1] == "... and 12 more; --limit 62 shows all"
    assert len(screen("--limit", "62", width=300)) == 63
    assert len(screen("--limit", "7", width=300)) == 8
    assert screen("started < '2026-01-01'", width=300)[-1].startswith("... and 11 more")
    assert main(["list"]) == 0
    assert capsys.readouterr().out.count("\n") == 63  # in a pipe all


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [80, 200])
def test_hostile_names_are_shown_as_text(screen: Screen, name: str, width: int) -> None:
    record_many(3, params={name: name}, command=name)
    for words in ([], ["--columns", "key,params,command,experiment"]):
        lines = screen(*words, width=width)
        assert all(line.isprintable() for line in lines)
        if width == 200:
            assert "\n".join(lines).count(escaped(name)) >= 2


def test_the_status_has_a_colour_where_the_terminal_has_some(screen: Screen) -> None:
    record_many(2, status="failed")
    text = "\n".join(screen(width=160, plain=False))
    assert "\x1b[31mfailed" in text
    assert "\x1b[32mfinished" in text


def test_one_damaged_run_spoils_nothing(screen: Screen) -> None:
    keys = record_many(3)
    next(Path("experiment").glob(f"*/{keys[1]}/run.json")).write_text("{" * 1000)
    text = "\n".join(screen(width=160))
    assert text.count("damaged") == 3  # the last line says how its damage is shown
    assert all(key in text for key in keys)
    assert "run.json cannot be used" in "\n".join(
        screen("status == 'damaged'", "--columns", "key,damage", width=160)
    )
