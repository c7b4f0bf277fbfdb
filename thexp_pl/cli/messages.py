"""What a parser complains of, in one line: where it stands, the value, the rule, the near miss."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from typing import Any

from thexp_pl.cli.given import Given, Setting
from thexp_pl.cli.importing import import_class
from thexp_pl.cli.typewords import classes, in_words, literals
from thexp_pl.errors import ThexpError, near_miss

__all__ = ["Messages", "gist"]

_VALUE = re.compile(r'Parser key "(?P<key>[\w.]+)":')
_UNKNOWN = re.compile(r"unrecognized arguments: (?P<words>.*)", re.DOTALL | re.IGNORECASE)
_OPTION = re.compile(r"(?:Option|option|Key|key) ['\"](?P<name>[\w.]+)['\"]")
_NO_VALUE = re.compile(r"argument (?:-\w/)?(?P<flag>--[\w.]+): expected one argument")
_CLASS = re.compile(r"class_path '(?P<path>[\w.]+)':?\s*(?P<reason>.*?)(?:\n|$)", re.DOTALL)
_EXPECTED = re.compile(r"Expected a (?:<class ')?(?P<kind>[\w.\[\]]+)")
_LIGHTNINGS = {"PL_GLOBAL_SEED", "PL_SEED_WORKERS", "PL_CONFIG"}  # variables that are no flags
_REQUIRED = re.compile(
    r"[Kk]ey ['\"](?P<name>[\w.]+)['\"] is required|arguments are required: (?P<names>[\w.]+)"
)


class Messages:
    """Rewrites the messages of jsonargparse.

    Args:
        given: What the user gave.
        parsers: The main parser and its subcommands'.
        reserved: First parts of flags that no new parameter can bear; None where ``--allow_new``
            is no flag.
    """

    def __init__(self, given: Given, parsers: list[Any], reserved: frozenset[str] | None) -> None:
        self._given = given
        self._parsers = parsers
        self._reserved = reserved

    def one_line(self, message: str) -> str:
        """Rewrite a message.

        Args:
            message: What jsonargparse said, over several lines perhaps.
        """
        if found := _NO_VALUE.search(message):
            return f"{found['flag']} needs a value: {found['flag']}=VALUE"
        if found := _UNKNOWN.search(message):
            return self._unknown_word(found["words"].split()[0].partition("=")[0])
        if found := _REQUIRED.search(message):
            name = (found["name"] or found["names"]).removeprefix(f"{self._given.subcommand}.")
            shown = f"--{name}" if name in self._flags(None) else repr(name)
            return f"{shown} is required, and was not given"
        if (found := _VALUE.search(message)) and (setting := self._setting(found["key"])):
            return self._bad_value(setting, message)
        if found := _OPTION.search(message):
            return self._unknown_option(found["name"])
        return gist(message)

    def _unknown_word(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is no flag; flags look like --name=value"
        setting = self._setting(word.removeprefix("--"))
        flags = [f"--{name}" for name in self._flags(setting)]
        return f"there is no flag {word}{near_miss(word, flags)}{self._way_out(word)}"

    def _unknown_option(self, name: str) -> str:
        setting = self._setting(name)
        if setting is None:
            return f"there is no option {name!r}{near_miss(name, self._flags(None))}"
        flag = f"--{setting.name}"
        if setting.word is not None:
            return self._unknown_word(flag)
        hint = near_miss(setting.name, self._flags(setting))
        return f"{setting.place}: there is no such option{hint}{self._way_out(flag)}"

    def _way_out(self, flag: str) -> str:
        if self._reserved is None or flag[2:].partition(".")[0] in self._reserved:
            return ""
        return " (--allow_new takes it as a new parameter)"

    def _bad_value(self, setting: Setting, message: str) -> str:
        start = f"{setting.place}: {str(setting.value)!r}"
        if found := _CLASS.search(message):
            reason = " ".join(found["reason"].split()).lstrip("- ")
            option, known = _OPTION.search(reason), self._arguments(setting.name, found["path"])
            near = near_miss(option["name"], known) if option else ""
            return f"{setting.place}: {found['path']}: {reason}{near}"
        hint = self._type(setting.name)
        if hint is None:
            kind = _EXPECTED.search(message)
            rule = f"it must be of type {kind['kind']}" if kind else " ".join(message.split())
            return f"{start} is not allowed; {rule}"
        near = near_miss(str(setting.value), {*literals(hint), *classes(hint)})
        return f"{start} is not allowed; it must be {in_words(hint)}{near}"

    def _setting(self, key: str) -> Setting | None:
        """Find what was given for a key, which may lack what stands before it."""
        key = key.removeprefix(f"{self._given.subcommand}.")
        found = self._given.find(key) or self._given.find(f"{key}.class_path")
        ends = (one for one in reversed(self._given.settings) if one.name.endswith(f".{key}"))
        return found or next(ends, None)

    def _type(self, name: str) -> Any:
        for action in self._actions():
            if action.dest == name:
                return getattr(action, "_typehint", None)
        return None

    def _actions(self) -> Iterator[Any]:
        for parser in self._parsers:
            yield from parser._actions

    def _flags(self, near: Setting | None) -> list[str]:
        """List the flags; near a setting of a class that is named, those of the class too."""
        names = [
            option.removeprefix("--")
            for action in self._actions()
            for option in action.option_strings
        ]
        owner = near.name.rpartition(".")[0] if near is not None else ""
        while near is not None and owner:
            path = self._given.text(owner)
            if path:
                dots = ".init_args." if f"{owner}.init_args." in near.name else "."
                names += [f"{owner}{dots}{one}" for one in self._arguments(owner, path)]
            owner = owner.rpartition(".")[0]
        return names

    def _arguments(self, owner: str, path: str) -> list[str]:
        """List the arguments of a class that the user named, where that can be known."""
        flag = re.sub(r"\.\d+$", "", owner)  # an item of a list
        try:
            found = classes(self._type(flag)).get(path) or import_class(path, "")
            return list(inspect.signature(found).parameters)
        except (ThexpError, ImportError, TypeError, ValueError):
            return []

    def unknown_variables(self) -> Iterator[str]:
        """Report environment variables that look like flags of the subcommand and are none.

        Yields:
            A line for each.
        """
        subcommand = self._given.subcommand
        start = self._given.variable("")
        known = {self._given.variable(action.dest) for action in self._actions()}
        heads = {name.partition(".")[0].upper() for name in self._flags(None)}
        for name in sorted(os.environ.keys() - _LIGHTNINGS):
            is_short = name[:3] == "PL_" and name[3:].partition("__")[0] in heads
            if name.startswith(start) and name not in known:
                hint = near_miss(name, known)
            elif is_short and f"{start}{name[3:]}" in known:
                hint = f"; did you mean '{start}{name[3:]}'?"
            else:
                continue
            yield f"environment variable {name} is no flag of {subcommand}{hint}"


def gist(message: str) -> str:
    """Make one line of a message; of a value that fits none of several types, what is wrong.

    Args:
        message: What a library said.

    >>> gist("It fits none.\\nErrors:\\n  - `mode` is unknown\\n  - Expected a str")
    '`mode` is unknown'
    """
    errors = message.partition("Errors:")[2]
    reasons = [" ".join(part.split()) for part in re.split(r"(?:^|\n)\s*- ", errors)]
    common = ("Expected", "Not a", "Given")
    telling = [one for one in reasons if one and not one.startswith(common) and one[-1] != ":"]
    return telling[0] if telling else " ".join(message.split())
