"""Who may ask: the pages of this server itself, in the browser of whoever was told the token.

Every user of the machine, and every page in the user's browser, can reach a port of 127.0.0.1. So:

- the address must be this machine's own: a foreign name that resolves to 127.0.0.1 is refused;
- the browser must not say that another site asks (``Sec-Fetch-Site``, ``Origin``);
- the token, once given in the address, becomes a cookie that scripts cannot read and that no other
  site's request carries; nothing is answered without it;
- what changes something also needs a header that a form of another site cannot send.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

__all__ = ["HEADER", "Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER = b"x-thexp"  # on what changes something
_SAFE = ("GET", "HEAD")
_OWN = ("same-origin", "none")  # `none`: typed, or opened from outside the browser
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    b"cache-control": b"no-store",
}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><h1>{title}</h1><p>{text}</p></html>
"""
_NO_TOKEN = (
    "These pages are for whoever started the server. Open the whole address that `thexp-pl ui`"
    " printed, with its token, in the address bar of this browser."
)


class Guard:
    """Lets through what is allowed, and puts the headers of safety on every answer.

    Args:
        inner: What answers.
        port: The port that is served.
        token: What the address has to hold once.
    """

    def __init__(self, inner: Application, port: int, token: str) -> None:
        self._inner = inner
        self._token = token
        self._once: set[str] = set()
        self._session = secrets.token_urlsafe(32)  # the cookie does not hold the token itself
        self._cookie = f"thexp_pl_{port}"  # cookies are the same for all ports
        hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
        self._hosts = [host.encode() for host in hosts]
        self._origins = [f"http://{host}".encode() for host in hosts]

    def once(self) -> str:
        """Make a token that lets somebody in just one time.

        Returns:
            The token.
        """
        token = secrets.token_urlsafe(32)
        self._once.add(token)
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served here")
        given = _Headers(scope)
        fault = self._fault(scope, given)
        if fault:
            await _answer(send, 403, fault)
        elif self._is_entering(scope):
            cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
            headers = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
            await _answer(send, 303, "Come in.", headers)
        elif not self._is_known(given):
            await _answer(send, 403, _NO_TOKEN)
        else:
            await self._inner(scope, receive, _with_headers(send))

    def _fault(self, scope: Scope, given: _Headers) -> str:
        """Say what is wrong with where a request comes from, or goes to."""
        hosts = given.all(b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return "This server answers to 127.0.0.1 and localhost only, by the port it was given."
        origins = given.all(b"origin")
        if any(site.decode("latin-1") not in _OWN for site in given.all(b"sec-fetch-site")) or any(
            origin not in self._origins for origin in origins
        ):
            return (
                "Another site asked for this. Copy the address that `thexp-pl ui` printed into"
                " the address bar."
            )
        if scope["method"] not in _SAFE and (not origins or not given.all(HEADER)):
            return "Only the pages of this server can change something."
        return ""

    def _is_entering(self, scope: Scope) -> bool:
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if len(tokens) != 1:
            return False
        spent = [each for each in self._once if _same(tokens[0], each)]
        self._once.difference_update(spent)
        return bool(spent) or _same(tokens[0], self._token)

    def _is_known(self, given: _Headers) -> bool:
        # by hand: `http.cookies` stops at an odd cookie that something else on this host has set
        for header in given.all(b"cookie"):
            for part in header.decode("latin-1").split(";"):
                name, _, value = part.strip().partition("=")
                if name == self._cookie and _same(value, self._session):
                    return True
        return False


class _Headers:
    def __init__(self, scope: Scope) -> None:
        self._pairs: list[tuple[bytes, bytes]] = list(scope["headers"])

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self._pairs if key.lower() == name]


def _same(given: str, right: str) -> bool:
    """Compare in a time that does not tell how much is right."""
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


async def _answer(
    send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = _PAGE.format(title="thexp-pl", text=html.escape(text)).encode()
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            *(headers or []),
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    send = _with_headers(send)
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = list(message["headers"])
            there = {name.lower() for name, _ in own}
            own += [pair for pair in _ALWAYS.items() if pair[0] not in there]
            message = {**message, "headers": own}
        await send(message)

    return sending
