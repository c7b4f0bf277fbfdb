"""What a user chooses about a record: which parts of it are made, and how its faults are told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown

__all__ = ["RecordOptions", "checked_options"]


@dataclass(frozen=True)
class RecordOptions:
    """The choices, checked.

    Args:
        code: Whether a snapshot of the code is taken.
        project: The folder to take; None to find it from the script.
        max_file_bytes: Larger files are left out of the snapshot.
        console: Whether stdout and stderr are copied; None: yes, but not in a notebook.
        strict: Whether a fault of the recorder is an exception in place of one warning.
    """

    code: bool = True
    project: Path | None = None
    max_file_bytes: int = 10_000_000
    console: bool | None = None
    strict: bool = False


def checked_options(
    code: bool,
    project: str | os.PathLike[str] | None,
    max_file_mb: float,
    console: bool | None,
    strict: bool,
) -> RecordOptions:
    """Check the choices as a user writes them.

    Args:
        code: As in `RecordOptions`.
        project: A folder that is there, or None.
        max_file_mb: Megabytes (10**6 bytes), above 0.
        console: As in `RecordOptions`.
        strict: As in `RecordOptions`.

    Returns:
        The choices.

    Raises:
        UsageError: The project is no folder, or the size is no such number.
    """
    if project is not None and not Path(project).is_dir():
        raise UsageError(
            f"project={shown(str(project))} is no folder: name the folder that holds the code"
        )
    is_number = isinstance(max_file_mb, int | float) and not isinstance(max_file_mb, bool)
    if not is_number or not 0 < max_file_mb < float("inf"):
        raise UsageError(f"max_file_mb={max_file_mb!r}: give megabytes above 0, such as 10")
    folder = None if project is None else Path(os.path.abspath(project))  # noqa: PTH100 - `..`
    return RecordOptions(code, folder, int(max_file_mb * 1e6), console, strict)
