"""Files that are made of records, where a user asks for them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown

__all__ = ["output_error", "refuse_taken"]

_LETTERS = 200


def refuse_taken(target: Path) -> None:
    """Refuse the name of a file that is there already, or of a link that leads nowhere.

    Args:
        target: The file to be written.

    Raises:
        RecordError: It is there.
    """
    if os.path.lexists(target):
        raise RecordError(
            f"there is a {shown(str(target), _LETTERS)} already: remove it, or name another file"
        )


def output_error(target: Path, error: OSError) -> RecordError:
    """Say in one line that a file could not be written, why, and the way out.

    Args:
        target: The file.
        error: What the system said.

    Returns:
        The error to raise.
    """
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    way_out = "free some space there" if is_full else "see that its folder can be written"
    return RecordError(
        f"cannot write {shown(str(target), _LETTERS)}: {error.strerror or error}; {way_out}, or"
        " name another file"
    )
