"""Which command of ``thexp-pl`` runs; see `thexp_pl.cli.main`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import Any, NoReturn

from thexp_pl import __version__
from thexp_pl.cli.report import report_errors
from thexp_pl.errors import UsageError, near_miss

__all__ = ["command_parser", "dispatch"]

_TRAINING = {
    "fit": "train: the built-in demo, --trainer_class MODULE:CLASS, or --model CLASS",
    "validate": "evaluate on the 'eval' data",
    "test": "evaluate on the 'test' data",
    "predict": "predict, and keep the predictions in the run's folder",
}


def dispatch(words: list[str]) -> int:
    """Run one command.

    Args:
        words: Those after the program's name.

    Returns:
        The exit code.

    Raises:
        SystemExit: With the exit code, after one line on stderr or what was asked for on stdout.
    """
    if "--traceback" in words:
        words.remove("--traceback")
        os.environ["THEXP_DEBUG"] = "1"  # the commands' own parts ask for it there
    _show_every_character()
    with report_errors():
        try:
            code = _done(words)
        except SystemExit:
            sys.stdout.flush()  # here, where a reader that has gone is no error
            raise
        sys.stdout.flush()
        return code


def _show_every_character() -> None:
    """Print an escape for what the terminal's encoding does not know, in place of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _done(words: list[str]) -> int:
    if _is_training(words):
        from thexp_pl.cli import training  # imports torch and Lightning

        return training.run(words)
    parser, commands = command_parser()
    if not words:
        parser.print_help()
        return 2
    if not words[0].startswith("-") and words[0] not in commands:
        known = ", ".join(commands)
        raise UsageError(
            f"there is no command {words[0]!r}{near_miss(words[0], commands)} ({known})"
        )
    if words[0] == "sweep":  # whose words are those of fit as well
        from thexp_pl.cli.sweep_words import split_words

        own, others, bare = split_words(words[1:], commands["sweep"])
        options = parser.parse_args(["sweep", *own])
        options.words, options.own = others, bare
        return int(options.run(options))
    options = parser.parse_args(words)
    return int(options.run(options))


def _is_training(words: list[str]) -> bool:
    head = words[0].partition("=")[0] if words else ""
    return head in _TRAINING or (head in ("-c", "--config") and bool(_TRAINING.keys() & set(words)))


class _Parser(argparse.ArgumentParser):
    """A parser that reports in one line and knows no abbreviations."""

    def error(self, message: str) -> NoReturn:
        """End with code 2 and one line."""
        if message.endswith(("expected one argument", "expected at least one argument")):
            # what begins with a dash was taken for a flag
            flag = message.split(":")[0].split("/")[-1].split()[-1]
            message += f"; give it a value, and one that begins with a dash as {flag}=-VALUE"
        sys.stderr.write(f"error: {message}\n")
        raise SystemExit(2)


def command_parser() -> tuple[argparse.ArgumentParser, dict[str, Any]]:
    """Make the parser of all commands; those that train are there by name alone.

    Returns:
        The parser, and the parsers of the commands by name.
    """
    from thexp_pl.cli import commands as record_commands
    from thexp_pl.cli import completion

    parser = _Parser(
        prog="thexp-pl",
        description="Train with PyTorch Lightning so that every run is recorded and saved.",
        epilog="thexp-pl COMMAND --help says more; --traceback shows where an error came from.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"thexp-pl {__version__}")
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in _TRAINING.items():
        commands.add_parser(name, help=text, add_help=False)  # `_done` has taken it before
    record_commands.add_parsers(commands)
    completion.add_parser(commands)
    return parser, commands.choices
