"""The text of a query as a tree of Python's own parser; nothing of it is ever run."""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from thexp_pl.errors import QueryError
from thexp_pl.record.names import shown

__all__ = ["located", "parse"]

# What SQLite takes for certain: expressions 1,000 deep, and in old releases 999 bound values.
_MAX_LETTERS = 50_000
_MAX_WORDS = 450
_MAX_DEPTH = 100
_KEYWORD = re.compile(rf"\.\s*({'|'.join(keyword.kwlist)})\b")
_KEY = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2}-")
_SINGLE = re.compile(r"[^=<>!]=[^=]")


def parse(text: str) -> ast.expr:
    """Read a query.

    Args:
        text: The query.

    Returns:
        The tree.

    Raises:
        QueryError: It is no expression, or one too large.
    """
    if not isinstance(text, str):
        raise QueryError(
            f"a query is a text such as \"status == 'finished'\", and not {text!r:.80}"
        )
    if not text.strip():
        raise QueryError("the query is empty: write one such as status == 'finished'")
    if len(text) > _MAX_LETTERS:
        raise QueryError(f"the query has {len(text):,} characters, and may have {_MAX_LETTERS:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # '\d' in a pattern is meant as it stands
            tree = ast.parse(_line(text), "<query>", "eval").body
    except SyntaxError as error:
        raise _not_read(text, error) from None
    except UnicodeEncodeError:
        raise QueryError(
            "the query holds half a character (a lone surrogate); take it out"
        ) from None
    except (RecursionError, MemoryError):
        raise QueryError("the query is nested too deep; write it with fewer brackets") from None
    except ValueError as error:  # NUL, and whatever else Python refuses as source
        raise QueryError(f"the query cannot be read: {error}") from None
    _check_size(tree)
    return tree


@contextmanager
def located(text: str, node: ast.expr) -> Iterator[None]:
    """Say in a QueryError from within where in the query it is, where it does not say so yet.

    Args:
        text: The query.
        node: What is looked at.
    """
    try:
        yield
    except QueryError as error:
        if error.position is not None:
            raise
        before = _line(text).encode()[: node.col_offset].decode("utf-8", "ignore")
        indent = len(text) - len(text.lstrip())
        raise QueryError(str(error), indent + len(before) + 1) from None


def _line(text: str) -> str:
    return re.sub(r"[\r\n\f]", " ", text.strip())


def _not_read(text: str, error: SyntaxError) -> QueryError:
    message = f"the query {shown(text)} is no expression: {error.msg}"
    if "&&" in text or "||" in text:
        message += "; write `and`, `or`"
    elif (word := _KEYWORD.search(text)) is not None:
        message += f"; {word[1]!r} is a word of Python's: write params[{word[1]!r}]"
    elif _SINGLE.search(text) is not None:
        message += "; equal is written =="
    elif _KEY.match(text) is not None:
        message += f"; for a run by its key write key == {shown(text)}"
    indent = len(text) - len(text.lstrip())
    return QueryError(message, indent + (error.offset or len(text.strip()) + 1))


def _check_size(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    words = 0
    for _ in range(_MAX_DEPTH):
        words += sum(isinstance(node, ast.Name | ast.Constant) for node in level)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if words > _MAX_WORDS:
            raise QueryError(f"the query has more than {_MAX_WORDS} names and values; ask for less")
        if not level:
            return
    raise QueryError(f"the query is nested deeper than {_MAX_DEPTH} levels; write it flatter")
