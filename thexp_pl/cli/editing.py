"""``thexp-pl config -e``: the variables of a level in the user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from thexp_pl.errors import GlobsError, UsageError
from thexp_pl.globvars.file import content, replace
from thexp_pl.record.names import shown

__all__ = ["edit_variables"]

_EMPTY = b"{}\n"
_FALLBACK = "vi"


def edit_variables(path: Path) -> bool:
    """Open the file of a level's variables in the user's editor, and take what comes back.

    The editor gets a copy, so that nobody reads what is half done and a mistake spoils nothing. A
    damaged file can be mended so. What cannot be taken is offered again at a terminal; else it
    stays in the copy, which the error names.

    Args:
        path: The file of the level.

    Returns:
        Whether anything was changed.

    Raises:
        GlobsError: The file cannot be read or written, or what was edited cannot be taken.
        UsageError: There is no editor, or it failed.
    """
    before = content(path)
    copy = _copied(path, before or _EMPTY)
    while True:
        _open(copy)
        after = content(copy)
        if after is None or after == (before or _EMPTY):
            copy.unlink(missing_ok=True)
            return False
        try:
            replace(path, after, before)
        except GlobsError as error:
            if _is_edited_again(error):
                continue
            raise GlobsError(
                f"nothing was changed: {error}; what was edited is in {str(copy)!r}"
            ) from None
        copy.unlink(missing_ok=True)
        return True


def _copied(path: Path, text: bytes) -> Path:
    """Write a copy that nobody else can read: beside the file, for editors go by its name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f"{path.stem}.edited-", suffix=path.suffix, dir=path.parent
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
    except OSError as error:
        raise GlobsError(
            f"cannot write beside {str(path)!r}: {error.strerror}; free it, or name another home"
            " in THEXP_HOME"
        ) from None
    return Path(name)


def _open(copy: Path) -> None:
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _FALLBACK
    try:
        command = shlex.split(named)
        code = subprocess.call([*command, str(copy)])
    except (OSError, ValueError) as error:
        copy.unlink(missing_ok=True)
        raise UsageError(
            f"cannot start the editor {shown(named)}: {error}; name one in VISUAL or EDITOR"
        ) from None
    if code != 0:
        raise UsageError(
            f"nothing was changed: the editor {shown(named)} ended with {code}; what was edited is"
            f" in {str(copy)!r}"
        )


def _is_edited_again(error: GlobsError) -> bool:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{error}\nEdit it again? [Y/n] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")
