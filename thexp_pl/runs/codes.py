"""The codes of a run: one that was gone on with in its own folder may have run several."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import datetime
from typing import Any, NamedTuple

from thexp_pl.runs.events import events_of
from thexp_pl.runs.run import Run

__all__ = ["Code", "code_at", "codes_of"]

_TREE = re.compile("[0-9a-f]{40,64}")


class Code(NamedTuple):
    """A code that a run ran for some time.

    Args:
        tree: Its tree; None where git did not keep it.
        until: When another one took its place, seconds since 1970; infinite for the last one.
    """

    tree: str | None
    until: float


def codes_of(run: Run) -> list[Code]:
    """Tell which codes made a run.

    Args:
        run: The run.

    Returns:
        The codes in their order, the one that its manifest names last; that one alone for a run
        that no other code made.
    """
    last = Code(_tree((run.manifest.get("code") or {}).get("tree")), math.inf)
    found: list[Code] = []
    for event in events_of(run):
        tree, when = _tree(event.get("code")), _seconds(event.get("time"))
        if event["event"] != "resumed" or tree is None or when is None:
            continue
        if found and found[-1].tree == tree:
            found.pop()
        found.append(Code(tree, when))
    if found and found[-1].tree == last.tree:
        found.pop()
    return [*found, last]


def code_at(run: Run, when: float) -> str | None:
    """Tell which code a run ran at a moment, such as that of a checkpoint.

    Args:
        run: The run.
        when: Seconds since 1970.

    Returns:
        Its tree; None where git did not keep it.
    """
    return next(code.tree for code in codes_of(run) if when < code.until)


def _tree(value: Any) -> str | None:
    return value if isinstance(value, str) and _TREE.fullmatch(value) else None


def _seconds(value: Any) -> float | None:
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return datetime.fromisoformat(value).timestamp()
    return None
