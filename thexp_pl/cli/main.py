"""The entry point of ``thexp-pl``: which command runs, and how errors end it.

Exit codes: 0 done; 1 failed at run time; 2 the command cannot be carried out as written; 130
interrupted from the keyboard.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from thexp_pl import __version__
from thexp_pl.cli.report import report_errors
from thexp_pl.errors import UsageError, near_miss

__all__ = ["main"]

_TRAINING = {
    "fit": "train: the built-in demo, --trainer_class MODULE:CLASS, or --model CLASS",
    "validate": "evaluate on the 'eval' data",
    "test": "evaluate on the 'test' data",
    "predict": "predict, and keep the predictions in the run's folder",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command of ``thexp-pl``.

    Args:
        argv: The words after the program's name; by default those of the command line.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    show_traceback = "--traceback" in words or os.environ.get("THEXP_DEBUG") == "1"
    words = [word for word in words if word != "--traceback"]
    if show_traceback:
        os.environ["THEXP_DEBUG"] = "1"  # the commands' own parts ask for it there
    try:
        with report_errors():
            return _dispatch(words)
    except KeyboardInterrupt:
        if show_traceback:
            raise
        sys.stderr.write("interrupted\n")
        return 130
    except BrokenPipeError:  # `thexp-pl list | head`: the reader has gone, there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(words: list[str]) -> int:
    is_training = bool(words) and (
        words[0] in _TRAINING
        or (
            words[0].split("=")[0] in ("-c", "--config")
            and any(word in _TRAINING for word in words)
        )
        or words[0].startswith("--print_completion")
    )
    if is_training:
        from thexp_pl.cli import training  # imports torch and Lightning

        return training.run(words)
    parser, commands = _parser()
    if not words:
        parser.print_help()
        return 2
    if not words[0].startswith("-") and words[0] not in commands:
        known = ", ".join(commands)
        raise UsageError(
            f"there is no command {words[0]!r}{near_miss(words[0], commands)} ({known})"
        )
    options = parser.parse_args(words)
    return int(options.run(options))


class _Parser(argparse.ArgumentParser):
    """A parser that reports in one line and knows no abbreviations."""

    def error(self, message: str) -> NoReturn:
        """End with code 2 and one line."""
        sys.stderr.write(f"error: {message}\n")
        raise SystemExit(2)


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    from thexp_pl.cli import records

    parser = _Parser(
        prog="thexp-pl",
        description="Train with PyTorch Lightning so that every run is recorded and reproducible.",
        epilog="thexp-pl COMMAND --help says more; --traceback shows where an error came from.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"thexp-pl {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in _TRAINING.items():
        commands.add_parser(name, help=text, add_help=False)  # `_dispatch` has taken it before
    records.add_parsers(commands)
    return parser, list(commands.choices)
