"""What a record says, written and drawn for people.

`markdown` is a run's record as a text, with the pictures of `album`; `reporter` is a report of
whatever a script gives it. `curve`, `pixels`, `filenames` and `markup` are what both are made of.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thexp_pl.report.markdown import run_report as run_report
    from thexp_pl.report.reporter import Reporter as Reporter

# Found when they are first used: a page needs no reporter.
_HOMES = {"Reporter": "reporter", "run_report": "markdown"}

__all__ = ["Reporter", "run_report"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
