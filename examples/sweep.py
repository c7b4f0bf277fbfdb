"""Train on the handwritten digits with three learning rates and five seeds, two runs at a time."""

from __future__ import annotations

from thexp_pl import sweep
from thexp_pl.demo import DigitsParams, DigitsTrainer

if __name__ == "__main__":  # the processes of a sweep import the script of a trainer
    params = DigitsParams()
    params.epoch = 2
    params.width = 8
    grid = params.grid_search("optim.lr", [0.1, 0.03, 0.01]).grid_search("seed", range(5))
    runs = sweep(DigitsTrainer, grid, jobs=2)
    best = max(runs, key=lambda run: run.metrics["eval_acc"]["last"])
    print(f"the best of {len(runs)} runs: thexp-pl show {best.key}")
