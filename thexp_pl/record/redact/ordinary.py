"""Which values are made of ordinary words, so that they stand in texts where they are no secret."""

from __future__ import annotations

import re

__all__ = ["REDACTED", "is_ordinary"]

REDACTED = "<redacted>"
_MAX_WORD = 15
_BORDER = re.compile(r"[_/.]+|(?<=[a-z])(?=[A-Z])")


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
