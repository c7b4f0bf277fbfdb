"""Points from a file: a list of mappings in YAML, or a table in CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_bytes
from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown

__all__ = ["points_of_file"]

_YAML = (".yaml", ".yml", ".json")
_MAX_BYTES = 64 << 20
_MAX_NAMES = 1_000  # of one point: a few lines of YAML can stand for more than fits in memory


def points_of_file(path: Path) -> list[dict[str, str]]:
    """Read points from a file.

    Args:
        path: The file: YAML or JSON with a list of mappings, nested or with dotted names, or CSV
            whose first line holds the names; an empty cell leaves the name out of that point.

    Returns:
        Of each point by dotted name the value, as it is typed on a command line.

    Raises:
        UsageError: It cannot be read, has another form, or holds no point.
    """
    told = shown(str(path))
    if path.suffix.lower() not in (".csv", *_YAML):
        raise UsageError(f"--points {told} does not say its form: end its name in .csv or .yaml")
    try:
        text = read_bytes(path, limit=_MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--points {told} is no text in UTF-8 (byte {error.start})") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--points: cannot read {told}: {reason}; name another file") from None
    read = _from_csv if path.suffix.lower() == ".csv" else _from_yaml
    points = list(read(text, told))
    if not any(points):
        raise UsageError(f"--points {told} holds no point; give one a line, or a list of mappings")
    return points


def _from_csv(text: str, told: str) -> Iterator[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    try:
        for row in reader:
            if not row:  # an empty line
                continue
            if not names:
                names = [_name(cell.strip(), f"{told}, line 1") for cell in row]
                if len(set(names)) < len(names):
                    raise UsageError(f"--points {told}, line 1: a name stands there twice")
                continue
            if len(row) != len(names):
                raise UsageError(
                    f"--points {told}, line {reader.line_num}: {len(row)} cells where the header"
                    f" has {len(names)} names; mend the line"
                )
            yield {name: cell for name, cell in zip(names, row, strict=True) if cell}
    except csv.Error as error:
        raise UsageError(f"--points {told}, line {reader.line_num}: {error}") from None


def _name(text: str, told: str) -> str:
    name = text.removeprefix("--")
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"--points {told}: {shown(text)} is no option's name, such as optim.lr")
    return name


def _from_yaml(text: str, told: str) -> Iterator[dict[str, str]]:
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode):
            raise UsageError(f"--points {told} is no list of points, such as '- lr: 0.1'")
        for node in root.value:
            point: dict[str, str] = {}
            _add(point, loader, node, "", told, set())
            yield point
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"--points {told}{line}: {error.problem}; mend it there") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"--points {told} is no YAML: {' '.join(str(error).split())}") from None


def _add(
    point: dict[str, str], loader: Any, node: Any, above: str, told: str, own: set[str] | None
) -> None:
    """Add the values of a mapping to a point, as texts, by dotted names.

    `own` are the names that stand in the point itself, None below what `<<` brings in.
    """
    import yaml

    where = f"{told}, line {node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"--points {where}: a point maps names to values, such as 'lr: 0.1'")
    keys = [str(key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if len(set(keys)) < len(keys):
        raise UsageError(f"--points {where}: a name stands there twice; take one away")
    count = sum(key != "<<" for key in keys)
    loader.flatten_mapping(node)  # takes `<<` apart, whose values stand before the point's own
    for place, (key, value) in enumerate(node.value):
        name = _name(f"{above}{getattr(key, 'value', '')}", where)
        typed = own if place >= len(node.value) - count else None
        if isinstance(value, yaml.MappingNode) and value.value:
            _add(point, loader, value, f"{name}.", told, typed)
            continue
        if typed is not None and name in typed:
            raise UsageError(f"--points {where}: {name} stands there twice; take one away")
        if typed is not None:
            typed.add(name)
        if len(point) >= _MAX_NAMES:
            raise UsageError(f"--points {where}: a point has more than {_MAX_NAMES:,} names")
        point[name] = _text(loader, value, f"{where}: {name}")


def _text(loader: Any, node: Any, told: str) -> str:
    """Give a value as it is typed: what stands there, of lists and empty mappings their JSON."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:null":
            raise UsageError(f"--points {told} is empty; leave the name out of this point")
        return _whole(str(node.value))
    value = loader.construct_object(node, deep=True)
    return _whole(json.dumps(value, default=str, ensure_ascii=False))


def _whole(text: str) -> str:
    """Join what JSON writes as two escapes, which YAML leaves as two halves of a character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
