"""Sources and patches as HTML: escaped and highlighted by Pygments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from thexp_pl.report.extras import needed

__all__ = ["patch_html", "source_html"]

_WHAT = "a page with code"
_HEAD = '<span class="tok-gh">'
_HUNK, _FILE = '<span class="tok-gu">@@', f"{_HEAD}diff "
_SIGNED = re.compile('^<span class="tok-g[id]">')
_LONGEST = 2_000  # letters of a line: some of Pygments' patterns take the square of it


def source_html(path: str, text: str) -> str:
    """Highlight a source file.

    Args:
        path: Its name, which says the language.
        text: The source.

    Returns:
        Its lines as HTML: texts escaped, classes ``tok-*``, no tag over the end of a line.

    Raises:
        UsageError: There is no Pygments.
    """
    lexers = needed("pygments.lexers", _WHAT)
    found = lexers.TextLexer
    if max(map(len, text.split("\n"))) <= _LONGEST:
        found = lexers.find_lexer_class_for_filename(path.rpartition("/")[2]) or found
    return _html(text, found)


def patch_html(text: str) -> str:
    """Highlight a patch: ``tok-gi`` and ``tok-gd`` what was added and removed, no names of files.

    Args:
        text: The patch.

    Returns:
        As `source_html`.

    Raises:
        UsageError: There is no Pygments.
    """
    html = _html(text, needed("pygments.lexers", _WHAT).DiffLexer)
    return "\n".join(_without_signs_in_heads(html.split("\n")))


def _without_signs_in_heads(lines: list[str]) -> Iterator[str]:
    """Take ``--- a/x`` and ``+++ b/x`` above the hunks for the heading that they are."""
    in_head = True
    for line in lines:
        if line.startswith(_HUNK):
            in_head = False
        elif line.startswith(_FILE):
            in_head = True
        yield _SIGNED.sub(_HEAD, line) if in_head else line


def _html(text: str, lexer: Any) -> str:
    formatter = needed("pygments.formatters", _WHAT).HtmlFormatter(nowrap=True, classprefix="tok-")
    # lines at the beginning and the end that are empty count as lines
    found = needed("pygments", _WHAT).highlight(
        text, lexer(stripnl=False, ensurenl=False), formatter
    )
    return str(found)
