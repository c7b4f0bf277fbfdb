"""`Redactor`: takes secrets out of whatever is about to be written."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from thexp_pl.record.redact.assignments import Assignment, without_assignments
from thexp_pl.record.redact.judging import is_secret_in_code, is_secret_setting
from thexp_pl.record.redact.known import KnownValues
from thexp_pl.record.redact.lines import LineRedactor
from thexp_pl.record.redact.secret_names import REDACTED, is_secret_name
from thexp_pl.record.redact.shapes import without_headers, without_keys, without_urls
from thexp_pl.record.redact.yamltext import redact_yaml

__all__ = ["Redactor"]

_MAX_LEARNT = 500  # from texts: a log that prints one token a line must not slow the next down
_MAX_READINGS = 3  # of a text that tells more values each time it is read
_SEVERAL = re.compile(r"\s[\w.-]{1,100}=")  # several settings in one argument
_PLURAL = re.compile(r"(key|token|pwd|secret|password|credential)s$", re.IGNORECASE)

_Value = TypeVar("_Value")


class Redactor:
    """Replaces secrets in arguments, parameters and texts.

    It remembers the values that it replaced, those of the environment, and those of the process's
    own command line, and finds them again in texts such as a traceback. It may be pickled, and
    used by several threads.
    """

    def __init__(self) -> None:
        self._known = KnownValues()
        self._names: dict[str, str] = {}
        self._variables: dict[str, str | None] = {}  # the values of those named like a secret
        self.argv(sys.orig_argv)
        self.argv(sys.argv)

    def argv(self, arguments: Sequence[str]) -> list[str]:
        """Redact a command line: ``--token=x``, ``--token x``, ``token=x`` and what is within.

        Args:
            arguments: The arguments.

        Returns:
            As many arguments.
        """
        self._follow_environment()
        return self._settled(self._arguments, list(arguments))

    def command(self, arguments: Sequence[str]) -> str:
        """Redact a command line and make it one line that a shell understands.

        Args:
            arguments: The arguments, the program first.

        Returns:
            The line.
        """
        return shlex.join(self.argv(arguments))

    def tree(self, value: Any) -> Any:
        """Redact nested parameters, by their names and within their texts.

        Args:
            value: What `thexp_pl.jsonable.to_jsonable` gave.

        Returns:
            A copy.
        """
        self._follow_environment()
        return self._settled(self._tree, value)

    def text(self, text: str) -> str:
        """Redact prose, a log or code.

        Taken out are values of secret names, known values, and what shows by its shape: access
        tokens, private keys, passwords in URLs, headers. ``key=`` and ``token:`` alone are left:
        ``sorted(rows, key=...)`` in a traceback is no secret.

        Args:
            text: Any text.

        Returns:
            The text without them.
        """
        if len(os.environ) != len(self._variables):  # all that a line of output can afford
            self._follow_environment()
        return self._cleaned(text, is_secret_in_code)

    def lines(self) -> LineRedactor:
        """Redact a text that comes line by line, such as a console's.

        Returns:
            What is called with each line, and gives what `text` makes of it.
        """
        return LineRedactor(self.text)

    def name(self, name: str) -> str:
        """Redact a name that comes again and again, such as that of a metric.

        Args:
            name: The name.

        Returns:
            What `text` makes of it.
        """
        shown = self._names.get(name)
        if shown is None:
            shown = self.text(name)  # which may find a secret, and then forgets the names
            self._names[name] = shown
        return shown

    def yaml(self, text: str) -> str:
        """Redact a configuration in YAML, which stays YAML.

        Args:
            text: The YAML; text that is none is redacted as an argument is.

        Returns:
            The YAML with the same values but for the secrets, and as it is written where it holds
            none.
        """
        return redact_yaml(text, self.tree, self._setting)

    def _follow_environment(self) -> None:
        names = list(os.environ)
        found: dict[str, str | None] = {}
        for name in names:
            old = self._variables.get(name)
            if name in self._variables and old is None:
                found[name] = None
                continue
            value = os.environ.get(name, "")
            found[name] = value if is_secret_name(name) else None
            if value != old:
                self._learn_variable(name, value)
        self._variables = found

    def _learn_variable(self, name: str, value: str) -> None:
        self._cleaned(value, is_secret_in_code)  # such as a password in a URL, a token in a header
        if not is_secret_name(name, value) or _is_path(value):
            return  # a key's file is no secret, and its folder would be found in every path
        self._learn(value, name)
        if value.lstrip().startswith("{"):
            with contextlib.suppress(ValueError, RecursionError):
                self._tree(json.loads(value))

    def _settled(self, redact: Callable[[_Value], _Value], value: _Value) -> _Value:
        """Redact, and again where a value that is told late may stand in an earlier place."""
        known = len(self._known)
        result = redact(value)
        if len(self._known) != known:
            result = redact(value)
        for _ in range(_MAX_READINGS):  # without what was taken, the rest may read otherwise
            value, result = result, redact(result) if result != value else result
        return result

    def _arguments(self, arguments: list[Any]) -> list[Any]:
        result: list[Any] = []
        flag = ""  # one whose value may follow
        for argument in arguments:
            is_flag = isinstance(argument, str) and argument.startswith("--")
            if flag and not is_flag and is_secret_name(flag, argument):
                result.append(self._entry(flag, argument))
                flag = flag if _PLURAL.search(flag) else ""
                continue
            if not isinstance(argument, str):
                result.append(self._tree(argument))
                flag = ""
                continue
            name, sign, value = argument.partition("=")
            is_text = re.search(r"\s|://", name) or (name[:1] != "-" and _SEVERAL.search(value))
            is_secret = not is_text and is_secret_name(name, value)
            flag = name if is_secret and not sign and name.startswith("-") else ""
            if is_secret and sign:
                self._learn_within(value, name)
                result.append(f"{name}={REDACTED}")
            else:
                result.append(self._setting(argument))
        return result

    def _tree(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            result: dict[Any, Any] = {}
            for name, item in value.items():
                shown = self._setting(name) if isinstance(name, str) else name
                shown = f"{shown} {len(result)}" if shown in result else shown
                result[shown] = self._entry(str(name), item)
            return result
        if isinstance(value, list):
            return self._arguments(value)  # of a program, perhaps
        return self._setting(value) if isinstance(value, str) else value

    def _entry(self, name: str, value: Any) -> Any:
        if value in ("", [], {}) or not is_secret_name(name, value):
            return self._tree(value)
        for leaf in _leaves(value):
            self._learn_within(leaf, name)
        return REDACTED

    def _learn_within(self, value: str, name: str) -> None:
        self._setting(value)  # first, as what is known is not looked into
        self._learn(value, name)

    def _setting(self, text: str) -> str:
        return self._cleaned(text, is_secret_setting)

    def _cleaned(self, text: str, judge: Callable[[Assignment], bool]) -> str:
        learn = self._learn if judge is is_secret_setting else self._learn_a_little
        for _ in range(_MAX_READINGS):
            known = len(self._known)
            text = without_keys(self._known.without(text))
            text = without_headers(without_urls(text, learn), learn)
            text = without_assignments(text, judge, learn)
            if len(self._known) == known:
                return text
        return self._known.without(text)

    def _learn(self, value: str, name: str = "") -> None:
        known = len(self._known)
        self._known.add(value, name)
        if len(self._known) != known:
            self._names.clear()

    def _learn_a_little(self, value: str, name: str = "") -> None:
        if len(self._known) < _MAX_LEARNT:
            self._learn(value, name)


def _is_path(value: str) -> bool:
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # such as a name too long
        return "/" in value and Path(value).expanduser().exists()
    return False


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield str(value)
