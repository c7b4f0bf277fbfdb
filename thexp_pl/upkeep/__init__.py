"""Keeping records: tags, the trash, dropping what nothing needs, checking, and runs as one file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thexp_pl.upkeep.archive.importing import import_runs as import_runs
    from thexp_pl.upkeep.archive.writing import export_runs as export_runs
    from thexp_pl.upkeep.checking.check import check as check
    from thexp_pl.upkeep.checking.check import sizes_of as sizes_of
    from thexp_pl.upkeep.collecting import collect as collect
    from thexp_pl.upkeep.trash import remove as remove
    from thexp_pl.upkeep.trash import restore as restore

# Found when they are first used: a command needs one of them.
_HOMES = {
    "check": "checking.check",
    "collect": "collecting",
    "export_runs": "archive.writing",
    "import_runs": "archive.importing",
    "remove": "trash",
    "restore": "trash",
    "sizes_of": "checking.check",
}

__all__ = ["check", "collect", "export_runs", "import_runs", "remove", "restore", "sizes_of"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
