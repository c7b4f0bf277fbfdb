"""docs/commands.md says what the parsers know: no more, and no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thexp_pl.cli.dispatch import command_parser

PAGE = (Path(__file__).parents[1] / "docs" / "commands.md").read_text()
TRAINING = ["fit", "validate", "test", "predict"]
COMMANDS = command_parser()[1]
RECORDS = sorted(COMMANDS.keys() - set(TRAINING))


def sections() -> dict[str, str]:
    _, *rest = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(rest[::2], rest[1::2], strict=True))


def flags_told(section: str) -> set[str]:
    """Give the flags in the first column of a section's table."""
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {flag for cell in cells for flag in re.findall(r"`(--?\w[\w.*]*)", cell)}


def test_each_command_has_a_section_in_the_order_of_the_help() -> None:
    assert list(sections()) == [", ".join(TRAINING), *list(COMMANDS)[len(TRAINING) :]]


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_has_just_the_flags_that_the_parser_has(name: str) -> None:
    known = {text for one in COMMANDS[name]._actions for text in one.option_strings}
    assert flags_told(sections()[name]) == known - {"-h", "--help"}


@pytest.mark.parametrize("name", RECORDS)
def test_each_command_prints_its_help_and_so_does_each_below_it(name: str) -> None:
    below = [one for one in COMMANDS[name]._actions if isinstance(one.choices, dict)]
    parsers = [COMMANDS[name], *(each for one in below for each in one.choices.values())]
    for parser in parsers:
        assert parser.format_help().startswith(f"usage: {parser.prog}")


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_names_each_argument(name: str) -> None:
    places = [one for one in COMMANDS[name]._actions if not one.option_strings]
    for place in places:
        words = place.choices or [place.metavar or place.dest]
        assert all(str(word) in sections()[name] for word in words)


def test_the_flags_of_training_are_there() -> None:
    from thexp_pl.cli.training import parsers

    text = parsers([])["fit"].format_help()
    told = flags_told(sections()[", ".join(TRAINING)])
    assert len(told) > 8
    for flag in told - {"--model", "--data"}:  # not beside a facade, which the demo is
        assert flag.rstrip("*") in text
