"""Parameters from command line flags: reading the words, setting the values, listing what there is.

A flag is ``--name=value`` or ``--name value``, dotted for a value in a group. The same setting
serves YAML files and the command line of the package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from thexp_pl.errors import ParamsError
from thexp_pl.params.bounds import Bound
from thexp_pl.params.typed import FALSE, TRUE, coerce, literal
from thexp_pl.params.values import ParamsMapping

__all__ = ["Flag", "apply", "apply_script_flags", "apply_values", "coerce", "flags_of", "literal"]


@dataclass(frozen=True)
class Flag:
    """One parameter as the command line shows it.

    Args:
        name: The dotted name.
        default: The value as stored; `Unread` for one not found out yet.
        bound: What may be assigned, or None.
        help: The text of the class docstrings' ``Args:``, or an empty string.
    """

    name: str
    default: Any
    bound: Bound | None
    help: str


def flags_of(params: ParamsMapping) -> list[Flag]:
    """List the flags of Params: every value that is no progress, groups opened.

    >>> from thexp_pl import Params
    >>> [flag.name for flag in flags_of(Params())]
    ['epoch', 'device']
    """
    helps = _help_texts(type(params))
    return [
        Flag(name, value, params.bound(name), helps.get(name, ""))
        for name, value in params.flat().items()
        if not params.is_progress(name)
    ]


def _help_texts(cls: type) -> dict[str, str]:
    """Collect the texts under ``Args:`` and ``Attributes:``, a subclass's own first."""
    import docstring_parser

    texts: dict[str, str] = {}
    for base in cls.__mro__:
        for entry in docstring_parser.parse(base.__doc__ or "").params:
            texts.setdefault(entry.arg_name, " ".join((entry.description or "").split()))
    return texts


def apply_script_flags(params: ParamsMapping) -> None:
    """Apply ``sys.argv[1:]`` as a script does: ``--help`` lists, a mistake ends it with code 2."""
    argv = sys.argv[1:]
    if any(word in ("-h", "--help") for word in argv):
        print(_help_page(params))  # noqa: T201 - the answer to --help
        raise SystemExit(0)
    try:
        apply(params, argv)
    except ParamsError as error:
        if os.environ.get("THEXP_DEBUG") == "1":
            raise
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None


def apply(params: ParamsMapping, argv: list[str]) -> None:
    """Set the values of the flags in `argv`; nothing is set if any of them is wrong.

    Args:
        params: Where to.
        argv: The words of the command line.

    Raises:
        ParamsError: For a word that is no flag, a value that cannot be read or is out of bounds,
            a progress name, or a new name where the Params are locked.
    """
    apply_values(params, _split(params, argv), "--")


def apply_values(params: ParamsMapping, pairs: Iterable[tuple[str, Any]], mark: str = "") -> None:
    """Set values read from flags or a file: all or none, new names reported where one is near.

    Args:
        params: Where to.
        pairs: (Dotted) names with values; a later one wins.
        mark: What stands before a name in messages: ``"--"`` for flags, whose values may be text
            yet to be read; nothing for files, where a text is a text.

    Raises:
        ParamsError: If a name or a value is refused.
    """
    draft = params._draft()
    for name, value in pairs:
        if params.is_progress(name):
            raise ParamsError(f"{mark}{name} is progress, which the trainer writes; it is not set")
        draft._merge({name: coerce(draft, name, value, is_flag=bool(mark))})
    known = params.flat()
    for name in draft.flat():
        hint = "" if name in known else params.hint(name, settable=True)
        if hint:
            sys.stderr.write(f"warning: {mark}{name} sets a new parameter{hint}\n")
    params._take(draft)


def _split(params: ParamsMapping, argv: list[str]) -> Iterator[tuple[str, str]]:
    """Give name and text of each flag; one without a text is a switch and reads as true."""
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or len(word) == 2:
            raise ParamsError(f"{word!r} is no flag; flags look like --name=value")
        name, equals, text = word[2:].partition("=")
        if equals:
            yield name, text
            continue
        current = params.stored(name) if name in params else None
        if words and not words[0].startswith("--") and not _is_switch(current, words[0]):
            yield name, words.pop(0)
        elif current is None or isinstance(current, bool):
            yield name, "True"
        else:
            raise ParamsError(f"--{name} needs a value: --{name}=VALUE")


def _is_switch(current: Any, following: str) -> bool:
    """Say whether a flag stands alone although a word follows: a bool before no truth value."""
    return isinstance(current, bool) and following.lower() not in TRUE | FALSE


def _help_page(params: ParamsMapping) -> str:
    lines = ["Flags, as --name=value:", ""]
    for flag in flags_of(params):
        notes = [flag.help.rstrip("."), str(flag.bound or ""), f"default: {flag.default!r}"]
        lines.append(f"  --{flag.name}  ({'; '.join(note for note in notes if note)})")
    return "\n".join(lines)
