"""The training commands: fit, validate, test, predict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from thexp_pl.cli.lightning_cli import ThexpCLI
from thexp_pl.record.again import take_checkpoint

__all__ = ["parsers", "run"]

_PROGRAM = "thexp-pl"


def run(words: list[str]) -> int:
    """Run a training command.

    Args:
        words: The words of the command line, the subcommand among them.

    Returns:
        0.

    Raises:
        SystemExit: With code 2, for a mistake in the command.
    """
    _look_in_this_folder()
    is_fit = "fit" in (words if words[0].startswith("-") else words[:1])
    checkpoint = take_checkpoint() if is_fit else ""
    if checkpoint:  # the last one that is given counts
        words = [*words, f"--ckpt_path={checkpoint}"]
    ThexpCLI(args=words, parser_kwargs={"prog": _PROGRAM})
    return 0


def parsers(words: list[str]) -> dict[str, Any]:
    """Give the parsers of the training commands, which nothing is parsed with.

    Args:
        words: Words that say what is trained.

    Returns:
        The parsers by command.
    """
    _look_in_this_folder()
    try:
        _Unparsed(args=["fit", *words], parser_kwargs={"prog": _PROGRAM})
    except _Made as made:
        return dict(made.args[0])
    raise AssertionError("parse_arguments is always called")


class _Made(Exception):  # noqa: N818 - no error: how `_Unparsed` hands over its parsers
    """The parsers are made."""


class _Unparsed(ThexpCLI):
    """A command line that stops before it parses: LightningCLI has no other way to its parsers."""

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Hand the parsers over."""
        raise _Made(self._subcommand_parsers)


def _look_in_this_folder() -> None:
    """Find the user's modules as ``python -m`` does."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
