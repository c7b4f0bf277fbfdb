"""The training commands: fit, validate, test, predict."""

from __future__ import annotations

import sys
from pathlib import Path

from lightning_fabric.utilities.exceptions import MisconfigurationException

from thexp_pl.cli.lightning_cli import ThexpCLI
from thexp_pl.errors import UsageError

__all__ = ["run"]


def run(words: list[str]) -> int:
    """Run a training command.

    Args:
        words: The words of the command line, the subcommand among them.

    Returns:
        0.

    Raises:
        UsageError: If Lightning refuses the combination of options.
        SystemExit: With code 2, for a mistake in the command.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:  # as for `python -m`: the user's modules are here
        sys.path.insert(0, folder)
    try:
        ThexpCLI(args=words)
    except MisconfigurationException as error:
        raise UsageError(" ".join(str(error).split())) from error
    return 0
