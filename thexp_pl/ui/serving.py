"""The process of the live pages: a port of this machine, and a server on it until it is stopped."""

from __future__ import annotations

import errno
import secrets
import socket
import threading
from collections.abc import Callable

import uvicorn

from thexp_pl.errors import UsageError
from thexp_pl.runs import ExperimentViewer
from thexp_pl.ui.app import make_app
from thexp_pl.ui.guard import Guard

__all__ = ["FIRST_PORT", "serve"]

FIRST_PORT = 6007
_PORTS = 20
_HOST = "127.0.0.1"
_FAREWELL = 1.0  # seconds for answers that are under way


def serve(
    viewer: ExperimentViewer,
    port: int | None,
    tell: Callable[[str], None],
    show: Callable[[str], object] | None = None,
) -> None:
    """Serve the pages until the process is interrupted.

    Args:
        viewer: The runs.
        port: The port; 0 for any that is free, None for the first free one from `FIRST_PORT` on.
        tell: Told the address with its token, when it can be opened.
        show: Opens an address in a browser; what it is given can be opened once.

    Raises:
        UsageError: The port cannot be had.
        KeyboardInterrupt: It was interrupted.
    """
    with _listening(port) as listener:
        own = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        guard = Guard(make_app(viewer), own, token)
        config = uvicorn.Config(
            guard, log_config=None, log_level="critical", access_log=False, lifespan="off",
            ws="none", http="h11", loop="asyncio", proxy_headers=False, server_header=False,
            date_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        # In a thread of its own, for the main thread can end the process at once, whatever is read.
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            tell(f"http://{_HOST}:{own}/?token={token}")
            if show is not None:
                # other users of the machine see it among the words of the browser's process
                show(f"http://{_HOST}:{own}/?token={guard.once()}")
            thread.join()
        finally:
            server.should_exit = True
            thread.join(_FAREWELL)


def _listening(port: int | None) -> socket.socket:
    if port is not None:
        try:
            return _bound(port)
        except OSError as error:
            raise UsageError(
                f"cannot serve on port {port}: {error.strerror or error}; give another with"
                " --port, or leave it out"
            ) from None
    for each in range(FIRST_PORT, FIRST_PORT + _PORTS):
        try:
            return _bound(each)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    return _bound(0)


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # else the port of a server that has just ended is taken for a minute
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener
