"""Keeps secrets out of a record: what is named like one is replaced before anything is written.

A name is a secret's when it holds password, passphrase, secret or credential, or has a word that
ends in key, token or pwd: ``API_KEY``, ``hf_token``, ``--db-password``, ``accessToken``. None are:
the name of an exception (``KeyError``), a number under a key or token that is a size or a count
(``max_tokens=512``, ``key_dim=64``), an ordinary word under one that nothing marks as an access
(``sort_key=val_loss``, ``pad_token=<pad>``, but not ``api_key=letmein``), and the shell's ``PWD``.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["REDACTED", "Redactor", "is_secret_name"]

REDACTED = "<redacted>"
_MIN_KNOWN = 8  # shorter values would be found in half of all texts
_ALWAYS = re.compile(r"passw(or)?d|passphrase|secret|credential", re.IGNORECASE)
_LAST = re.compile(r"(key|token|pwd)s?$")
_FOLDERS = frozenset(["PWD", "OLDPWD"])
_MEASURES = frozenset(
    ["max", "min", "num", "n", "count", "total", "size", "dim", "len", "length", "limit", "id"]
)
_ACCESS = frozenset(
    [
        *("access", "api", "auth", "aws", "bearer", "bot", "client", "deploy", "gcp", "gh", "git"),
        *("github", "gitlab", "hf", "hub", "huggingface", "jwt", "login", "openai", "private"),
        *("refresh", "service", "session", "ssh", "user", "wandb"),
    ]
)
_PLAIN_KEY = re.compile(r"[a-z0-9][_-](key|token)s?$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+(_+[A-Za-z]+)*|<[/|]?[A-Za-z_]+[/|]?>|\[[A-Za-z_]+\]")
_WORD_BORDER = re.compile(r"[^0-9A-Za-z]+|(?<=[a-z0-9])(?=[A-Z])")
# The lengths are bounded so that a long text without any of this is passed over in linear time.
_ASSIGNMENT = re.compile(
    r"""(?P<head>(?P<before>["'?&-]?)(?<![\w.])"""
    r"""(?=[\w.-]{0,100}(?:key|token|pwd|passw|passphrase|secret|credential))"""
    r"""(?P<name>\w[\w.-]{0,100})["']?\s{0,9}[:=]\s{0,9})"""
    r"""(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s"',;&})\]]+)""",
    re.IGNORECASE,
)
_EXCEPTIONS = ("Error", "Exception", "Warning")  # a traceback's ``KeyError: 'lr'``
_BARE_WORDS = frozenset(["key", "keys", "token", "tokens"])
_USERINFO = re.compile(r"(?P<scheme>(?<!\w)[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^/\s?#]*@")


def is_secret_name(name: str, value: object = "") -> bool:
    """Say whether what goes by a name is to be kept out of the record.

    Args:
        name: The name of a parameter, an argument or an environment variable.
        value: What it holds; a number or a word may clear a name that only looks like a secret's.

    Returns:
        Whether it is a secret.

    >>> is_secret_name("WANDB_API_KEY"), is_secret_name("tokenizer")
    (True, False)
    >>> is_secret_name("max_tokens", 512), is_secret_name("api_token", 512)
    (False, True)
    >>> is_secret_name("sort_key", "val_loss"), is_secret_name("api_key", "val_loss")
    (False, True)
    """
    if name.endswith(_EXCEPTIONS):
        return False
    if _ALWAYS.search(name):
        return True
    words = [word.lower() for word in _WORD_BORDER.split(name)]
    if name in _FOLDERS or not any(_LAST.search(word) for word in words):
        return False
    text = str(value).strip("\"'")
    is_plain = _PLAIN_KEY.search(name) is not None and not _ACCESS.intersection(words)
    if is_plain and _WORD.fullmatch(text):
        return False
    return not (_MEASURES.intersection(words) and re.fullmatch(r"[\d.e+\-]+", text))


class Redactor:
    """Replaces secrets in arguments, parameters and texts.

    It remembers the values that it replaced, and those of the environment, and finds them again
    in texts such as a traceback.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._names: dict[str, str] = {}
        for name, value in os.environ.items():
            # A key's file is no secret, and its folder would be found in every path.
            if is_secret_name(name, value) and not value.startswith(("/", "~")):
                self._remember(value)

    def argv(self, arguments: Sequence[str]) -> list[str]:
        """Redact a command line: ``--token=x``, ``--token x``, ``token=x`` and what is within.

        Args:
            arguments: The arguments.

        Returns:
            As many arguments.
        """
        result: list[str] = []
        flag = ""  # one whose value may follow
        for argument in arguments:
            if flag and not argument.startswith("--") and is_secret_name(flag, argument):
                self._remember(argument)
                result.append(REDACTED)
                flag = ""
                continue
            name, sign, value = argument.partition("=")
            secret = is_secret_name(name, value) and not re.search(r"\s|://", name)
            flag = name if secret and not sign and name.startswith("-") else ""
            if secret and sign:
                self._remember(value)
                result.append(f"{name}={REDACTED}")
            else:
                result.append(self._setting(argument))
        return result

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
        if isinstance(value, Mapping):
            return {name: self._entry(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        return self._setting(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Redact prose or code: assignments to secret names, URLs with a password, known values.

        ``key=`` and ``token:`` alone are left: ``sorted(rows, key=...)`` in a traceback is none.

        Args:
            text: Any text.

        Returns:
            The text without them.
        """
        return self._without_known(_ASSIGNMENT.sub(self._assignment_in_code, _bare_urls(text)))

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

    def _setting(self, text: str) -> str:
        return self._without_known(_ASSIGNMENT.sub(self._assignment, _bare_urls(text)))

    def _without_known(self, text: str) -> str:
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, REDACTED)
        return text

    def _entry(self, name: str, value: Any) -> Any:
        empty = value is None or value == "" or isinstance(value, bool)
        if empty or not is_secret_name(name, value):
            return self.tree(value)
        if isinstance(value, str):
            self._remember(value)
        return REDACTED

    def _assignment(self, found: re.Match[str]) -> str:
        if not is_secret_name(found["name"], found["value"]):
            return found[0]
        self._remember(found["value"].strip("\"'"))
        return f"{found['head']}{REDACTED}"

    def _assignment_in_code(self, found: re.Match[str]) -> str:
        bare = not found["before"] and found["name"].lower() in _BARE_WORDS
        return found[0] if bare else self._assignment(found)

    def _remember(self, value: str) -> None:
        if len(value) >= _MIN_KNOWN and not _is_ordinary(value) and value not in self._known:
            self._known.add(value)
            self._names.clear()


def _is_ordinary(value: str) -> bool:
    """Say whether a value is a word, words of a path or a line, found where it is no secret."""
    plain = re.sub(r"[_/.]", "", value)
    return plain.isalpha() or value == REDACTED or not any(map(str.isalnum, plain))


def _bare_urls(text: str) -> str:
    return _USERINFO.sub(rf"\g<scheme>{REDACTED}@", text)
