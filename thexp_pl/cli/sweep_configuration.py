"""The configuration files that a sweep's command names: which they are, and what is in them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.yamlfile import entries_of_text
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.record.redact import Redactor
from thexp_pl.sweeps.configuration import CONFIG_VARIABLES, content_hash
from thexp_pl.sweeps.values import read_values

if TYPE_CHECKING:
    from thexp_pl.cli.sweep_plan import Plan

__all__ = ["YAML", "Contents", "configuration_of", "is_configuration"]

YAML = (".yaml", ".yml", ".json")
_CONFIG = "--config="
_MAX_BYTES = 10_000_000  # what is larger is data: the limit of a snapshot's files


def is_configuration(value: Any) -> bool:
    """Say whether a value of an option names a configuration file.

    Args:
        value: Any value.

    Returns:
        Whether it is the name of a YAML or JSON file that is there.
    """
    return isinstance(value, str) and value.endswith(YAML) and os.path.isfile(value)  # noqa: PTH113


class Contents:
    """What configuration files hold, each read once."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}

    def of(self, value: Any, otherwise: Any) -> Any:
        """Give what counts of a value: of one that names a configuration file what is in that.

        Args:
            value: The value.
            otherwise: What counts of any other.

        Returns:
            A mapping that holds the hash of the content, or `otherwise`.
        """
        if not is_configuration(value):
            return otherwise
        if value not in self._hashes:
            data = _read(Path(value))
            if data is None:
                return otherwise
            self._hashes[value] = content_hash(data)
        return {"file": self._hashes[value]}


def configuration_of(plan: Plan) -> dict[Path, bytes]:
    """Read the configuration files that the points of a plan read, and those that these name.

    A file in which a secret stands, of which no copy may be made, is told of on stderr and not
    among them.

    Args:
        plan: The plan.

    Returns:
        Their content by their absolute paths, symbolic links resolved.
    """
    found: dict[Path, bytes] = {}
    redactor = Redactor()
    waiting = [Path(os.path.realpath(name)) for name in dict.fromkeys(_named(plan))]
    while waiting:
        file = waiting.pop(0)
        data = None if file in found else _read(file)
        if data is None:
            continue
        text = data.decode("utf-8", "replace")
        waiting += _named_in(text, file.parent)
        if redactor.yaml(text) != text:
            sys.stderr.write(
                f"note: {shown(str(file))} holds a secret and is not copied: unless it is part of"
                " the submitted code, runs read what it holds when they start\n"
            )
        else:
            found[file] = data
    return found


def _named(plan: Plan) -> Iterator[str]:
    ranges = {} if plan.search is None else plan.search.ranges
    for word in plan.words:
        value = word.partition("=")[2]
        if is_configuration(value) or (word.startswith(_CONFIG) and os.path.isfile(value)):  # noqa: PTH113
            yield value
    for point in plan.points:
        yield from filter(is_configuration, point.values.values())
    for name, text in ranges.items():
        if any(end in text for end in YAML):
            yield from filter(is_configuration, read_values(name, text))
    if not plan.words[0].endswith(".py"):
        yield from _of_variables()


def _of_variables() -> Iterable[str]:
    values = (os.environ.get(name, "") for name in CONFIG_VARIABLES)
    return (value for value in values if os.path.isfile(value))  # noqa: PTH113


def _named_in(text: str, folder: Path) -> list[Path]:
    """Give the files that a file names as seen from its own folder, as classes and groups may."""
    with contextlib.suppress(UsageError):  # a list, or no YAML: it names none that `fit` would read
        values = [entry.value for entry in entries_of_text(text, str(folder))]
        names = (value for value in values if isinstance(value, str) and value.endswith(YAML))
        paths = (folder / name for name in names if not os.path.isabs(name))  # noqa: PTH117
        return [Path(os.path.realpath(path)) for path in paths if path.is_file()]
    return []


def _read(file: Path) -> bytes | None:
    """Read a file; None of one that is data by its size, or cannot be read."""
    with contextlib.suppress(OSError):
        if file.stat().st_size <= _MAX_BYTES:
            return file.read_bytes()
    return None
