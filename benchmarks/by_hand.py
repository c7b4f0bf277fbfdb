"""What a user writes without us to see runs: ``by_hand.py matplotlib|plotly ROOT FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def _curves(root: Path) -> Iterator[tuple[str, Any]]:
    """Give each metric of each run."""
    import pandas

    for path in sorted(root.glob("*/*/metrics.csv")):
        yield from pandas.read_csv(path).groupby("name")


def _by_matplotlib(root: Path, file: str) -> None:
    """Draw one metric of all runs."""
    import matplotlib as mpl

    mpl.use("pdf")
    from matplotlib import pyplot as plt

    for name, rows in _curves(root):
        if name == "loss":
            plt.plot(rows["step"], rows["value"])
    plt.savefig(file)


def _by_plotly(root: Path, file: str) -> None:
    """Write a page with a panel for each metric."""
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    curves = list(_curves(root))
    names = sorted({name for name, _ in curves})
    figure = make_subplots(len(names), 1, subplot_titles=names)
    for name, rows in curves:
        figure.add_trace(Scatter(x=rows["step"], y=rows["value"]), names.index(name) + 1, 1)
    figure.write_html(file)


if __name__ == "__main__":
    draw = {"matplotlib": _by_matplotlib, "plotly": _by_plotly}[sys.argv[1]]
    draw(Path(sys.argv[2]), sys.argv[3])
