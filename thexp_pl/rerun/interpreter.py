"""Reading the command line of a Python process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Invocation", "read_invocation"]

_WITH_VALUE = "WX"
_LONG_WITH_VALUE = "--check-hash-based-pycs"


class Invocation(NamedTuple):
    """What an interpreter was told to run.

    Args:
        options: Its own options.
        kind: ``script``, ``module`` (``-m``), ``code`` (``-c``) or ``nothing``: a prompt, or what
            came through a pipe.
        subject: The script, the module or the code.
        arguments: What comes after.
    """

    options: tuple[str, ...]
    kind: str
    subject: str
    arguments: tuple[str, ...]


def read_invocation(words: Sequence[str]) -> Invocation:
    """Read a command line as Python itself does.

    Args:
        words: The words, the interpreter first.

    Returns:
        What they mean.

    >>> read_invocation(["python", "-uX", "dev", "train.py", "--lr", "1"])
    Invocation(options=('-uX', 'dev'), kind='script', subject='train.py', arguments=('--lr', '1'))
    >>> read_invocation(["python", "-um", "pkg.train", "3"])
    Invocation(options=('-u',), kind='module', subject='pkg.train', arguments=('3',))
    """
    options: list[str] = []
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word == "-" or not word.startswith("-"):
            kind = "nothing" if word == "-" else "script"
            return Invocation(tuple(options), kind, word, tuple(rest))
        if word.startswith("--"):
            options.append(word)
            options += [rest.pop(0)] if word == _LONG_WITH_VALUE and rest else []
            continue
        for place, letter in enumerate(word[1:], start=1):
            value = word[place + 1 :]
            if letter in "cm":
                options += [word[:place]] if place > 1 else []
                subject = value or (rest.pop(0) if rest else "")
                kind = "code" if letter == "c" else "module"
                return Invocation(tuple(options), kind, subject, tuple(rest))
            if letter in _WITH_VALUE:
                options += [word] if value or not rest else [word, rest.pop(0)]
                break
        else:
            options.append(word)
    return Invocation(tuple(options), "nothing", "", ())
