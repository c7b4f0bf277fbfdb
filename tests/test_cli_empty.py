"""What every command says on a machine where nothing has been recorded yet."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from typed_commands import Typed, thexp_pl

from thexp_pl.cli.dispatch import command_parser

__all__ = ["thexp_pl"]

TRAINING = {"fit", "validate", "test", "predict", "sweep"}  # they record the first run
WITHOUT_RUNS = {"init", "config", "completion", "ui"}  # `ui` waits for runs, and shows that
COMMANDS = command_parser()[1]
ABOUT_RUNS = sorted(COMMANDS.keys() - TRAINING - WITHOUT_RUNS)
FILES = {"plot": "file.svg", "report": "file.html"}
WORDS = ("@last", "26-11-22", "status == 'finished'")


def positionals(name: str) -> list[argparse.Action]:
    return [one for one in COMMANDS[name]._actions if not one.option_strings and one.dest != "help"]


def value(name: str, action: argparse.Action, word: str) -> str:
    """Give what is typed in the place of an argument: for what means runs, the word."""
    text = f"{action.metavar or action.dest}".upper()
    if "FILE" in text:
        return FILES.get(name, "file.zip")
    return WORDS[-1] if text == "QUERY" else word


def typed(name: str, word: str) -> list[str]:
    """Type a command with all that it must have."""
    actions = COMMANDS[name]._actions
    flags = [one for one in actions if one.option_strings and one.required]
    given = [text for one in flags for text in (one.option_strings[-1], value(name, one, word))]
    places = [one for one in positionals(name) if one.nargs not in ("?", "*")]
    return [name, *given, *(value(name, one, word) for one in places)]


def optional(name: str, word: str) -> list[str]:
    """Type what a command may have besides."""
    return [value(name, one, word) for one in positionals(name) if one.nargs in ("?", "*")]


def forms(name: str) -> list[list[str]]:
    known = {text for one in COMMANDS[name]._actions for text in one.option_strings}
    return [[], *([form] for form in ("--json", "--csv") if form in known)]


def test_all_commands_of_the_family_are_there() -> None:
    named = "list show diff compare stats reproduce rollback resume tag rm gc export import reindex"
    assert set(named.split()) <= set(ABOUT_RUNS)


@pytest.mark.parametrize("name", ABOUT_RUNS)
def test_with_no_runs_each_command_says_so_in_one_line(
    thexp_pl: Typed, tmp_path: Path, own_home: Path, name: str
) -> None:
    for word in WORDS:
        for command in (typed(name, word), [*typed(name, word), *optional(name, word)]):
            for form in forms(name):
                code, out, err = thexp_pl.ended(*command, *form)
                told = f"{command} {form}: {out}{err}"
                assert code in (0, 2), told
                assert list(tmp_path.iterdir()) == [], told
                if form == ["--json"] and code == 0:
                    json.loads(out)
                    continue
                assert (out + err).count("\n") == 1, told
                assert err.startswith("error: ") if code else not err, told
                # what to do: nothing is there to be shown, or what has to be named first
                assert form or any(hint in out + err for hint in ("run", "`thexp-pl ")), told


@pytest.mark.parametrize("name", ABOUT_RUNS)
def test_a_root_that_is_not_there_is_named(thexp_pl: Typed, name: str) -> None:
    known = {text for one in COMMANDS[name]._actions for text in one.option_strings}
    if "--exps_dir" in known and name != "import":  # which reads its file first
        words = typed(name, "@last")
        refusals = [
            thexp_pl.refused(*words, *more, "--exps_dir", "nowhere")
            for more in ([], optional(name, "@last"))
        ]
        assert any("nowhere" in refusal for refusal in refusals)


def test_config_and_init_work_without_runs(thexp_pl: Typed, tmp_path: Path) -> None:
    assert thexp_pl("config", "-l") == ""
    assert thexp_pl("init").count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [".thexp"]
