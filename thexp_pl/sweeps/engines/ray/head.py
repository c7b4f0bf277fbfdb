"""`Head`: whether the head of a cluster still answers.

Ray itself waits a minute for a head that is gone, in the midst of a call, and ends the process
then, without a word of Python's. So nothing is asked of a head that does not answer.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from thexp_pl.errors import RecordError

__all__ = ["Head"]

_PATIENCE_SECONDS = 20.0  # a head may be started anew; what runs is to be saved within Ray's minute
_CONNECT_SECONDS = 2.0


class _HeadGoneError(RecordError):
    exit_code = 1


class Head:
    """The head of a cluster.

    Args:
        address: Where it listens, ``host:port``.
        name: What messages call the cluster.
        patience: How long it may be away, seconds.
    """

    def __init__(self, address: str, name: str, patience: float = _PATIENCE_SECONDS) -> None:
        host, _, port = address.rpartition(":")
        self._target = host.strip("[]"), int(port)
        self._name, self._patience = name, patience
        self._gone_since: float | None = None

    def is_there(self) -> bool:
        """Ask whether it answers now."""
        with suppress(OSError):
            socket.create_connection(self._target, _CONNECT_SECONDS).close()
            self._gone_since = None
            return True
        if self._gone_since is None:
            self._gone_since = time.monotonic()
        return False

    def check(self) -> None:
        """See that it has not been away for too long.

        Raises:
            RecordError: It has.
        """
        if self.is_there() or self._gone_since is None:
            return
        if time.monotonic() - self._gone_since >= self._patience:
            raise _HeadGoneError(
                f"the head of {self._name} does not answer any more: see `ray status`; what ran"
                " was asked to end with a checkpoint, and the same command goes on"
            )
