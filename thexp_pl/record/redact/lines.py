"""`LineRedactor`: secrets taken out of a text that comes line by line."""

from __future__ import annotations

from collections.abc import Callable

from thexp_pl.record.redact.secret_names import REDACTED
from thexp_pl.record.redact.shapes import KEY_ENDS, KEY_LINE, ends_in_key

__all__ = ["LineRedactor"]


class LineRedactor:
    """Redacts lines in their order: a private key begins in one and ends in a later one.

    A copy remembers what came before by itself.

    Args:
        redact: Takes secrets out of one line.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._is_in_key = False

    def __call__(self, line: str) -> str:
        """Redact the next line.

        Args:
            line: The line, with its end or without it.

        Returns:
            It without secrets; its end stays.
        """
        stripped = line.strip()
        is_inside = self._is_in_key and KEY_LINE.fullmatch(stripped) is not None
        is_last = self._is_in_key and KEY_ENDS.match(stripped) is not None
        self._is_in_key = is_inside or ends_in_key(line)
        if is_inside or is_last:
            return f"{REDACTED}\n" if line.endswith("\n") else REDACTED
        return self._redact(line)
