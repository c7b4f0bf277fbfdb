"""The words of ``thexp-pl sweep``: its own, those that all points share, and what varies."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thexp_pl.cli.sweep_configuration import YAML, is_configuration
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown
from thexp_pl.sweeps.values import joined, read_values

__all__ = [
    "Given",
    "given_words",
    "placed_file",
    "placed_value",
    "refuse_name",
    "split_words",
]

_FIT = "fit"
_OWN_PLACES = ("last", "best")  # of `--ckpt_path`: those of the run's own experiment
_OWN = "--sweep."


@dataclass(frozen=True)
class Given:
    """What is to be submitted.

    Args:
        command: ``fit``, or a script.
        order: The words after it: those that stand as they are, and names of options.
        options: By dotted name what was typed for it, ranges and lists unread.
    """

    command: str
    order: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_script(self) -> bool:
        """Whether a script is run, not ``thexp-pl fit``."""
        return self.command != _FIT

    def words(self, fixed: Mapping[str, str]) -> list[str]:
        """Give the words that all points share.

        Args:
            fixed: By dotted name the options of one value.
        """
        words = [self.command]
        for word in self.order:
            if word.startswith("-"):
                words.append(word)
            elif word in fixed:
                words.append(f"--{word}={fixed[word]}")
        return words


def split_words(
    words: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[list[str], list[str], list[str]]:
    """Tell a sweep's own words from those of the command that it runs.

    Args:
        words: The words after ``sweep``.
        parser: The sweep's own parser.

    Returns:
        The words for the parser, the others in their order, and the names among the first ones that
        might mean a parameter too: those without ``sweep.`` before them.

    Raises:
        UsageError: There is no option of a sweep that is called so.
    """
    known = {text: one.nargs for one in parser._actions for text in one.option_strings}
    left, own, others, bare = list(words), [], [], []
    while left:
        typed = left.pop(0)
        word = _unprefixed(typed, known)
        name, equals, _ = word.partition("=")
        if name.startswith("--fit."):
            others.append(f"--{word.removeprefix('--fit.')}")
        elif name.startswith("--slurm."):
            value = word if equals or not left else f"{word}={left.pop(0)}"
            own.append(f"--slurm.*={value.removeprefix('--slurm.')}")
        elif name in known:
            own.append(word)
            bare += [name[2:]] if word == typed and name.startswith("--") else []
            if not equals and known[name] != 0 and left:
                own.append(left.pop(0))
        elif word.startswith("-j"):
            own.append(word)
        else:
            others.append(word)
    return own, others, bare


def _unprefixed(word: str, known: Iterable[str]) -> str:
    """Take ``sweep.`` off a flag, which says that it is the sweep's own."""
    if not word.startswith(_OWN):
        return word
    name = word.removeprefix(_OWN).partition("=")[0]
    if f"--{name}" not in known and not name.startswith("slurm."):
        raise UsageError(
            f"{_OWN}{shown(name)[1:-1]}: sweep has no option {shown(name)}"
            f"{near_miss(name, [one[2:] for one in known])}; a parameter called so is"
            f" --fit.sweep.{shown(name)[1:-1]}"
        )
    return f"--{word.removeprefix(_OWN)}"


def given_words(words: Sequence[str], project: Path | None) -> Given:
    """Read the words of the command that a sweep runs.

    Paths into the project become relative ones, which mean the submitted code, and files outside
    of it absolute ones.

    Args:
        words: The words; ``fit`` may be left out, and a script may stand before all.
        project: The project; None where there is none.

    Returns:
        The words and the options.

    Raises:
        UsageError: A word is none that a sweep can take.
    """
    from thexp_pl.cli.given import grouped

    first, *rest = words or [""]
    if first.endswith(".py") and not first.startswith("-"):
        given = Given(placed_file(first, project))
    else:
        given = Given(_FIT)
        rest = rest if first == _FIT else list(words)
    for word in grouped(rest):
        if not word.name:
            raise UsageError(
                f"{shown(word.typed[0])} is no flag; a sweep runs `fit` or a script, with flags"
                " such as --lr=0.1,0.01"
            )
        _take(given, word.name, word.value, project)
    return given if given.is_script else _with_class(given)


def _with_class(given: Given) -> Given:
    """Name the trainer of the variable `trainer_class`, which may be another when a run starts."""
    from thexp_pl.globvars import globs

    has_file = any(word.startswith("--config") for word in given.order)
    is_named = has_file or not given.options.keys().isdisjoint(("model", "trainer_class"))
    if not is_named and "trainer_class" in globs:
        _put(given, "trainer_class", str(globs["trainer_class"]))
    return given


def _take(given: Given, name: str, value: str | None, project: Path | None) -> None:
    if name == "config" and not given.is_script:  # several may be given, and their order counts
        is_file = value is None or not value.lstrip().startswith("{")
        file = _placed_config(value or "", project) if is_file else value
        given.order.append(f"--config={file}")
        return
    if not given.is_script:
        refuse_name(name, value)
    is_script = given.is_script
    placed = value if value is None else _placed_list(name, value, project, is_script=is_script)
    _put(given, name, placed)


def refuse_name(name: str, value: str | None, *, is_script: bool = False) -> None:
    """Refuse an option that no run of a sweep can be given.

    Args:
        name: The option, dotted.
        value: Its value; None where it has none.
        is_script: A script takes it, and not ``fit``.

    Raises:
        UsageError: It is one of these.
    """
    if name == "exps_dir":
        raise UsageError(
            "exps_dir: all runs of a sweep are recorded in one folder; give --exps_dir on the"
            " command line, which is the sweep's own"
        )
    if is_script:
        return
    if name in ("help", "print_config"):
        raise UsageError(f"--{name} is for one run: `thexp-pl fit --{name}`")
    if name == "ckpt_path" and value in _OWN_PLACES:
        raise UsageError(
            f"--ckpt_path={value} is a run's own, and a sweep goes on with its runs by itself:"
            " leave it out, or name RUN@CHECKPOINT"
        )


def placed_value(name: str, value: str, project: Path | None, *, is_script: bool = False) -> str:
    """Spell a value as the runs find the file that it names.

    Args:
        name: The option, dotted.
        value: One value of it.
        project: The project; None where there is none.
        is_script: A script takes it, and not ``fit``.

    Returns:
        The same, unless it names the file of a class, or a YAML file.

    Raises:
        UsageError: There is no file of that class.
    """
    if name == "trainer_class" and not is_script:
        file, _, attribute = value.rpartition(":")
        return f"{placed_file(file, project)}:{attribute}" if file.endswith(".py") else value
    return placed_file(value, project) if is_configuration(value) else value


def _placed_list(name: str, text: str, project: Path | None, *, is_script: bool) -> str:
    """Spell the values of a list; what names no file stays as it was typed."""
    if ".py:" not in text and not any(end in text for end in YAML):
        return text
    values = list(read_values(name, text))
    placed = [placed_value(name, value, project, is_script=is_script) for value in values]
    return text if placed == values else joined(placed)


def _placed_config(value: str, project: Path | None) -> str:
    if "," in value and not Path(value).is_file():
        raise UsageError(
            f"--config={shown(value)[1:-1]}: there is no such file, and --config does not vary:"
            " give what varies as options, or in a file of --points"
        )
    return placed_file(value, project)


def _put(given: Given, name: str, value: str | None) -> None:
    if value is None:
        given.order.append(f"--{name}")
    else:
        if name in given.options:
            raise UsageError(
                f"--{name} is given twice: a sweep takes all values of an option in one list, such"
                f" as --{name}=VALUE,VALUE"
            )
        given.order.append(name)
        given.options[name] = value


def placed_file(file: str, project: Path | None) -> str:
    """Spell a file as the runs find it, whose working directory is in a copy of the project.

    Args:
        file: The file.
        project: The project; None where there is none.

    Returns:
        Of a file in the project a relative path; of any other an absolute one.

    Raises:
        UsageError: There is no such file.
    """
    path = Path(os.path.realpath(file))
    if not path.is_file():
        raise UsageError(f"there is no file {shown(file)}; a sweep takes it from here")
    if project is not None and path.is_relative_to(project):
        return os.path.relpath(path, os.path.realpath(Path.cwd()))
    return str(path)
