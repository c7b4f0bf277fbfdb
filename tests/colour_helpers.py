"""How far apart colours are, also to the colour-blind."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np

# what the colour-blind see, by Machado, Oliveira and Fernandes 2009: without red, green or blue
BLIND = (
    np.eye(3),
    [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
)


def least_distance(colours: Iterable[str]) -> float:
    """The least distance in CIELAB of two of them, to whoever tells them apart least."""
    found = [linear(colour) for colour in colours]
    return min(
        float(np.linalg.norm(lab(np.asarray(seen) @ a) - lab(np.asarray(seen) @ b)))
        for seen in BLIND
        for a, b in combinations(found, 2)
    )


def linear(colour: str) -> Any:
    parts = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: Any) -> Any:
    weights = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    parts = np.array(weights) @ np.clip(colour, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(parts > 0.008856, np.cbrt(parts), 7.787 * parts + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(colour: str, ground: str) -> float:
    """The contrast of two colours as WCAG has it, from 1 to 21."""
    dark, light = sorted(
        float(linear(each) @ [0.2126, 0.7152, 0.0722]) + 0.05 for each in (colour, ground)
    )
    return light / dark
