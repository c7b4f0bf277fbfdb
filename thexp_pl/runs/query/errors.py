"""What is wrong with a query, in one line."""

from __future__ import annotations

from thexp_pl.errors import UsageError

__all__ = ["QueryError"]


class QueryError(UsageError):
    """A query that cannot be carried out as written.

    Args:
        message: One line.
        position: The character of the query where the fault is, from 1; None where it is not
            known yet.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (at character {position})")
        self.position = position
