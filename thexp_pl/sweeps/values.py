"""The values of an option of a sweep: lists and ranges, as they are typed after the ``=``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown

__all__ = ["Values", "joined", "read_values"]

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_WHOLE = r"[+-]?\d+"
_RANGE = re.compile(rf"({_WHOLE})\.\.({_WHOLE})(?:\.\.({_WHOLE}))?")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SEARCHED = re.compile(rf"{_NUMBER}\.\.{_NUMBER}(?:\.\.{_NUMBER})?(?::\w*)?")
_BOUND = rf"(?:{_NUMBER}|[+-]?(?:nan|inf|infinity))"
_NEARLY = re.compile(rf"(?:{_BOUND}(?::\w*)?)?(?:\.\.(?:{_BOUND}(?::\w*)?)?)+", re.IGNORECASE)
_SPECIAL = re.compile(r"[,\"'()\[\]{}]|\.\.")
_MAX_DIGITS = 15  # of the ends of a range: the length of all of them together stays an index


class Values(Sequence[str]):
    """The values of one option, in their order; those of a range are not made before.

    Args:
        parts: Texts, and ranges of whole numbers.

    >>> values = read_values("seed", "0..1000000000,7")
    >>> len(values), values[1], values[-1]
    (1000000002, '1', '7')
    """

    def __init__(self, parts: Iterable[str | range]) -> None:
        self._parts = [[part] if isinstance(part, str) else part for part in parts]
        self._length = sum(map(len, self._parts))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """Give a value, as it is typed."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._length))]
        place = index + self._length if index < 0 else index
        for part in self._parts:
            if 0 <= place < len(part):
                return str(part[place])
            place -= len(part)
        raise IndexError(index)

    def __iter__(self) -> Iterator[str]:
        return map(str, itertools.chain.from_iterable(self._parts))


def read_values(name: str, text: str) -> Values:
    """Read what is typed for an option.

    Commas separate values; within brackets, and in a value that is quoted whole, they do not. A
    quote is doubled within its own kind. ``0..4`` means the whole numbers from 0 to 4, both in, and
    ``0..10..5`` every fifth of them.

    Args:
        name: The option, for messages.
        text: What is typed.

    Returns:
        The values, one at least.

    Raises:
        UsageError: One of them is empty, a bracket or a quote is not closed, or a range holds
            nothing.

    >>> list(read_values("lr", "0.1,1e-2")), list(read_values("seed", "0..3"))
    (['0.1', '1e-2'], ['0', '1', '2', '3'])
    >>> list(read_values("betas", "(0.9,0.99),(0.5,0.9)")), list(read_values("label", '"a,b"'))
    (['(0.9,0.99)', '(0.5,0.9)'], ['a,b'])
    """
    told = f"--{name}={shown(text)[1:-1]}"
    return Values(_part(told, item) for item in _items(told, text))


def joined(texts: Iterable[str]) -> str:
    """Write texts so that `read_values` gives just them.

    Args:
        texts: Any texts.

    Returns:
        One text.

    >>> joined(["0.1", "a,b", ""])
    '0.1,"a,b",""'
    """
    return ",".join(map(_quoted, texts))


def _quoted(text: str) -> str:
    if text and text == text.strip() and not _SPECIAL.search(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _items(told: str, text: str) -> Iterator[str]:
    """Give what the commas at the top separate, as it stands there."""
    start = place = 0
    while place <= len(text):
        if place == len(text) or text[place] == ",":
            item = text[start:place].strip()
            if not item:
                raise UsageError(f"{told}: a value is empty: an empty text is written as '\"\"'")
            yield item
            start = place = place + 1
        elif text[place] in "\"'" and not text[start:place].strip():
            place = _end_of_quote(told, text, place)
        elif text[place] in _CLOSING:
            place = _end_of_bracket(told, text, place)
        else:
            place += 1


def _end_of_quote(told: str, text: str, place: int) -> int:
    """Give the place after a quoted text; a quote in it is doubled."""
    quote = text[place]
    end = text.find(quote, place + 1)
    while end != -1 and text[end + 1 : end + 2] == quote:
        end = text.find(quote, end + 2)
    if end == -1:
        raise UsageError(f"{told}: the quote {quote} at character {place + 1} is not closed")
    return end + 1


def _end_of_bracket(told: str, text: str, opened: int) -> int:
    """Give the place after a bracket and what it holds, which is written as Python or JSON is."""
    waiting = [_CLOSING[text[opened]]]
    place = opened + 1
    while waiting and place < len(text):
        letter = text[place]
        if letter in "\"'" and text[place - 1] in "([{,: ":  # else it is an apostrophe
            place = _end_of_literal(text, place)
            continue
        if letter in _CLOSING:
            waiting.append(_CLOSING[letter])
        elif letter == waiting[-1]:
            waiting.pop()
        place += 1
    if waiting:
        raise UsageError(f"{told}: the {text[opened]} at character {opened + 1} is not closed")
    return place


def _end_of_literal(text: str, place: int) -> int:
    quote = text[place]
    place += 1
    while place < len(text) and text[place] != quote:
        place += 2 if text[place] == "\\" else 1
    return place + 1


def _part(told: str, item: str) -> str | range:
    if item[0] in "\"'" and _end_of_quote(told, item, 0) == len(item):
        return item[1:-1].replace(item[0] * 2, item[0])
    found = _RANGE.fullmatch(item)
    if found is None:
        if _SEARCHED.fullmatch(item):
            raise UsageError(
                f"{told}: a range of fractions, or with :log, is for a search (--sampler tpe"
                " --trials N); list the values"
            )
        if _NEARLY.fullmatch(item) and any(map(str.isalnum, item)):
            raise UsageError(
                f"{told}: {shown(item)} is no range, which has two finite ends and perhaps a step,"
                " as 0..4 or 0..10..5; a text is quoted: '\"...\"'"
            )
        return item
    if any(len(each or "") > _MAX_DIGITS for each in found.groups()):
        raise UsageError(f"{told}: the range {shown(item)} is too large; list the values")
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if step == 0:
        raise UsageError(f"{told}: the range {shown(item)} has the step 0; leave the step out")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if not numbers:
        way_out = "give a negative step" if step > 0 else "leave the minus of the step out"
        raise UsageError(f"{told}: the range {shown(item)} holds nothing; {way_out}")
    return numbers
