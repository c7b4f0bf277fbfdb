"""Who tells a team of runs: one user's home on one machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path

from thexp_pl.atomic import read_bytes, write_text
from thexp_pl.globvars import thexp_home

__all__ = ["digest", "machine", "new_teller", "teller"]

_ID = re.compile(r"[0-9a-f]{32}")
_MAX_BYTES = 100
_LETTERS = 32


def teller() -> str:
    """Name this machine, user and home: who tells of a root, and takes back what was told.

    A random id in the home tells machines apart that have one name and one number, as copies of
    one image do.
    """
    return _named(_home_id())


def new_teller() -> str:
    """Name this machine, user and home anew: the home, id and all, is a copy of another."""
    with contextlib.suppress(OSError):
        write_text(_file(), secrets.token_hex(_LETTERS // 2))
    return teller()


def machine() -> str:
    """Name this machine: hosts of one name are told apart by what the system says of itself."""
    number = b""
    with contextlib.suppress(OSError):
        number = Path("/etc/machine-id").read_bytes()[:_MAX_BYTES]
    return digest(number + b"\n" + os.fsencode(os.uname().nodename))


def digest(data: bytes) -> str:
    """Give 32 hexadecimal letters that stand for some bytes."""
    return hashlib.sha256(data).hexdigest()[:_LETTERS]


def _named(home: str) -> str:
    return digest(f"{machine()} {os.getuid()} {home}".encode())


def _home_id() -> str:
    """Give the home's id, made where there is none; empty where none can be kept."""
    with contextlib.suppress(OSError, ValueError):
        with contextlib.suppress(FileNotFoundError):
            return _read()
        _make()
        return _read()
    return ""


def _read() -> str:
    found = read_bytes(_file(), limit=_MAX_BYTES).decode()
    if not _ID.fullmatch(found):
        raise ValueError("no id of a home")
    return found


def _make() -> None:
    """Make the file whole, and once: of several processes that make it, one does."""
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f"{file.name}-{secrets.token_hex(8)}")
    write_text(made, secrets.token_hex(_LETTERS // 2))
    try:
        with contextlib.suppress(FileExistsError):
            os.link(made, file)
    finally:
        made.unlink()


def _file() -> Path:
    return thexp_home() / "teller"
