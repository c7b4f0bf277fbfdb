"""Names of experiments, and how a name is shown in a message."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from thexp_pl.errors import ExperimentNameError

__all__ = ["check_experiment_name", "cut", "escaped", "script_name", "shown"]

_MAX_NAME_BYTES = 255
_JOINERS = "\u200d"  # holds emoji together; all other unprintable characters are escaped


def check_experiment_name(name: str) -> str:
    """Check that a name can be that of a folder, on this machine and where a record is copied to.

    Args:
        name: The experiment's name; letters of any script and emoji are fine.

    Returns:
        The name, unchanged.

    Raises:
        ExperimentNameError: It breaks a rule.

    >>> check_experiment_name("手写数字 lr=0.01")
    '手写数字 lr=0.01'
    >>> check_experiment_name("a/b")
    Traceback (most recent call last):
    thexp_pl.errors.ExperimentNameError: the experiment name 'a/b' holds a '/': it names one \
folder; use '_' or '-' instead
    """
    if not isinstance(name, str):
        raise ExperimentNameError(f"the experiment name {name!r} is no text: give a str")
    fault = _name_fault(name)
    if fault:
        raise ExperimentNameError(f"the experiment name {shown(name)} {fault}")
    return name


def _name_fault(name: str) -> str:
    if not name.strip():
        return "is empty: it names a folder; give it at least one visible character"
    if "/" in name:
        return "holds a '/': it names one folder; use '_' or '-' instead"
    if name.startswith("."):
        return "begins with a dot: such folders are hidden; begin with a letter or a digit"
    if name != name.strip():
        return "begins or ends with a space: shells and other systems lose it; take it away"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        return "holds a character that cannot be shown: a name is one line of text; take it out"
    size = len(name.encode())
    if size > _MAX_NAME_BYTES:
        return (
            f"has {size} bytes in UTF-8, and a folder's name at most {_MAX_NAME_BYTES};"
            " shorten it, for example with fewer parameters in `build_exp_name`"
        )
    return ""


def script_name() -> str:
    """Name an experiment after the script that runs.

    Returns:
        The script's file name without its suffix, the package's for ``python -m package``, and
        ``experiment`` where there is no script or no folder can be named so.
    """
    script = Path(sys.argv[0] if sys.argv else "")
    name = script.parent.name if script.stem == "__main__" else script.stem
    try:
        return check_experiment_name(name.strip().lstrip(".-"))
    except ExperimentNameError:  # typed in, `python -c`, or a name that no folder can have
        return "experiment"


def shown(text: str, limit: int = 80) -> str:
    """Quote a value for a message: control characters escaped, the middle of a long one left out.

    Args:
        text: The value, whatever it holds.
        limit: The most characters of it that are shown.

    Returns:
        One line in quotes.

    >>> shown("a\\x1b[31mb")
    "'a\\\\x1b[31mb'"
    """
    short = text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 4 :]}"
    return repr(short)


def escaped(text: str) -> str:
    """Escape what a terminal would obey.

    Args:
        text: Any text.

    Returns:
        One line without control characters.

    >>> escaped("a\\x1b[31mb\\n")
    'a\\\\x1b[31mb\\\\n'
    """
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else repr(letter)[1:-1]
        for letter in text
    )


def cut(text: str, limit: int) -> str:
    """Leave out the middle of a text that is too long to be kept, and say so.

    Args:
        text: The text.
        limit: The most characters of it that are kept.

    Returns:
        The text, with a note where something was left out.

    >>> cut("abcdefgh", 4)
    'ab… (4 characters left out) …gh'
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}… ({len(text) - 2 * half:,} characters left out) …{text[-half:]}"
