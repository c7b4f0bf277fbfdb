"""Assignments in texts of any kind: ``name=value``, ``"name": "value"``, ``name: str = f(x)``.

A text is searched for the words that secrets go by, and only around one of them is it read, from
the name to the end of the value. So all of it takes time in proportion to the text's length.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import NamedTuple

from thexp_pl.record.redact.inner import SCHEMES
from thexp_pl.record.redact.secret_names import ACCESS, MARKS, REDACTED, is_secret_name

__all__ = ["BARE_NAMES", "Assignment", "without_assignments"]

_HINT = re.compile("|".join(MARKS), re.IGNORECASE)
_MAX_NAME = 100
_MAX_VALUE = 600
_NAME_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_NAME_REST = re.compile(rf"[\w.-]{{0,{_MAX_NAME}}}")
_WORD_BEFORE = re.compile(r"([A-Za-z]{1,20}) $")
_TYPE = r"(?:typing\.)?(?:Optional\[|Final\[|ClassVar\[)?(?:str|bytes|SecretStr|Any)\]?"
_SIGN = re.compile(
    rf"""\\{{0,3}}["']?\]?  # what ends the name
    (?:[ \t]{{0,9}}:[ \t]{{0,9}}{_TYPE}(?:[ \t]\|[ \t]None)?(?=[ \t]{{0,9}}=))?
    [ \t]{{0,9}}(?P<sign>[:=!]=|=>|=|:(?!:|//)|,)[ \t]{{0,9}}(?:\\\n[ \t]{{0,99}})?""",
    re.VERBOSE,
)
_SPACE = re.compile(r"[ \t]{1,9}(?=[^\s-])")
_QUOTE = re.compile(r"[bBrRfFuU]{0,2}(?P<quote>\"\"\"|'''|\\{0,3}[\"'])")
_INSIDE = {
    '"': re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*'),
    "'": re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*)*"),
}
_VALUE = r"(?:\$\{[^\s{}]{1,200}\}|[^\s\"',;&})\]]{1,200})"
_BARE = re.compile(_VALUE)
_OF_HEADER = re.compile(rf"(?:(?:{SCHEMES})[ \t]+)?{_VALUE}", re.IGNORECASE)
_OF_COOKIES = re.compile(
    rf"{_VALUE}(?:;[ \t]{{0,9}}[\w.-]{{1,60}}(?:={_VALUE}|(?=;|\s|\Z))){{0,30}}"
)
_BARE_REST = re.compile(r"[^\s\"',;&})\]]*")
_NO_MORE = re.compile(r"[ \t\r]*(?:\n|\Z)")
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\\n])*)\1""")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}
_BRACKET_OR_TEXT = re.compile(
    r"""[\[\](){}]|"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|'[^'\\\n]*(?:\\.[^'\\\n]*)*'?"""
)
BARE_NAMES = frozenset(["key", "keys", "token", "tokens"])
_BEFORE = frozenset("\"'?&-")  # marks a name, where the same word may be one of prose
_BEFORE_LISTED = ("('", '("', "--")  # setdefault("API_KEY", "..."), ["--api_key", "..."]


class Assignment(NamedTuple):
    """A value and the name that it stands under.

    Args:
        name: The name.
        before: The character before the name; empty at the text's beginning.
        sign: What stands between the two, such as ``=``; a space after a flag.
        value: The value without its quotes; only the beginning of a long one.
        start: Where the value begins in the text, its quotes included.
        end: Where it ends.
        quotes: What quotes it; empty where nothing does.
        is_json: Whether it needs quotes to stay JSON or Python.
    """

    name: str
    before: str
    sign: str
    value: str
    start: int
    end: int
    quotes: str
    is_json: bool = False


def without_assignments(
    text: str, is_secret: Callable[[Assignment], bool], learn: Callable[[str, str], None]
) -> str:
    """Replace the values of assignments in a text; quotes stay.

    Args:
        text: Any text.
        is_secret: Says which; only those are asked about whose name may be a secret's.
        learn: Told the values and their names; of a list or a dict, the texts in it.

    Returns:
        The text without them.
    """
    lowered = text.lower()
    if not any(mark in lowered for mark in MARKS):
        return text
    reader = _Reader(text)
    pieces, done, seen = [], 0, 0
    for hint in _HINT.finditer(text):
        if hint.start() < seen:
            continue
        start, seen = reader.name_at(hint)
        found = reader.assignment(start, seen)
        if found is not None and is_secret(found):
            end = reader.whole_end(found)
            _teach(text[found.start : end], found, learn)
            pieces += [text[done : found.start], _replacement(found)]
            done = seen = end
    return "".join([*pieces, text[done:]])


def _replacement(found: Assignment) -> str:
    quotes = found.quotes or ('"' if found.is_json else "")
    return f"{quotes}{REDACTED}{quotes}"


def _teach(value: str, found: Assignment, learn: Callable[[str, str], None]) -> None:
    texts = [value.removeprefix(found.quotes).removesuffix(found.quotes)]
    if value[:1] in _BRACKETS:
        texts = [item[2] for item in _QUOTED.finditer(value)] or [value[1:-1]]
    for text in texts:
        learn(text, found.name)
        if "\\" in text:
            with contextlib.suppress(ValueError):
                learn(str(json.loads(f'"{text}"')), found.name)


def _bare(name: str) -> re.Pattern[str]:
    if "cookie" in name:
        return _OF_COOKIES
    return _OF_HEADER if "auth" in name else _BARE


class _Reader:
    """Reads names and values out of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closes: dict[int, int] | None = None
        self._line = (0, -1)  # a place in the text, and the end of its line

    def name_at(self, hint: re.Match[str]) -> tuple[int, int]:
        """Find where the name begins and ends that a hint is part of."""
        before = self._text[max(0, hint.start() - _MAX_NAME) : hint.start()]
        stem = before[len(before.rstrip(_NAME_LETTERS)) :].lstrip("-.")
        rest = _NAME_REST.match(self._text, hint.end())
        return hint.start() - len(stem), rest.end() if rest else hint.end()

    def assignment(self, start: int, end: int) -> Assignment | None:
        """Read what follows a name, if it is a sign and a value."""
        text = self._text
        name, before = text[start:end], text[max(0, start - 2) : start]
        sign = _SIGN.match(text, end) or (_SPACE.match(text, end) if before == "--" else None)
        if sign is None:
            return None
        is_listed = sign.re is _SIGN and sign["sign"] == ","
        if is_listed and before not in _BEFORE_LISTED:
            return None
        if name.lower() in BARE_NAMES:
            name = self._with_word_before(name, start)
        if not is_secret_name(name):
            return None
        return self._valued(name, before[-1:] if before[-1:] in _BEFORE else "", sign)

    def _with_word_before(self, name: str, start: int) -> str:
        """Give a name of two words, such as that of ``API key: ...``."""
        word = _WORD_BEFORE.search(self._text[max(0, start - 21) : start])
        is_access = word is not None and word[1].lower() in (*ACCESS, "secret")
        return f"{word[1]}_{name}" if word is not None and is_access else name

    def _valued(self, name: str, before: str, sign: re.Match[str]) -> Assignment | None:
        text, start = self._text, sign.end()
        shown = sign["sign"] if sign.re is _SIGN else " "
        quote = _QUOTE.match(text, start)
        if quote and text.startswith(REDACTED + quote["quote"], quote.end()):
            return None
        if quote:
            start, end = quote.start("quote"), self._quoted_end(quote)
            quotes = quote["quote"]
            stop = end - len(quotes) if text.endswith(quotes, start + 1, end) else end
            value = text[start + len(quotes) : min(stop, start + len(quotes) + _MAX_VALUE)]
            return Assignment(name, before, shown, value, start, end, quotes)
        bare = _bare(name.lower()).match(text, start)
        end = self._group_end(start) if text[start : start + 1] in _BRACKETS else 0
        end = end or (bare.end() if bare else 0)
        if not end:
            return None
        is_json = text[start] in _BRACKETS or sign[0].lstrip("\\")[:1] in _INSIDE
        value = text[start : min(end, start + _MAX_VALUE)]
        return Assignment(name, before, shown, value, start, end, "", is_json)

    def whole_end(self, found: Assignment) -> int:
        """Find the end of a bare value that is longer than what was read of it."""
        is_bare = not found.quotes and found.value[:1] not in _BRACKETS
        rest = _BARE_REST.match(self._text, found.end) if is_bare else None
        return rest.end() if rest else found.end

    def _line_end(self, position: int) -> int:
        if not self._line[0] <= position <= self._line[1]:
            end = self._text.find("\n", position)
            self._line = (position, len(self._text) if end < 0 else end)
        return self._line[1]

    def _quoted_end(self, quote: re.Match[str]) -> int:
        """Find the end of a quoted value; that of the line where it is not closed."""
        text, mark, position = self._text, quote["quote"], quote.end()
        line_end = self._line_end(position)
        if len(mark) == 3:
            found = text.find(mark, position)
            return found + 3 if found >= 0 else line_end
        if mark[0] == "\\":  # JSON in a text that is quoted itself
            close = re.compile(rf"(?<!\\){re.escape(mark)}").search(text, position, line_end)
            return close.end() if close else line_end
        while True:  # a shell's 'a'"'"'b' is one value
            inside = _INSIDE[mark].match(text, position)
            end = inside.end() if inside else position
            if not text.startswith(mark, end):
                return line_end
            mark, position = text[end + 1 : end + 2], end + 2
            if mark not in _INSIDE:
                return end + 1

    def _group_end(self, start: int) -> int:
        """Find the end of a list, a dict or a tuple; that of its line where it is not closed."""
        if self._closes is None:
            self._closes = self._brackets_from(start)
        if start in self._closes:
            return self._closes[start] + 1
        is_last = _NO_MORE.match(self._text, start + 1) is not None  # multi-line, and torn
        return 0 if is_last else self._line_end(start)

    def _brackets_from(self, start: int) -> dict[int, int]:
        closes: dict[int, int] = {}
        opened: list[int] = []
        for found in _BRACKET_OR_TEXT.finditer(self._text, start):
            if found[0] in _BRACKETS:
                opened.append(found.start())
            elif opened and found[0] == _BRACKETS[self._text[opened[-1]]]:
                closes[opened.pop()] = found.start()
        return closes
