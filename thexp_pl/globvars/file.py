"""The file of a level's variables: read whole, and replaced in one step under a lock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_bytes, read_json, write_bytes
from thexp_pl.errors import GlobsError
from thexp_pl.globvars.places import thexp_home
from thexp_pl.jsonable import dumps, loads

__all__ = ["changing", "content", "read", "replace"]

_LOCK_SECONDS = 30
_MAX_BYTES = 64 << 20


def read(path: Path) -> dict[str, Any]:
    """Read the variables of a level.

    Args:
        path: The file.

    Returns:
        The variables; none where there is no file.

    Raises:
        GlobsError: It is damaged or cannot be read.
    """
    try:
        variables = _checked(read_json(path, limit=_MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GlobsError(f"cannot read the variables in {str(path)!r}: {error}; mend it") from error
    return variables


def content(path: Path) -> bytes | None:
    """Read the file of a level as it is, also a damaged one.

    Args:
        path: The file.

    Returns:
        Its content; None where there is no file.

    Raises:
        GlobsError: It cannot be read.
    """
    try:
        return read_bytes(path, limit=_MAX_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise GlobsError(f"cannot read the variables in {str(path)!r}: {error}") from error


def replace(path: Path, text: bytes, seen: bytes | None) -> None:
    """Put a text, such as one that was edited, in place of a whole file.

    Args:
        path: The file; its folder is made.
        text: Its new content.
        seen: The content that the text was made from; None where there was no file.

    Raises:
        GlobsError: The text is no object in JSON, the file is no longer as it was seen, or it
            cannot be written; it stays as it is.
    """
    try:
        _checked(loads(text))
    except ValueError as error:
        raise GlobsError(f"the text cannot be variables: {error}") from None
    with _locked(path):
        if content(path) != seen:
            raise GlobsError(f"{str(path)!r} was changed by somebody else in the meantime")
        _write(path, text)


@contextlib.contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """Hand out the variables of a level to be changed; they are written where no error leaves.

    Args:
        path: The file; its folder is made.

    Yields:
        The variables.

    Raises:
        GlobsError: The file is damaged or cannot be written; it stays as it is.
    """
    with _locked(path):
        variables = read(path)
        yield variables
        _write(path, dumps(variables, indent=2) + b"\n")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import filelock  # 70 ms, and reading needs no lock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            yield
    except OSError as error:
        home = ", or name another home in THEXP_HOME" if path.parent == thexp_home() else ""
        raise GlobsError(
            f"cannot write the variables in {str(path)!r}: {error.strerror or error}; free it{home}"
        ) from error


def _checked(variables: Any) -> dict[str, Any]:
    if not isinstance(variables, dict):
        raise ValueError("it is no object: give {} for none")
    return variables


def _write(path: Path, text: bytes) -> None:
    if len(text) > _MAX_BYTES:  # it could not be read again
        raise GlobsError(
            f"the variables in {str(path)!r} would have {len(text):,} bytes, and at most"
            f" {_MAX_BYTES:,} are read: keep what is large in a file of its own"
        )
    write_bytes(path, text)
