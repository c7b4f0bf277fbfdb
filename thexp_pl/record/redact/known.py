"""The secret values that are known, and their finding in texts, in whatever form they stand."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from thexp_pl.record.redact.inner import inner_secrets
from thexp_pl.record.redact.ordinary import REDACTED, is_ordinary

__all__ = ["KnownValues"]

_MIN_VALUE = 8  # shorter ones would be found in half of all texts
_MIN_LINE = 16  # of a value of several lines, such as a key in PEM
_MAX_ENCODED = 300
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

    def add(self, value: str, name: str = "") -> None:
        """Remember a value, its lines and what is in it, unless it is short or an ordinary word.

        Args:
            value: The value.
            name: What it goes by.
        """
        whole = value.strip()
        lines = [line.strip() for line in whole.splitlines()] if "\n" in whole else []
        lines = [line for line in lines if len(line) >= _MIN_LINE]
        for part in (whole, *lines, *inner_secrets(whole, name)):
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
