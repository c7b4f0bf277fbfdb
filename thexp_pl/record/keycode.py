"""Sources that a run keeps: of functions, classes and modules."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from thexp_pl.atomic import read_bytes, write_text
from thexp_pl.record.inside import check_inside

__all__ = ["read_sources", "source_of", "write_source"]

_SUFFIX = ".py"
_MAX_STEM_BYTES = 200
_MAX_BYTES = 16 << 20


def source_of(member: Any) -> tuple[str, str]:
    """Read the source of a function, a class or a module.

    Args:
        member: The function, class or module.

    Returns:
        A name, such as ``__main__.train``, and the source.

    Raises:
        OSError: It has no source that can be found.
        TypeError: It is none of the three.
    """
    import inspect  # 10 ms

    source = inspect.getsource(member)
    if isinstance(member, ModuleType):
        return member.__name__, source
    return f"{member.__module__}.{member.__qualname__}".replace(".<locals>", ""), source


def write_source(folder: Path, name: str, source: str) -> None:
    """Keep a source; one of the same name is replaced.

    Args:
        folder: Where the run keeps its sources; made where it is missing.
        name: What `source_of` named it.
        source: The source.

    Raises:
        OSError: It cannot be written.
    """
    folder.mkdir(exist_ok=True)
    stem = re.sub(r"[^\w.\-]", "_", name).lstrip(".").encode()[:_MAX_STEM_BYTES]
    write_text(folder / f"{stem.decode('utf-8', 'ignore')}{_SUFFIX}", source)


def read_sources(folder: Path) -> dict[str, str]:
    """Read what a run kept.

    Args:
        folder: Where the run keeps its sources.

    Returns:
        The sources by name; none where there is no such folder. What cannot be read, or is no
        regular file, or a link out of the run's folder, is passed over.
    """
    sources = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        with contextlib.suppress(OSError, ValueError):
            check_inside(path, folder.parent)
            text = read_bytes(path, limit=_MAX_BYTES).decode("utf-8", "replace")
            sources[path.name.removesuffix(_SUFFIX)] = text
    return sources
