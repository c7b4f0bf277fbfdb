"""The curves of a run as HTML: small panels that need no library."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from thexp_pl.runs.curves import Curve
from thexp_pl.runs.html import text
from thexp_pl.runs.sparkline import curve_svg
from thexp_pl.runs.words import short

__all__ = ["headed", "panels"]

_MOST = 12
_WIDTH, _HEIGHT = 240, 80


def panels(curves: Mapping[str, Curve]) -> str:
    """Draw each curve as a panel, with its last value, its bounds and its steps.

    Args:
        curves: The curves by name; the first twelve are drawn.
    """
    drawn = [_panel(name, curve) for name, curve in islice(curves.items(), _MOST)]
    left = len(curves) - len(drawn)
    more = f"<p>{left:,} more metrics are not shown.</p>" if left else ""
    if not drawn:
        return "<p>No metrics are recorded yet.</p>"
    return f'<div style="display:flex;flex-wrap:wrap;gap:16px">{"".join(drawn)}</div>{more}'


def headed(experiment: str, key: str, state: str, body: str) -> str:
    """Put the name of a run and its state above a drawing.

    Args:
        experiment: The experiment, any text.
        key: The run's key.
        state: What is said of it, any text.
        body: HTML.
    """
    head = f"<p><strong>{text(experiment)} / {text(key)}</strong>: {text(state)}</p>"
    return f"<div>{head}{body}</div>"


def _panel(name: str, curve: Curve) -> str:
    finite = [value for value in curve.values if value - value == 0]  # neither NaN nor infinite
    bounds = f"{short(min(finite))} to {short(max(finite))}" if finite else ""
    xs = curve.xs
    steps = f"step {xs[0]:,} to {xs[-1]:,}" if xs else ""
    last = short(curve.values[-1]) if curve.values else ""
    below = ", ".join(part for part in (bounds, steps) if part)
    return (
        f'<div style="width:{_WIDTH}px;overflow-wrap:anywhere">'
        f"<div>{text(name)} <strong>{text(last)}</strong></div>"
        f"{curve_svg(curve.xs, curve.values, _WIDTH, _HEIGHT, name)}"
        f'<div style="font-size:smaller">{text(below)}</div></div>'
    )
