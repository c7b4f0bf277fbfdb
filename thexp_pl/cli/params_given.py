"""The Params as what was given makes them, by their own rules.

A flag means here what it means to `Params.from_args`: the values are read and checked before the
parser, which would take a word for YAML, sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from thexp_pl.cli.given import Given, Setting, Word
from thexp_pl.cli.yamlfile import entries_of_file
from thexp_pl.errors import ParamsError
from thexp_pl.params import BaseParams, ParamsGroup
from thexp_pl.params.flags import apply_values, coerce
from thexp_pl.params.typed import FALSE, TRUE
from thexp_pl.params.values import Unread

__all__ = ["GivenParams"]


class GivenParams:
    """A copy of the Params to which all that was given is applied.

    Args:
        params: The Params, with their defaults.
        given: What was given; its words for these flags become ones that the parser can take.
        reserved: First parts of the command line's own flags.

    Raises:
        ParamsError: If a value is refused; it says where the value stands.
    """

    def __init__(self, params: BaseParams, given: Given, reserved: frozenset[str]) -> None:
        self.params = params.copy()
        allow = given.find("allow_new")
        self._takes_new = allow is not None and str(allow.value).lower() not in FALSE
        self.new = _new_names(params, given, reserved) if self._takes_new else []
        self.names: set[str] = set()  # those that something was given for
        self._unread = {name for name, one in params.flat().items() if isinstance(one, Unread)}
        variables = {given.variable(name): name for name in (*params.keys(), *params.flat())}
        for setting in given.settings:
            name = variables.get(setting.place, "") if setting.is_variable else setting.name
            if self._is_own(name, setting):
                try:
                    self._apply(name, setting)
                except ParamsError as error:
                    text = str(error).removeprefix("--")
                    rest = text.removeprefix(name)
                    told = rest if rest != text else f": {text}"
                    raise ParamsError(f"{setting.place}{told}") from None

    def _is_own(self, name: str, setting: Setting) -> bool:
        """Say whether a setting is one of these Params', and not made of others that are."""
        is_opened = setting.word is None and isinstance(setting.value, Mapping) and setting.value
        if name in self._unread and setting.value is None and setting.word is None:
            return False  # a file that leaves it to be found out
        if name in self.params:
            return not (is_opened and isinstance(self.params.stored(name), ParamsGroup))
        owner = _owner(self.params, name)
        if setting.word is not None and owner and name not in self.new:
            raise ParamsError(f"there is no flag --{name}: {owner} is a value without parts")
        return name in self.new

    def _apply(self, name: str, setting: Setting) -> None:
        current = self.params.stored(name) if name in self.params else None
        value = setting.value
        left: list[str] = []
        is_group = isinstance(current, ParamsGroup)
        if setting.word is not None:
            value, left = _unswitched(setting.word, value, current)
        is_text = setting.word is not None or setting.is_variable
        leaves = [(name, value)]
        if is_group:
            value = _content(value)
            value = coerce(self.params, name, value, is_flag=is_text)
            leaves = list(_leaves(name, value))
            self._let_in([leaf for leaf, _ in leaves if leaf not in self.params])
        apply_values(self.params, [(name, value)], "--" if is_text else "")
        self.names.update(leaf for leaf, _ in leaves)
        if setting.word is not None:
            setting.word.typed = [*(f"--{leaf}={text}" for leaf, text in leaves), *left]

    def _let_in(self, names: list[str]) -> None:
        if names and not self._takes_new:
            hint = self.params.hint(names[0], settable=True)
            raise ParamsError(f"there is no parameter {names[0]!r}{hint}")
        self.new += [name for name in names if name not in self.new]


def _content(value: Any) -> Any:
    """Give what stands in the file that a group was given as."""
    if not isinstance(value, str) or not Path(value).is_file():
        return value
    return {
        entry.name: entry.value for entry in entries_of_file(Path(value)) if "." not in entry.name
    }


def _unswitched(word: Word, value: Any, current: Any) -> tuple[Any, list[str]]:
    """Give the value of a flag that may stand alone, and the word after it that is not its own."""
    is_switch = isinstance(current, bool)
    if word.value is None:
        if not is_switch and current is not None:
            raise ParamsError(f"{word.name} needs a value: --{word.name}=VALUE")
        return "True", []
    if is_switch and len(word.typed) == 2 and word.value.lower() not in TRUE | FALSE:
        return "True", [word.value]
    return value, []


def _leaves(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(f"{name}.{key}", item)
        else:
            yield f"{name}.{key}", item


def _new_names(params: BaseParams, given: Given, reserved: frozenset[str]) -> list[str]:
    """List the names that were given and are none of the Params'; a variable brings none."""
    return list(
        dict.fromkeys(
            one.name
            for one in given.settings
            if not one.is_variable
            and not (isinstance(one.value, Mapping) and one.value)
            and one.name not in params
            and one.name.partition(".")[0] not in reserved
            and not _owner(params, one.name)
            and not (one.word is None and re.search(r"\.\d", one.name))  # it is in a list
        )
    )


def _owner(params: BaseParams, name: str) -> str:
    """Give the parameter above a name that is no group, or an empty text."""
    owner = name.rpartition(".")[0]
    while owner and owner not in params:
        owner = owner.rpartition(".")[0]
    return "" if not owner or isinstance(params.stored(owner), ParamsGroup) else owner
