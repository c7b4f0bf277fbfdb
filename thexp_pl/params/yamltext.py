"""Values as YAML text and back.

YAML 1.1, as PyYAML reads it, with three differences: ``1e-3`` is a number, ``2026-11-22`` stays
text, and a name given twice is an error.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from thexp_pl.errors import ParamsError

__all__ = ["from_yaml_text", "to_yaml_text"]

_FLOAT = "tag:yaml.org,2002:float"
_MERGE = "tag:yaml.org,2002:merge"
_DATE = "tag:yaml.org,2002:timestamp"
_EXPONENT = re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == _MERGE:  # '<<: *anchor', which may repeat names
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Puts quotes around a text that the loader would take for a number."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Only in double quotes does PyYAML keep every control character (not U+0085 otherwise).
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != _DATE]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _handler in (_Loader, _Dumper):
    _handler.add_implicit_resolver(_FLOAT, _EXPONENT, list("-+.0123456789"))


def to_yaml_text(values: dict[str, Any]) -> str:
    """Write plain values as YAML, in their order, with Unicode left readable."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def from_yaml_text(text: str, source: str) -> dict[str, Any]:
    """Read YAML into names and values.

    Args:
        text: The YAML.
        source: What the error calls it: the file's name.

    Raises:
        ParamsError: If the text is no YAML or no mapping of names.
    """
    try:
        values = yaml.load(text, _Loader)
    except RecursionError:
        raise ParamsError(f"{source} is nested too deep") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        # the last three are what such as '!!bool maybe' or a list as a key raise
        raise ParamsError(f"{source} is no readable YAML: {_reason(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParamsError(f"{source} must map names to values, as in 'lr: 0.1'")
    return values


def _reason(error: Exception) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem and mark:
        return f"{problem} (line {mark.line + 1}, column {mark.column + 1})"
    return " ".join(str(error).split()) or type(error).__name__
