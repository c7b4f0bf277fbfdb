"""Ports for processes that are told theirs before they listen."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_port() -> Iterator[int]:
    """Give a port of this machine that nobody else is given by chance until the block ends.

    A socket that is bound to it and does not listen keeps it out of what the system gives to
    others, and in the way of nobody who binds it by its number with SO_REUSEADDR, as torch does.
    """
    with socket.socket() as keeping:
        keeping.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeping.bind(("127.0.0.1", 0))
        yield keeping.getsockname()[1]
