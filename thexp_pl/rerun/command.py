"""The command of a run, to be run again in the folder in which its code was restored."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown
from thexp_pl.record.redact.secret_names import REDACTED
from thexp_pl.rerun.interpreter import Invocation, read_invocation
from thexp_pl.rerun.moved import Moved, is_native
from thexp_pl.rerun.variables import decided_variables
from thexp_pl.runs.run import Run

__all__ = ["Command", "command_of", "why_not"]

_PROGRAM = "thexp-pl"
_CELLS = re.compile(r"notebook_cells(_\d+)?\.py")
_NOTEBOOKS = ("ipykernel_launcher", "ipykernel", "IPython", "jupyter", "notebook")
_LAUNCHED = ("TORCHELASTIC_RUN_ID", "SLURM_PROCID", "RANK")


@dataclass(frozen=True)
class Command:
    """A command line with all that has to be around it.

    Args:
        words: The words, the interpreter first.
        folder: The working directory.
        variables: The environment variables to set, and with None those to take away.
    """

    words: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str | None]

    def environment(self) -> dict[str, str]:
        """Give the environment of the process.

        Returns:
            This process's own, with the variables set and taken away.
        """
        merged: dict[str, str | None] = {**os.environ, **self.variables}
        return {name: value for name, value in merged.items() if value is not None}

    def line(self) -> str:
        """Write it as one line for a shell, to be copied.

        Returns:
            The line, for bash, zsh and the like; no control character is in it.
        """
        taken = [name for name, value in self.variables.items() if value is None]
        unset = [word for name in taken if name in os.environ for word in ("-u", name)]
        given = [
            f"{name}={value}"
            for name, value in self.variables.items()
            if value or (value is not None and name in os.environ)
        ]
        words = ["env", *unset, *given, *self.words]
        return f"cd {_quoted(str(self.folder))} && {' '.join(map(_quoted, words))}"


def command_of(run: Run, moved: Moved) -> Command:
    """Make the command of a run out of its record.

    Args:
        run: The run.
        moved: Where its project is now, restored already.

    Returns:
        The command. The interpreter is that of this process.

    Raises:
        RecordError: Nothing was started by a command that could be started again.
    """
    invocation = read_invocation(_recorded(run))
    subject = _subject(run, moved, invocation)
    arguments = [moved.word(word) for word in invocation.arguments]
    words = (sys.executable, *invocation.options, *subject, *arguments)
    return Command(words, _folder(moved), decided_variables(run, moved))


def why_not(run: Run) -> str:
    """Say why a command cannot be run by itself, though its words are known.

    Args:
        run: The run.

    Returns:
        The reason; an empty text where it can.
    """
    words = _recorded(run)
    for place, word in enumerate(words):
        if REDACTED in word:
            named = word if word != REDACTED or not place else f"{words[place - 1]} {word}"
            return f"its argument {shown(named)} was a secret, which is not kept"
    environment = run.manifest["environment"]
    found = next((name for name in _LAUNCHED if name in environment), None)
    if found == "SLURM_PROCID" and (run.manifest["world_size"] or 1) == 1:
        return ""
    if found is not None and (found != "RANK" or "WORLD_SIZE" in environment):
        return f"a launcher started it ({found} was set), which has to start it again"
    return ""


def _recorded(run: Run) -> list[str]:
    try:
        words = shlex.split(str(run.manifest.get("command") or ""))
    except ValueError:
        words = []
    if not words or not all(map(is_native, words)):
        raise RecordError(f"the run {shown(run.key)} names no command that could be run again")
    return words


def _subject(run: Run, moved: Moved, invocation: Invocation) -> list[str]:
    facts: dict[str, Any] = run.manifest["code"] or {}
    entry = facts.get("entry")
    name = str(entry) if is_native(entry) else ""
    kind, subject = invocation.kind, invocation.subject
    is_notebook = kind == "module" and subject.partition(".")[0] in _NOTEBOOKS
    if is_notebook or (_CELLS.fullmatch(name) and Path(subject).name != name):
        raise RecordError(
            f"the run {shown(run.key)} was recorded in a notebook, which no command starts:"
            f" `{_PROGRAM} rollback {run.key}` restores its code, the cells that ran among it"
        )
    if kind == "nothing":
        raise RecordError(
            f"the run {shown(run.key)} was recorded at a prompt or from a pipe, which no command"
            f" starts again: `{_PROGRAM} rollback {run.key}` restores the code that it used"
        )
    if kind == "code":
        return ["-c", subject]
    if kind == "module":
        return ["-m", subject]
    if Path(subject).name == _PROGRAM:
        return ["-m", "thexp_pl"]
    return [_script(run, moved, subject, name)]


def _script(run: Run, moved: Moved, subject: str, entry: str) -> str:
    if entry:
        place = moved.code / entry
        if not os.path.isabs(subject):  # noqa: PTH117 - a text
            as_typed = os.path.realpath(_folder(moved) / subject)
            if as_typed == os.path.realpath(place):
                return subject
        return str(place)
    beside = Path(sys.executable).parent / Path(subject).name  # pytest and its like
    for program in (beside, Path(subject)):
        if program.is_file():
            return str(program)
    raise RecordError(
        f"the run {shown(run.key)} was started by {shown(subject)}, which is not there and was not"
        " kept: only scripts of up to `max_file_mb` are"
    )


def _folder(moved: Moved) -> Path:
    """Find the working directory: within the project in the restored one, else as it was."""
    then = moved.working_directory
    name = None if then is None else moved.name(then)
    if name is not None:
        return moved.code / name
    return then if then is not None and then.is_dir() else moved.code


def _quoted(word: str) -> str:
    name, equals, value = word.partition("=")
    if equals and name.isidentifier():  # a variable, or what may as well be quoted like one
        return f"{name}={_quoted(value)}" if value else word
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escape, os.fsencode(word))) + "'"


def _escape(byte: int) -> str:
    letter = chr(byte)
    return letter if letter.isalnum() and byte < 128 else f"\\x{byte:02x}"
