"""What the user gave: the words of the command line, the YAML files they name, the environment.

Read before there is a parser: a Params class can become flags only once it is known, and a flag
names it. Every setting also knows where it stands, so that a complaint can say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thexp_pl.cli.yamlfile import entries_of_file, entries_of_text
from thexp_pl.errors import UsageError

__all__ = ["SUBCOMMANDS", "Given", "Setting", "Word", "given_as", "given_by", "grouped"]

SUBCOMMANDS = ("fit", "validate", "test", "predict")
_SWITCHES = frozenset({"help", "print_config", "allow_new"})  # never followed by a value
_YAML = (".yaml", ".yml", ".json")


@dataclass
class Word:
    """One flag as it was typed, or a word that is none.

    Args:
        typed: The words, such as ``["--epoch", "3"]``.
        name: The flag's name, or an empty text.
        value: Its text; None for a flag that stands alone.
    """

    typed: list[str]
    name: str = ""
    value: str | None = None


@dataclass(frozen=True)
class Setting:
    """One value that was given; after a mapping come the values in it, each by itself.

    Args:
        name: The flag, dotted and without dashes; of a variable in small letters.
        value: A text from a word or a variable; from a file what YAML makes of it.
        place: How a message calls it: ``--epoch``, ``PL_FIT__EPOCH``, ``a.yaml, line 3: epoch``.
        word: Where it comes from, if from the words.
        is_variable: It comes from the environment.
    """

    name: str
    value: Any
    place: str
    word: Word | None = None
    is_variable: bool = False


@dataclass
class Given:
    """All that was given, in the order of precedence.

    Args:
        words: What the words say; changing one changes what the parser gets.
        subcommand: ``fit`` or one of its kin; None where there are none.
        settings: The settings; a later one wins.
    """

    words: list[Word]
    subcommand: str | None
    settings: list[Setting] = field(default_factory=list)

    def find(self, name: str) -> Setting | None:
        """Give the setting of a flag that wins, or None.

        Args:
            name: The flag, dotted.
        """
        variable = self.variable(name)
        return next(
            (
                one
                for one in reversed(self.settings)
                if one.place == variable or (one.name == name and not one.is_variable)
            ),
            None,
        )

    def text(self, name: str) -> str | None:
        """Give the value of a flag as text, or None; of a class its path.

        Args:
            name: The flag, such as ``model``.
        """
        found = [one for one in (self.find(name), self.find(f"{name}.class_path")) if one]
        values = [one.value for one in sorted(found, key=self.settings.index)]
        texts = [str(one) for one in values if one is not None and not isinstance(one, Mapping)]
        return texts[-1] if texts else None

    def variable(self, name: str) -> str:
        """Give the environment variable of a flag."""
        return _prefix(self.subcommand) + name.replace(".", "__").upper()

    def retyped(self) -> list[str]:
        """Give the words for the parser."""
        return [text for word in self.words for text in word.typed]


def given_by(words: Iterable[str]) -> Given:
    """Read what was given.

    Args:
        words: The words after the program's name.

    Raises:
        UsageError: If a YAML file is missing, unreadable or no mapping of names.
    """
    typed = list(grouped(words))
    plain = [word.typed[0] for word in typed if not word.name]
    subcommand = next((word for word in plain if word in SUBCOMMANDS), None)
    given = Given(typed, subcommand)
    given.settings += _from_environment(subcommand)
    is_main = subcommand is not None  # a file named before the subcommand has sections
    for word in typed:
        if word.typed[0] == subcommand:
            is_main = False
        elif word.name == "config":
            if word.value is not None:
                given.settings += _from_config(word.value, subcommand if is_main else None)
        elif word.name:
            given.settings += _from_word(word)
    return given


def grouped(words: Iterable[str]) -> Iterator[Word]:
    """Put flags and their values together.

    Args:
        words: The words of a training command.

    Yields:
        Each flag with its value, and each word that is none.
    """
    words = list(words)
    while words:
        word = words.pop(0)
        if word.startswith("-c"):
            name, text = "config", word[2:].removeprefix("=")
            has_text = bool(text)
        elif word.startswith("--") and len(word) > 2:
            name, equals, text = word[2:].partition("=")
            name, has_text = name.removesuffix("+"), bool(equals)
        else:
            yield Word([word])
            continue
        if has_text:
            yield Word([word], name, text)
        elif name in _SWITCHES or not words or words[0].startswith("--"):
            yield Word([word], name)
        else:
            following = words.pop(0)
            yield Word([word, following], name, following)


def _from_word(word: Word) -> Iterator[Setting]:
    yield Setting(word.name, word.value, f"--{word.name}", word)
    yield from _from_own_file(word.name, word.value, Path())


def _from_own_file(name: str, value: Any, folder: Path) -> Iterator[Setting]:
    """Open what may be a class or a group with a file of its own: ``--trainer=trainer.yaml``."""
    path = folder / value if isinstance(value, str) and value.endswith(_YAML) else None
    if path is not None and path.is_file():
        with suppress(UsageError):  # perhaps a mere text; the parser knows
            for entry in entries_of_file(path):
                yield Setting(f"{name}.{entry.name}", entry.value, entry.place)


def _from_config(value: str, section: str | None) -> Iterator[Setting]:
    path = Path(value)
    if value.lstrip().startswith("{"):
        entries = entries_of_text(value, "--config")
    elif not path.exists():
        raise UsageError(f"--config: there is no file {value!r}")
    else:
        entries = entries_of_file(path)
    head = "" if section is None else f"{section}."
    for entry in entries:
        if entry.name.startswith(head):
            name = entry.name.removeprefix(head)
            yield Setting(name, entry.value, entry.place)
            yield from _from_own_file(name, entry.value, path.parent)


def _from_environment(subcommand: str | None) -> Iterator[Setting]:
    start = _prefix(subcommand)
    if subcommand is not None and os.environ.get("PL_CONFIG"):
        yield from _from_config(os.environ["PL_CONFIG"], subcommand)
    if os.environ.get(f"{start}CONFIG"):
        yield from _from_config(os.environ[f"{start}CONFIG"], None)
    for variable, text in os.environ.items():
        if variable.startswith(start) and variable != f"{start}CONFIG":
            name = variable.removeprefix(start).replace("__", ".").lower()
            yield Setting(name, text, variable, is_variable=True)


def _prefix(subcommand: str | None) -> str:
    return "PL_" if subcommand is None else f"PL_{subcommand.upper()}__"


def given_as(settings: Mapping[str, Any]) -> Given:
    """Take what a script gives as a dict or a Namespace in place of words.

    Args:
        settings: The configuration, the subcommand's settings below its name.
    """
    subcommand = settings.get("subcommand")
    inner = settings.get(subcommand, {}) if subcommand else settings
    flat = _flat(dict(inner.items()))
    return Given([], subcommand, [Setting(name, value, name) for name, value in flat])


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        yield f"{above}{name}", value
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
