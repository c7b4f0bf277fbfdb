"""``thexp-pl completion``: a script that lets the shell complete commands and flags."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from thexp_pl.errors import UsageError

__all__ = ["add_parser", "run_completion", "script_for"]

_SHELLS = ("bash", "zsh", "tcsh")
# Words and runs are found by the shell itself: to ask Python for them would take a quarter of a
# second at each press of the key. `compgen -W` is not used for names of folders: it would carry out
# a `$(command)` in one. What would not survive the line being read again is not offered.
_BASH = r"""
_thexp_pl_offer() {
  local typed=$1 word
  shift
  for word; do
    case $word in
      *[[:space:][:cntrl:]\'\"\\\$\`\&\;\|\<\>\(\)\*\?\[\{\#]*) ;;
      "$typed"*) printf '%s\n' "$word" ;;
    esac
  done
}
_thexp_pl_checkpoints() {
  local manifest key
  local -a words=(last best)
  compgen -f -- "$1"
  for manifest in experiment/*/*/run.json; do
    key=${manifest%/run.json}
    key=${key##*/}
    [ -e "$manifest" ] && words+=("$key@last" "$key@best")
  done
  _thexp_pl_offer "$1" "${words[@]}"
}
_thexp_pl_runs() {
  local entry text found pattern='"path": "([^"\\]*)"'
  local -a words=(@last)
  for entry in "${THEXP_HOME:-$HOME/.thexp}"/roots/*.json; do
    [ -e "$entry" ] || continue
    IFS= read -r -d '' text < "$entry"
    [[ $text =~ $pattern ]] || continue
    for found in "${BASH_REMATCH[1]}"/*/"$1"*/run.json; do
      [ -e "$found" ] || continue
      found=${found%/run.json}
      words+=("${found##*/}")
    done
    for found in "${BASH_REMATCH[1]}/$1"*/; do
      found=${found%/}
      [ -d "$found" ] && words+=("${found##*/}")
    done
  done
  _thexp_pl_offer "$1" "${words[@]}"
}
"""
_ZSH = r"""
_thexp_pl_checkpoints() {
  local manifest
  local -a words=(last best)
  for manifest in experiment/*/*/run.json(N); do
    words+=("${manifest:h:t}@last" "${manifest:h:t}@best")
  done
  _alternative "words:checkpoint:compadd -a words" "files:file:_files"
}
_thexp_pl_runs() {
  local entry found root
  local -a words=(@last) match mbegin mend
  for entry in "${THEXP_HOME:-$HOME/.thexp}"/roots/*.json(N); do
    [[ "$(<$entry)" =~ '"path": "([^"\\]*)"' ]] || continue
    root=$match[1]
    for found in $root/*/*/run.json(N); do
      words+=("${found:h:t}")
    done
    for found in $root/*(N/); do
      words+=("${found:t}")
    done
  done
  compadd -a words
}
"""
_PREAMBLE = {"bash": _BASH, "zsh": _ZSH}
_CHECKPOINTS = {
    "bash": "_thexp_pl_checkpoints",
    "zsh": "_thexp_pl_checkpoints",
    "tcsh": "f",
    "preamble": _PREAMBLE,
}
# What shtab writes has zsh complete the first of several runs alone.
_FIRST_RUN = re.compile(r'"\(\*\)::?(?=[^"\n]*:_thexp_pl_runs")')
_RUNS = {"bash": "_thexp_pl_runs", "zsh": "_thexp_pl_runs", "tcsh": "f", "preamble": _PREAMBLE}


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
        import shtab  # noqa: F401 - asked for before the parsers, which take seconds
    except ImportError:
        raise UsageError("completion needs the package shtab; run: pip install shtab") from None
    from thexp_pl.cli.dispatch import command_parser
    from thexp_pl.cli.training import parsers

    parser, commands = command_parser()
    name = arguments.trainer_class
    commands |= parsers([] if name is None else [f"--trainer_class={name}"])
    sys.stdout.write(script_for(parser, commands, arguments.shell))
    return 0


def script_for(
    parser: argparse.ArgumentParser,
    commands: Mapping[str, argparse.ArgumentParser],
    shell: str,
) -> str:
    """Write the script of some commands.

    Args:
        parser: The parser that they belong to.
        commands: Their own parsers.
        shell: ``bash``, ``zsh`` or ``tcsh``.

    Returns:
        The script.
    """
    import shtab

    _offer_values(commands)
    return _FIRST_RUN.sub('"*:', shtab.complete(parser, shell))


def _offer_values(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Say of each argument of some commands what may stand there."""
    import shtab

    for command in commands.values():
        for action in command._actions:
            if action.dest == "config":
                offered: Any = shtab.FILE
            elif action.dest == "ckpt_path":
                offered = _CHECKPOINTS
            elif action.dest == "exps_dir":
                offered = shtab.DIRECTORY
            elif _is_run(action):
                offered = _RUNS
            else:
                if not action.choices:
                    action.choices = sorted(_values(action)) or None
                continue
            action.complete = offered  # type: ignore[attr-defined]  # shtab's own


def _is_run(action: argparse.Action) -> bool:
    """Tell an argument that names a run: KEY, KEY|QUERY and the like, and the A and B of diff."""
    word = str(action.metavar)
    return not action.option_strings and (word.startswith("KEY") or word in ("A", "B"))


def _values(action: Any) -> Iterator[str]:
    """Give the values that a flag of a training command names."""
    from thexp_pl.cli.params_group import Reader
    from thexp_pl.cli.typewords import literals

    if isinstance(action.type, Reader):
        yield from action.type.choices()
    else:
        yield from literals(getattr(action, "_typehint", None))
