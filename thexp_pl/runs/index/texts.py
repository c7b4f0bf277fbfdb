"""Names and texts as SQLite can keep them: it takes Unicode, and a name of a file is any bytes."""

from __future__ import annotations

import os

__all__ = ["kept_name", "kept_text", "read_name"]


def kept_name(name: str) -> str | bytes:
    """Give the name of a file or folder as it is kept.

    Args:
        name: The name as Python gives it.

    Returns:
        The same; its bytes where these are not UTF-8.

    >>> kept_name("digits"), kept_name("a\\udcff")
    ('digits', b'a\\xff')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape")
    return name


def read_name(kept: str | bytes) -> str:
    """Give a name back.

    Args:
        kept: As it was kept.

    Returns:
        The name.
    """
    return os.fsdecode(kept)


def kept_text(text: str) -> str:
    """Give a text as it is kept.

    Args:
        text: The text.

    Returns:
        The same, with escapes in place of lone surrogates; in JSON these read back.

    >>> kept_text("a\\ud800")
    'a\\\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode()
