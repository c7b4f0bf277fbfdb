"""Markdown as a reader sees it: headings, texts, tables, pictures and links."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Shown:
    """What a Markdown file shows.

    Args:
        text: The Markdown.
    """

    def __init__(self, text: str) -> None:
        self.tokens = _PARSER.parse(text)
        inline = [one for token in self.tokens for one in token.children or ()]
        self.kinds = {token.type for token in [*self.tokens, *inline]}
        self.pictures = [str(one.attrs["src"]) for one in inline if one.type == "image"]
        self.links = [str(one.attrs["href"]) for one in inline if one.type == "link_open"]
        self.headings = [
            _text(body)
            for opened, body in zip(self.tokens, self.tokens[1:], strict=False)
            if opened.type == "heading_open"
        ]
        self.paragraphs = [
            _text(body)
            for opened, body in zip(self.tokens, self.tokens[1:], strict=False)
            if opened.type == "paragraph_open"
        ]

    def rows(self, heading: str) -> list[list[str]]:
        """Give the rows of the first table below a heading, without its head."""
        rows: list[list[str]] = []
        below = False
        for token, body in zip(self.tokens, self.tokens[1:], strict=False):
            if token.type == "heading_open":
                below = _text(body) == heading
            elif below and token.type == "tr_open":
                rows.append([])
            elif below and token.type in ("td_open", "th_open"):
                rows[-1].append(_text(body))
            elif below and token.type == "table_close":
                break
        return rows[1:]

    def picture_files(self, folder: Path) -> list[Path]:
        """Give the files of the pictures."""
        return [folder / unquote(source) for source in self.pictures]


def shown(path: Path) -> Shown:
    return Shown(path.read_text())


def _text(token: Token) -> str:
    return "".join(
        _text(one) if one.type == "image" else one.content for one in token.children or ()
    )
