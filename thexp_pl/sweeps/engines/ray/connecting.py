"""Coming to a Ray cluster, or starting one on this machine, without its noise."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record.locks import is_held, take
from thexp_pl.record.names import escaped, shown
from thexp_pl.report.extras import needed, needs
from thexp_pl.sweeps.engines.ray.head import Head

__all__ = ["Connection"]

_NEED = ("--engine ray", "ray")
_PAUSE_SECONDS = 0.1
_SECONDS = 5.0
_ANSWER_SECONDS = 20.0  # Ray itself tries for minutes, and ends the process then
# the names of Ray's sockets are long, and a socket's name may have 107 bytes
_FOLDERS = Path("/tmp")
_PREFIX = "thexp_pl-ray-"
_LOCK = "thexp_pl.lock"
_STORE_BYTES = 100 << 20  # of a Ray of our own, through which nothing large goes
_CHANGED = ("RAY_", "PYTHONBREAKPOINT")  # what Ray sets
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # said on stdout of each worker that dies; the sweep says it by itself
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed while executing",
}


class Connection:
    """A Ray that attempts are handed to.

    Args:
        address: As ``ray.init`` takes it: ``host:port``, ``ray://host:port`` or ``auto``; None for
            the one that ``RAY_ADDRESS`` names, else one of our own on this machine.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, address: str | None) -> None:
        needs("ray", *_NEED)
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"
        _check_reachable(self.address)
        with _quiet():
            self.ray: Any = needed("ray", *_NEED)
        self._folder: Path | None = None
        self._lock: int | None = None
        self._head: Head | None = None
        self._is_ours = not self.ray.is_initialized()
        if self._is_ours:
            self._connect()

    @property
    def is_local(self) -> bool:
        """Whether it was started for this sweep, on this machine."""
        return self._folder is not None

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Ray on this machine" if self.is_local else f"the cluster at {shown(self.address)}"

    def is_answering(self) -> bool:
        """Say whether anything may be asked of it now."""
        return self._head is None or self._head.is_there()

    def check_head(self) -> None:
        """See that its head is not gone for good.

        Raises:
            RecordError: It is.
        """
        if self._head is not None:
            self._head.check()

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._is_ours:
            with _handlers_kept():
                self.ray.shutdown()
        if self._folder is not None:
            _remove(self._folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _connect(self) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if self.address == "local":
            options["_temp_dir"] = str(self._own_folder())
            options |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        if self.address.startswith("ray://"):
            options = {}  # they would be the server's
        try:
            with _handlers_kept(), _quiet(_own_token(self.address)), _silenced():
                self.ray.init(self.address, **options)
                head = self.address.removeprefix("ray://")
                if head == self.address:
                    head = self.ray.get_runtime_context().gcs_address
                self._head = Head(head, self.name)
        except (Exception, SystemExit) as error:
            self.close()
            raise _unreachable(self.address, f"{error}{_hint(self.address)}") from error

    def _own_folder(self) -> Path:
        """Make the folder of a Ray of our own; those of processes that were killed go."""
        for left in _FOLDERS.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                is_ours = left.lstat().st_uid == os.getuid() and (left / _LOCK).is_file()
                if is_ours and not is_held(left / _LOCK):
                    shutil.rmtree(left, ignore_errors=True)
        prefix = f"{_PREFIX}{os.getpid()}-"
        self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_FOLDERS))
        self._lock = take(self._folder / f"{_LOCK}.taken", 0)
        (self._folder / f"{_LOCK}.taken").rename(self._folder / _LOCK)  # never there and free
        return self._folder


def _remove(folder: Path) -> None:
    """Remove the folder of a Ray, whose processes may write there until they are gone."""
    deadline = time.monotonic() + _SECONDS
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _check_reachable(address: str) -> None:
    """See that something answers there, in seconds."""
    target = address.removeprefix("ray://")
    if address in ("local", "auto") or os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return
    if address.startswith(("http://", "https://")):
        raise _unreachable(address, "it is no host:port but the address of a page")
    host, _, port = target.rpartition(":")
    if not host or not port.isdecimal():
        raise _unreachable(address, "it is no host:port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error
    grpc: Any = import_module("grpc")  # comes with tensorboard
    channel = grpc.insecure_channel(target)
    try:
        grpc.channel_ready_future(channel).result(timeout=_ANSWER_SECONDS)
    except grpc.FutureTimeoutError:
        raise _unreachable(address, f"nothing answered within {_ANSWER_SECONDS:.0f} s") from None
    finally:
        channel.close()


def _hint(address: str) -> str:
    is_there = address not in ("local", "auto")
    return "; if it asks for a token, set RAY_AUTH_MODE=token" if is_there else ""


def _unreachable(address: str, why: str) -> UsageError:
    said = escaped(" ".join(why.split()))[:300]
    if address == "local":
        return UsageError(f"Ray cannot be started on this machine: {said}")
    return UsageError(
        f"no Ray cluster can be reached at {shown(address)}: {said}; name one that `ray status"
        " --address` shows as host:port or ray://host:port, or leave out --address to run on this"
        " machine"
    )


def _own_token(address: str) -> dict[str, str]:
    """Give the token of a Ray of our own, which would write one into the user's home else."""
    known = os.path.expanduser("~/.ray/auth_token")  # noqa: PTH111 - no error where there is no home
    is_known = "RAY_AUTH_TOKEN_PATH" in os.environ or os.path.exists(known)  # noqa: PTH110
    return {} if is_known or address != "local" else {"RAY_AUTH_TOKEN": _token()}


@cache
def _token() -> str:
    """Give the same token again: Ray reads it once in a process."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _quiet(more: Mapping[str, str] | None = None) -> Iterator[None]:
    """Have Ray quiet for a while; the variables are as they were then.

    What the user has set stays; what Ray sets, all that is started later would inherit.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith(_CHANGED)}
    os.environ.update({**_QUIET, **(more or {}), **before})
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith(_CHANGED)]:
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep off the terminal what Ray's own code writes past Python; its errors are exceptions."""
    with warnings.catch_warnings(), Path(os.devnull).open("wb") as nowhere:
        warnings.simplefilter("ignore")
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM: Ray puts one of its own in its place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if handler is None else handler)
