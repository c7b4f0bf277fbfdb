"""Whether there is more to see of a run's metrics than there was."""

from __future__ import annotations

from pathlib import Path

from thexp_pl.record.paths import RunPaths

__all__ = ["metrics_stamp"]


def metrics_stamp(paths: RunPaths) -> tuple[object, ...]:
    """Give what is another when a run has recorded more metrics, or went back behind some.

    Args:
        paths: The run's files; take it before they are read.
    """
    return tuple(_stamp_of(path) for path in (paths.metrics, paths.journal))


def _stamp_of(path: Path) -> tuple[int, ...]:
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
