"""How a metric's name is written in a line of CSV."""

from __future__ import annotations

import re

__all__ = ["HEADER", "spelt", "unspelt"]

HEADER = "step,epoch,time,name,value"
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_LETTERS = {"\\": "\\", "n": "\n", "r": "\r"}


def spelt(name: str) -> str:
    """Write a name on one line, quoted where a reader of CSV needs it.

    Args:
        name: Any text.

    Returns:
        The field.

    >>> print(spelt("a,b"), spelt("loss"))
    "a,b" loss
    """
    text = re.sub(r"[\\\n\r]", lambda found: _ESCAPES[found[0]], name)
    if re.search(r'[",]|^\s|\s$|^$', text):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text


def unspelt(text: str) -> str:
    """Read a name back.

    Args:
        text: What `spelt` gave.

    Returns:
        The name.
    """
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    return re.sub(r"\\([\\nr])", lambda found: _LETTERS[found[1]], text)
