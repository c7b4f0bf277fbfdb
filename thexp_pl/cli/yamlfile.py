"""The settings of a YAML file, each with the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from thexp_pl.errors import UsageError

__all__ = ["Entry", "entries_of_file", "entries_of_text"]


@dataclass(frozen=True)
class Entry:
    """One value of a file, a mapping of others perhaps.

    Args:
        name: Its keys from the top, dotted.
        value: What YAML makes of it.
        place: File, line and name, for messages.
    """

    name: str
    value: Any
    place: str


def entries_of_file(path: Path) -> list[Entry]:
    """Read a file.

    Args:
        path: The file.

    Returns:
        Its values in their order; after a mapping come the values in it.

    Raises:
        UsageError: If it cannot be read, is no YAML, or maps no names.
    """
    shown = str(path)
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{shown!r} is no text file in UTF-8 (byte {error.start}); give a YAML file"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {shown!r}: {error.strerror}; give a YAML file") from None
    return entries_of_text(text, shown)


def entries_of_text(text: str, source: str) -> list[Entry]:
    """Read YAML text.

    Args:
        text: The YAML.
        source: What messages call it.

    Returns:
        Its values in their order; after a mapping come the values in it.

    Raises:
        UsageError: If it is no YAML, or maps no names.
    """
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            kinds = {yaml.SequenceNode: "is a list", yaml.ScalarNode: "is a mere text"}
            kind = kinds.get(type(root), "is empty")
            raise UsageError(f"{source} {kind}; it must map names to values, as in 'epoch: 5'")
        return list(_entries(loader, root, "", source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        reason = ": ".join(part for part in (error.context, error.problem) if part)
        raise UsageError(f"{source}{line}: {reason}; mend the YAML there") from None
    except UsageError:
        raise
    except (yaml.YAMLError, ValueError) as error:  # control characters; numbers such as 0b2
        raise UsageError(f"{source} is no YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UsageError(f"{source} is nested too deep, or inside itself") from None


def _entries(
    loader: yaml.SafeLoader, node: yaml.MappingNode, above: str, source: str
) -> Iterator[Entry]:
    _refuse_twins(node, above, source)
    loader.flatten_mapping(node)  # takes `<<` apart
    for key, value in node.value:
        name = f"{above}{key.value}"
        place = f"{source}, line {key.start_mark.line + 1}: {name}"
        yield Entry(name, loader.construct_object(value, deep=True), place)
        if _maps_names(value):
            yield from _entries(loader, value, f"{name}.", source)
        elif isinstance(value, yaml.SequenceNode):
            for index, item in enumerate(value.value):
                if _maps_names(item):
                    yield from _entries(loader, item, f"{name}.{index}.", source)


def _refuse_twins(node: yaml.MappingNode, above: str, source: str) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(f"{source}, line {line}: the key is no name; mend the YAML there")
        if key.value in lines:
            raise UsageError(
                f"{source}, line {line}: {above}{key.value} is given twice, first in line "
                f"{lines[key.value]}; take one of them away"
            )
        lines[key.value] = line


def _maps_names(node: yaml.Node) -> bool:
    return (
        isinstance(node, yaml.MappingNode)
        and bool(node.value)
        and all(isinstance(key, yaml.ScalarNode) and key.value for key, _ in node.value)
        and all(key.value.isidentifier() or key.value == "<<" for key, _ in node.value)
    )
