"""matplotlib's settings while a figure of ours is made or written.

They are global: the user's own hold for the user's figures. While one of ours is made, and while it
is written, the settings that matplotlib comes with are in their place, and those that no figure can
hold, such as how text is written into a file; under a lock, and put back at the end.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thexp_pl.report.extras import needed

__all__ = ["own_settings"]

# what matplotlib reads while it writes a file
_WRITING = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "thexp_pl",  # else ids are random
    "pdf.fonttype": 42,  # TrueType, which journals ask for
    "pdf.compression": 6,
}
# not of a figure's look; to ask for the backend would make matplotlib choose one
_NOT_LOOKS = ("backend", "interactive", "toolbar", "tk.", "webagg.", "timezone", "date.")
_lock = threading.RLock()


@contextmanager
def own_settings() -> Iterator[None]:
    """Have matplotlib draw and write as it does without anybody's settings.

    Other threads that draw by thexp_pl wait meanwhile.

    Raises:
        UsageError: matplotlib is not installed.
    """
    matplotlib = needed("matplotlib", "a figure")
    settings = matplotlib.rcParams
    with _lock, warnings.catch_warnings():
        # settings that matplotlib is about to drop tell so when they are looked at
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        # a letter that no font has is drawn as a box; figures.letters finds these
        warnings.filterwarnings("ignore", r".*Glyph \S+ .*missing from", UserWarning)
        changes = _changes(settings, matplotlib.rcParamsDefault)
        before = {name: settings[name] for name in changes}
        settings.update(changes)
        try:
            yield
        finally:
            settings.update(before)


def _changes(settings: Any, defaults: Any) -> dict[str, Any]:
    wanted = {name: defaults[name] for name in defaults if not name.startswith(_NOT_LOOKS)}
    wanted.update(_WRITING)
    return {name: value for name, value in wanted.items() if settings[name] != value}
