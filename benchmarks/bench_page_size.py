"""How large a page is: by the points of its curves, by runs, and beside plotly's own page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Scale, in_turn, peer
from benchmarks.pages import Pages
from benchmarks.report import Goal, Report

NOTHING = "nothing"
WHY = (
    "The floor is plotly.js, which lies in the page compressed, where plotly's own page has it as"
    " text; the page without curves shows it. Above it are the points, of which a page holds as"
    " many as can be seen: the size stays where curves grow, and grows with the runs."
)


def report(scale: Scale) -> Report:
    """Measure each page once: the same runs give the same page."""
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        pages = Pages(Path(folder), scale.quick)
        big, bare = pages.name(*pages.big), pages.name(pages.few, 0)
        drawn = {bare: pages.page(pages.few, 0)}
        drawn |= {name: pages.page(*size) for name, size in pages.sizes().items()}
        by_plotly = f"a script with pandas and plotly: {big}"
        if peer("pandas", absent) and peer("plotly", absent):
            drawn[by_plotly] = pages.drawn_by("plotly", "a.html")
        cases = {name: _sizing(*each) for name, each in drawn.items()}
        sizes = in_turn({NOTHING: lambda: 0.0, **cases}, 1)
        goals = [Goal(big, NOTHING, 5, more=True), Goal(big, by_plotly, 1)]
        growths = pages.growths()
    return Report("Size of a page", sizes, goals, absent, "MB", growths, WHY)


def _sizing(file: Path, draw: Callable[[], object]) -> Callable[[], float]:
    def size() -> float:
        draw()
        return file.stat().st_size / 1e6

    return size
