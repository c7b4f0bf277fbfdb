"""What is wrong with a worker, in one line."""

from __future__ import annotations

from thexp_pl import __version__
from thexp_pl.record.names import escaped, shown
from thexp_pl.sweeps.engines.ray.worker import Place

__all__ = ["mismatch", "told_of"]


def mismatch(place: Place) -> str:
    """Say that a worker has another thexp_pl.

    Args:
        place: Where an attempt has come to.

    Returns:
        One line; an empty text where it has the same.
    """
    if place.version == __version__:
        return ""
    return (
        f"the worker {shown(place.host)} has thexp_pl {shown(place.version)}, and this is"
        f" {__version__}: install the same on all"
    )


def told_of(error: Exception) -> str:
    """Say in one line what Ray says in many.

    Args:
        error: What it has raised.

    Returns:
        One line of at most 300 characters.
    """
    text = str(error)
    if "No module named 'thexp_pl" in text:
        return f"a worker has no thexp_pl: run there pip install thexp-pl=={__version__}"
    if "worker process has died" in text:
        return "its Ray worker died: it was killed, or out of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("The actor ")]
    return escaped((causes or lines or [type(error).__name__])[-1])[:300]
