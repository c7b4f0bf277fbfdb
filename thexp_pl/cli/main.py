"""The entry point of ``thexp-pl``: how a command ends.

Exit codes: 0 done; 1 failed at run time; 2 the command cannot be carried out as written; 130
interrupted from the keyboard; 143 ended by SIGTERM.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command of ``thexp-pl``.

    Args:
        argv: The words after the program's name; by default those of the command line.

    Returns:
        The exit code.
    """
    if sys.platform == "win32":
        sys.stderr.write("error: thexp-pl needs Linux or macOS; on Windows, run it in WSL\n")
        return 2
    try:
        from thexp_pl.cli.dispatch import dispatch  # here, for it may be interrupted too

        return dispatch(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        if os.environ.get("THEXP_DEBUG") == "1":
            raise
        sys.stderr.write("interrupted\n")
        return 130
    except BrokenPipeError:  # `thexp-pl list | head`: the reader has gone, there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
