"""Which connections of a process are watched: those to other ranks, and none of the user's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from torch import distributed

from thexp_pl.strategies import peers
from thexp_pl.strategies.exchange import Exchange
from thexp_pl.strategies.peers import meet, watching


@contextlib.contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect this process with itself; give both ends."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
        server.accept()[0] as far,
    ):
        yield near, far


def is_watched(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))


@pytest.fixture
def alone() -> Iterator[None]:
    """A world of one rank."""
    store = distributed.HashStore()
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_a_connection_that_is_made_meanwhile_is_watched_and_no_other() -> None:
    with connection() as (before, _), contextlib.ExitStack() as stack:
        with watching():
            made, _ = stack.enter_context(connection())
        assert not is_watched(before)
        assert is_watched(made)
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 45_000


def test_a_connection_to_another_rank_is_watched_whenever_it_was_made(
    alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "_peers", [])
    with connection() as (near, far), connection() as (own, _):
        ends = frozenset({far.getsockname()})
        meet(lambda peer: [peer, replace(peer, rank=1, ends=ends)])
        assert is_watched(near)
        assert not is_watched(own)


def test_an_exchange_leaves_the_connections_of_the_user_alone(alone: None) -> None:
    with connection() as (near, far):
        Exchange(None).close()
        assert not is_watched(near)
        assert not is_watched(far)
