"""Secrets taken out of YAML, all else of which stays as it is written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

__all__ = ["redact_yaml"]


def redact_yaml(text: str, redact: Callable[[Any], Any], redact_text: Callable[[str], str]) -> str:
    """Take secrets out of a YAML file's text.

    Args:
        text: YAML that `yaml.safe_load` reads, of mappings, lists and scalars.
        redact: Gives values without their secrets.
        redact_text: The same for a text, where YAML cannot be read.

    Returns:
        YAML that holds what `redact` gave: the text itself where that changed nothing, and else the
        text with the secrets replaced in place.
    """
    import yaml  # 15 ms

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        before = loader.construct_document(node) if node is not None else None
        after = redact(before)
    except (yaml.YAMLError, ValueError, RecursionError):
        return redact_text(text)
    if node is None or after == before:
        return text
    try:
        replaced = _replaced(text, node, before, after)
        if yaml.safe_load(replaced) == after:
            return replaced
    except (yaml.YAMLError, LookupError, ValueError):  # anchors, merged or odd keys
        pass
    return yaml.safe_dump(after, sort_keys=False, allow_unicode=True)


def _replaced(text: str, node: yaml.Node, before: Any, after: Any) -> str:
    edits: list[tuple[int, int, str]] = []
    _compare(text, node, before, after, edits)
    pieces, done = [], 0
    for start, end, scalar in sorted(edits):
        pieces += [text[done:start], scalar]
        done = end
    return "".join([*pieces, text[done:]])


def _compare(text: str, node: yaml.Node, before: Any, after: Any, edits: list[Any]) -> None:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = zip(node.value, before.items(), after.items(), strict=True)
        for (key, value), (old_name, old), (new_name, new) in pairs:
            _compare(text, key, old_name, new_name, edits)
            if isinstance(old, dict | list) and not isinstance(new, dict | list):
                # a list may stand below its name, and not be indented
                start = text.index(":", key.end_mark.index) + 1
                edits.append((start, _end(text, value), f" {_scalar(new)}"))
            else:
                _compare(text, value, old, new, edits)
    elif isinstance(before, list) and isinstance(after, list):
        for item, old, new in zip(node.value, before, after, strict=True):
            _compare(text, item, old, new, edits)
    else:
        edits.append((node.start_mark.index, _end(text, node), _scalar(after)))


def _end(text: str, node: yaml.Node) -> int:
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip())


def _scalar(value: Any) -> str:
    import yaml

    shown = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=sys.maxsize)
    return shown.strip()
