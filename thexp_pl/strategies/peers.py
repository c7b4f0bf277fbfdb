"""The ranks at the other ends of the connections: given up when silent, and named when lost.

A process that ends closes its connections, and is missed at once. A machine that loses its power or
its network closes nothing: torch would wait for it until its own timeout, 30 minutes.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torch import distributed

__all__ = ["Loss", "loss_of", "meet", "watching"]

SILENCE_SECONDS = 45
_PROBE_SECONDS = 5
_END = re.compile(r"\[([0-9a-fA-F:.]+)\]:(\d{1,5})\b")  # as torch's gloo writes it in its errors
_SILENT = re.compile(r"timed out|No route to host|unreachable", re.IGNORECASE)

_End = tuple[str, int]  # of a connection: address and port


@dataclass(frozen=True)
class _Peer:
    """A rank as the others know it; ``ends`` are those of its sockets, also of what listens."""

    rank: int
    host: str
    ends: frozenset[_End]

    def addresses(self) -> set[str]:
        return {address for address, _ in self.ends}


_peers: list[_Peer] = []  # all ranks, since they have last met


@dataclass(frozen=True)
class Loss:
    """Ranks of one machine that a connection broke to.

    Args:
        ranks: Which.
        host: The name of their machine.
        is_silent: Whether they no longer answer; else their connection was closed.
    """

    ranks: list[int] = field(default_factory=list)
    host: str = ""
    is_silent: bool = False

    def __str__(self) -> str:
        """Say it in words.

        >>> str(Loss([2, 3], "south", is_silent=True))
        'ranks 2, 3 on south no longer answer: their machine, or the network to it, is gone'
        >>> str(Loss([1], "south"))
        'rank 1 on south has ended; its own output says why'
        """
        several = len(self.ranks) > 1
        who = f"{'ranks' if several else 'rank'} {', '.join(map(str, self.ranks))} on {self.host}"
        if self.is_silent:
            verb, whose = ("answer", "their") if several else ("answers", "its")
            return f"{who} no longer {verb}: {whose} machine, or the network to it, is gone"
        return f"{who} has ended; its own output says why"


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Watch the connections that are made meanwhile, by torch: the user's own are left alone.

    The system breaks one whose other end does not answer: it is probed, and fails once nothing has
    come back for `SILENCE_SECONDS`. A system that has no such thing (all but Linux) leaves them as
    they are.
    """
    before = {_number(one) for one in _sockets()}
    yield
    for one in _sockets():
        if _number(one) not in before:
            _watch(one)


def meet(gather: Callable[[_Peer], list[_Peer]]) -> None:
    """Learn who is at the other ends; called on all ranks, when they are connected.

    All connections to them are watched from then on, also those that were made before.

    Args:
        gather: Gives what all ranks have given, by rank.
    """
    rank = distributed.get_rank()
    ends = frozenset(_end(one.getsockname()) for one in _sockets())
    _peers[:] = gather(_Peer(rank, socket.gethostname(), ends))
    theirs = {end for peer in _peers if peer.rank != rank for end in peer.ends}
    for one in _sockets():
        with contextlib.suppress(OSError):  # it has no other end
            if _end(one.getpeername()) in theirs:
                _watch(one)


def _watch(connection: socket.socket) -> None:
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    options = {
        socket.TCP_KEEPIDLE: min(SILENCE_SECONDS, 3 * _PROBE_SECONDS),
        socket.TCP_KEEPINTVL: _PROBE_SECONDS,
        # the bound on both: probes, and what was sent and never acknowledged
        socket.TCP_USER_TIMEOUT: 1000 * SILENCE_SECONDS,
    }
    with contextlib.suppress(OSError):  # it has just been closed
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in options.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def loss_of(error: BaseException) -> Loss | None:
    """Find the ranks that a broken connection led to.

    Args:
        error: What was raised, or what it was raised from, by torch's gloo.

    Returns:
        Who is lost; None where the error does not tell.
    """
    text = str(error)
    ends = {
        _end((address, port))
        for address, written in _END.findall(text)
        # gloo writes its bytes turned round
        for port in (int(written), socket.ntohs(int(written) & 0xFFFF))
    }
    lost = next((peer for peer in _peers if peer.ends & ends), None)
    if lost is None:
        return None if error.__cause__ is None else loss_of(error.__cause__)
    if _SILENT.search(text) is None:
        return Loss([lost.rank], lost.host)
    ranks = [peer.rank for peer in _peers if peer.addresses() & {address for address, _ in ends}]
    return Loss(ranks, lost.host, is_silent=True)


def _sockets() -> Iterator[socket.socket]:
    """Go through the TCP sockets that this process has."""
    for place in filter(Path.is_socket, list(Path("/dev/fd").iterdir())):
        # it may be closed by now
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(place.name))) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6):
                yield found


def _number(connection: socket.socket) -> int:
    return os.fstat(connection.fileno()).st_ino


def _end(name: tuple[str, int]) -> _End:
    address = ipaddress.ip_address(name[0].partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address), name[1]
