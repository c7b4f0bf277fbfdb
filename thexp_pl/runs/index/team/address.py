"""Where a team's index is, and what may be said of it: never the password."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.names import shown
from thexp_pl.runs.index.store import VARIABLE

__all__ = ["Address", "address_of"]

_FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"
_SCHEMES = ("postgresql://", "postgres://")
_PORTS = re.compile(r"[0-9,]*")
_OWN = f"or unset {VARIABLE} to read the runs of this machine alone"


@dataclass(frozen=True)
class Address:
    """The address of a server.

    Args:
        options: What `psycopg.connect` takes, the password among it.
        place: Host and database, for messages.
    """

    options: dict[str, Any] = field(repr=False)
    place: str

    @property
    def digest(self) -> str:
        """Twelve hexadecimal letters that tell one index, and one user of it, from another."""
        names = ("host", "hostaddr", "port", "dbname", "user", "service")
        told = "\n".join(f"{name}={self.options.get(name, '')}" for name in names)
        return hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()[:12]

    def fault(self, error: Exception) -> RecordError:
        """Say that the server cannot be used, and why.

        Args:
            error: What psycopg raised.

        Returns:
            The error to raise, ``from None``: psycopg's own may hold the password.
        """
        why = " ".join(str(error).split())
        password = str(self.options.get("password") or "")
        if password and password in why:  # by chance, too: what is crossed out tells a short one
            why = ""
        told = shown(why or type(error).__name__, 300)[1:-1]
        return RecordError(
            f"the team's index on {self.place} cannot be used: {told}; mend {VARIABLE} or the"
            f" server, {_OWN}"
        )


def address_of(url: str) -> Address:
    """Read the address of a server.

    Args:
        url: Such as ``postgresql://user:password@host/database``.

    Returns:
        The address.

    Raises:
        UsageError: It is none, or psycopg is not installed.
    """
    if not url.startswith(_SCHEMES):
        raise UsageError(f"{VARIABLE} is no address of a PostgreSQL server: write {_FORM}, {_OWN}")
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise UsageError(
            f"a team's index ({VARIABLE}) needs the package psycopg; run:"
            " pip install 'thexp-pl[postgres]'"
        ) from None
    try:
        options = conninfo_to_dict(url)
    except (psycopg.Error, ValueError):
        raise _unreadable() from None
    if not _is_plain(url, str(options.get("port") or "")):
        raise _unreadable()
    host = options.get("host") or options.get("hostaddr") or "this machine"
    port = f":{options['port']}" if options.get("port") else ""
    name = f"{host}{port}/{options.get('dbname') or options.get('user') or ''}"
    return Address(dict(options), shown(name, 200))


def _is_plain(url: str, ports: str) -> bool:
    """Say whether no part of a password can have become one of the host, the port or the name."""
    before, _, after = url.partition("://")[2].partition("/")
    return before.count("@") <= 1 and "@" not in after and _PORTS.fullmatch(ports) is not None


def _unreadable() -> UsageError:
    return UsageError(
        f"{VARIABLE} cannot be read: write {_FORM}, with signs such as @ and / in the password"
        f" as %40 and %2F, {_OWN}"
    )
