"""What a report in Markdown is made of: tables, pictures and links of texts from anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath
from urllib.parse import quote

from thexp_pl.record.names import cut, escaped

__all__ = ["link", "picture", "plain", "table"]

_CELL = 200  # characters
_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in r"\`*_[]<>|#~&$"})


def plain(text: str) -> str:
    """Make one line of a text that Markdown shows as it is.

    Args:
        text: Any text; of a long one the middle is left out.

    >>> print(plain("a|b <script>"))
    a\\|b \\<script\\>
    """
    return escaped(cut(text, _CELL)).translate(_SPECIAL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Make a table as GitHub's.

    Args:
        head: The titles of the columns, in Markdown.
        rows: The cells, in Markdown.

    Returns:
        The table, or ``None.`` where there is no row.
    """
    lines = [_line(cells) for cells in rows]
    if not lines:
        return "None."
    titles = list(head)
    return "\n".join([_line(titles), _line("---" for _ in titles), *lines])


def picture(text: str, path: PurePath) -> str:
    """Show a picture.

    Args:
        text: What it shows, for those who cannot see it.
        path: Its file as seen from the report's folder.

    >>> from pathlib import PurePosixPath
    >>> print(picture("the loss", PurePosixPath("curves/a b.png")))
    ![the loss](curves/a%20b.png)
    """
    return f"!{link(text, path)}"


def link(text: str, path: PurePath) -> str:
    """Link to a file.

    Args:
        text: What is read.
        path: The file as seen from the report's folder.
    """
    return f"[{plain(text)}]({quote(os.fsencode(path.as_posix()))})"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
