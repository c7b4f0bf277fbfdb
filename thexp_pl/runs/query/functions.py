"""What a query's SQL needs besides SQLite's own functions."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["compiled", "functions_in"]


@functools.lru_cache(maxsize=32)  # re's own asks for the locale at each call
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression.

    Args:
        pattern: It.

    Returns:
        The expression.

    Raises:
        ValueError: It is none; `re.error` is not always one, and so becomes one.
        OverflowError: It repeats something too often.
        RecursionError: It is nested too deep.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean something else one day
            return re.compile(pattern)
    except re.error as error:
        raise ValueError(str(error)) from None


@contextlib.contextmanager
def functions_in(connection: sqlite3.Connection) -> Iterator[None]:
    """Let a connection carry out queries with ``matches``.

    Args:
        connection: One to the index.

    Yields:
        Nothing; what `matches` raises within, an interruption above all, leaves as it is, where
        SQLite alone would say no more than that a function failed.
    """
    faults: list[BaseException] = []

    def matches(pattern: str, text: str | bytes | None) -> bool:
        try:
            return _matches(pattern, text)
        except BaseException as error:
            faults.append(error)
            raise

    connection.create_function("thexp_matches", 2, matches, deterministic=True)
    try:
        yield
    except BaseException:
        if faults:
            raise faults[0] from None
        raise


def _matches(pattern: str, text: str | bytes | None) -> bool:
    if isinstance(text, bytes):  # the name of a folder that is not UTF-8
        text = os.fsdecode(text)
    return text is not None and compiled(pattern).search(text) is not None
