"""Pages and figures: whole commands that draw runs, by the points of their curves and by runs."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.harness import Scale, in_turn, peer
from benchmarks.pages import Pages
from benchmarks.report import Goal, Report
from benchmarks.timing import timed

NOTHING = "nothing"
WHY = (
    "The floor is the interpreter's start and reading each run's metrics.csv, which is text: that"
    " grows as the points do. A curve is thinned to what can be seen of it, so that writing the"
    " page hardly grows. The scripts by hand read with pandas and draw every point, and write"
    " nothing but curves: our page tells in what the runs differ as well."
)


def report(scale: Scale) -> Report:
    """Measure on generated stores; the index of each is built before."""
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        pages = Pages(Path(folder), scale.quick)
        page, figure = pages.name(*pages.big), "plot of {} runs x {:,} points".format(*pages.big)
        calls = {name: pages.page(*size)[1] for name, size in pages.sizes().items()}
        calls[figure] = pages.figure()[1]
        points, _ = growths = pages.growths()
        (fewest, small), *_, (most, large) = points.cases.items()
        goals = [Goal(large, small, most / fewest), Goal(figure, NOTHING, 2_000, more=True)]
        scripts = (figure, "matplotlib", "a.pdf"), (page, "plotly", "a.html")
        for ours, library, file in scale.pick(scripts, scripts[:1]):
            name = f"a script with pandas and {library}: {ours}"
            goals.append(Goal(ours, name, 1.25))
            if peer("pandas", absent) and peer(library, absent):
                calls[name] = pages.drawn_by(library, file)[1]
        timers = {name: partial(timed, call) for name, call in calls.items()}
        seconds = in_turn({NOTHING: lambda: 0.0, **timers}, scale.rounds(5))
    return Report("Pages and figures", seconds, goals, absent, growths=growths, why=WHY)
