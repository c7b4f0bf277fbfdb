"""Repeat a training with several seeds, and compare what its settings come to."""

from __future__ import annotations

import random

from thexp_pl import Experiment


def train(lr: float, seed: int) -> None:
    """Fit a line to noisy points, one after another."""
    draw = random.Random(seed)
    slope = intercept = 0.0
    with Experiment("./experiment", "line") as exp:
        exp.params = {"lr": lr, "seed": seed, "points": 200}
        for step in range(200):
            x = draw.uniform(-1, 1)
            error = slope * x + intercept - (2 * x - 1 + draw.gauss(0, 0.5))
            slope -= lr * error * x
            intercept -= lr * error
            exp.log_metrics(step, 0, {"distance": abs(slope - 2) + abs(intercept + 1)})


for lr in (0.01, 0.03, 0.1):
    for seed in (0, 1, 2):
        train(lr, seed)
print("thexp-pl compare --by lr")
print("thexp-pl stats --metrics distance")
