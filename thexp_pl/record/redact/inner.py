"""What a secret value holds that is a secret by itself, and may turn up without the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["SCHEMES", "inner_secrets"]

SCHEMES = "bearer|basic|token|digest|apikey|aws4-hmac-sha256"
_OF_SCHEME = re.compile(rf"\s*(?:{SCHEMES})\s+(\S+)\s*", re.IGNORECASE)
_COOKIES = re.compile(r"\s*[\w.-]+=[^\s;]*(?:\s*;\s*[\w.-]+(?:=[^;]*)?)*\s*;?\s*")


def inner_secrets(value: str, name: str = "") -> Iterator[str]:
    """Go through the secrets in a secret value: the token after ``Bearer``, the values of cookies.

    Args:
        value: The value.
        name: What it goes by.

    Yields:
        What is secret by itself.

    >>> list(inner_secrets("Bearer abc123")), list(inner_secrets("sid=x1; path=/", "Cookie"))
    (['abc123'], ['x1', '/'])
    """
    scheme = _OF_SCHEME.fullmatch(value)
    if scheme:
        yield scheme[1]
    if "cookie" in name.lower() and _COOKIES.fullmatch(value):
        for cookie in value.split(";"):
            content = cookie.partition("=")[2].strip()
            if content and not content.isdecimal():  # such as Max-Age
                yield content
