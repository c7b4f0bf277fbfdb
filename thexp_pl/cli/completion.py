"""``thexp-pl completion``: a script that lets the shell complete commands and flags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from thexp_pl.errors import UsageError

__all__ = ["add_parser", "run_completion"]

_SHELLS = ("bash", "zsh", "tcsh")
# Words and runs are found by the shell itself: to ask Python for them would take half a second
# at each press of the key.
_CHECKPOINTS = {
    "bash": "_thexp_pl_checkpoints",
    "zsh": "_thexp_pl_checkpoints",
    "tcsh": "f",
    "preamble": {
        "bash": """
_thexp_pl_checkpoints() {
  local manifest key
  compgen -f -- "$1"
  compgen -W "last best" -- "$1"
  for manifest in experiment/*/*/run.json; do
    key=${manifest%/run.json}
    key=${key##*/}
    [ -e "$manifest" ] && compgen -W "$key@last $key@best" -- "$1"
  done
}
""",
        "zsh": """
_thexp_pl_checkpoints() {
  local manifest
  local -a words=(last best)
  for manifest in experiment/*/*/run.json(N); do
    words+=("${manifest:h:t}@last" "${manifest:h:t}@best")
  done
  _alternative "words:checkpoint:compadd -a words" "files:file:_files"
}
""",
    },
}


def add_parser(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    text = "print a script that completes commands and flags"
    parser = subparsers.add_parser(
        "completion",
        help=text,
        description=text[0].upper()
        + text[1:]
        + ', as in: eval "$(thexp-pl completion bash)". The flags of fit and its kin are those of'
        " the trainer that fit would train; after a change of its parameters, make it anew.",
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell")
    parser.add_argument("--trainer_class", metavar="CLASS", help="as for fit")
    parser.set_defaults(run=run_completion)


def run_completion(arguments: argparse.Namespace) -> int:
    """Print the script.

    Args:
        arguments: ``shell`` and ``trainer_class``.

    Returns:
        0.

    Raises:
        UsageError: If shtab, which makes the script, is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise UsageError("completion needs the package shtab; run: pip install shtab") from None
    from thexp_pl.cli.main import command_parser
    from thexp_pl.cli.training import parsers

    parser, commands = command_parser()
    name = arguments.trainer_class
    commands |= parsers([] if name is None else [f"--trainer_class={name}"])
    for command in commands.values():
        for action in command._actions:
            if action.dest == "config":
                action.complete = shtab.FILE
            elif action.dest == "ckpt_path":
                action.complete = _CHECKPOINTS
            elif action.dest == "exps_dir":
                action.complete = shtab.DIRECTORY
            elif not action.choices:
                action.choices = sorted(_values(action)) or None
    sys.stdout.write(shtab.complete(parser, arguments.shell))
    return 0


def _values(action: Any) -> Iterator[str]:
    """Give the values that a flag of a training command names."""
    from thexp_pl.cli.params_group import Reader
    from thexp_pl.cli.typewords import literals

    if isinstance(action.type, Reader):
        yield from action.type.choices()
    else:
        yield from literals(getattr(action, "_typehint", None))
