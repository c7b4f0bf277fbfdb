"""The secret values that are known, and their finding in texts, in whatever form they stand."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from thexp_pl.record.redact.secret_names import REDACTED

__all__ = ["KnownValues", "is_ordinary"]

_MIN_VALUE = 8  # shorter ones would be found in half of all texts
_MIN_LINE = 16  # of a value of several lines, such as a key in PEM
_MAX_WORD = 15
_MAX_ENCODED = 300
_BORDER = re.compile(r"[_/.]+|(?<=[a-z])(?=[A-Z])")
_IN_SHELL = "'\"'\"'"  # what shlex.quote makes of a quote


class _Forms(NamedTuple):
    """A value as other formats spell it."""

    escaped: tuple[str, ...]
    in_shell: str
    encoded: re.Pattern[str] | None


class KnownValues:
    """Secret values, which are replaced wherever they turn up.

    A text is searched for each of them by itself: of 20 values the search is over in 1 us for 100
    characters, and it takes time in proportion to the text, whatever stands in it. One pattern for
    all of them takes as long, and with 100 values twice as long.
    """

    def __init__(self) -> None:
        self._values: dict[str, _Forms] = {}
        self._ordered: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: str) -> None:
        """Remember a value, and each of its lines, unless it is short or an ordinary word.

        Args:
            value: The value.
        """
        whole = value.strip()
        lines = [line.strip() for line in whole.splitlines()] if "\n" in whole else []
        for part in (whole, *(line for line in lines if len(line) >= _MIN_LINE)):
            if len(part) >= _MIN_VALUE and not is_ordinary(part):
                self._values.setdefault(part, _forms(part))

    def without(self, text: str) -> str:
        """Replace all of the values in a text, longer ones before those that they hold.

        Args:
            text: Any text.

        Returns:
            The text without them, as they are, escaped as in JSON and Python, percent-encoded, or
            quoted for a shell.
        """
        if len(self._ordered) != len(self._values):  # here, so that no thread misses another's
            self._ordered = tuple(sorted(self._values, key=len, reverse=True))
        for value in self._ordered:
            if value in text:
                text = text.replace(value, REDACTED)
        if "\\" in text or "%" in text or "+" in text or _IN_SHELL in text:
            text = self._without_forms(text)
        return text

    def _without_forms(self, text: str) -> str:
        for value in self._ordered:
            forms = self._values[value]
            for form in forms.escaped:
                text = text.replace(form, REDACTED)
            if forms.in_shell:
                text = text.replace(forms.in_shell, REDACTED)
            if forms.encoded is not None:
                text = forms.encoded.sub(REDACTED, text)
        return text


def is_ordinary(value: str) -> bool:
    """Say whether a value is made of words, which are found where they are no secret.

    Args:
        value: The value.

    Returns:
        Whether it is, holds no letter and no digit at all, or was redacted before.
    """
    words = [word for word in _BORDER.split(value) if word]
    letters = sum(map(len, words))
    if REDACTED in value or not any(map(str.isalnum, value)):
        return True
    is_made_of_words = all(word.isalpha() and len(word) <= _MAX_WORD for word in words)
    return is_made_of_words and letters >= 3 * len(words)  # `XkQzPwRtYu` is none


def _forms(value: str) -> _Forms:
    escaped = {
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(f"{value}'\"")[1:-4],
        ascii(value)[1:-1],
    } - {value}
    in_shell = value.replace("'", _IN_SHELL) if "'" in value else ""
    return _Forms(tuple(sorted(escaped, key=len, reverse=True)), in_shell, _encoded(value))


def _encoded(value: str) -> re.Pattern[str] | None:
    """Make a pattern of a value in a URL: programs differ in what they encode."""
    if len(value) > _MAX_ENCODED or re.fullmatch(r"[\w.~-]+", value, re.ASCII):
        return None
    return re.compile("".join(map(_encoded_letter, value)))


def _encoded_letter(letter: str) -> str:
    plain = re.escape(letter)
    if re.fullmatch(r"[\w.~-]", letter, re.ASCII):
        return plain
    codes = "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
    return f"(?:{plain}|(?i:{codes}){'|[+]' if letter == ' ' else ''})"
