"""Take curves, images and histograms out of TensorBoard's event files, and draw them."""

import torch
from torch.utils.tensorboard.writer import SummaryWriter

from thexp_pl import BoardPlotter, Plotter

with SummaryWriter("./tensorboard/first") as writer:  # files of any other tool will do as well
    for step in range(0, 200, 2):
        writer.add_scalar("train/loss", 2.0 * 0.98**step, step)
        if step % 50 == 0:
            writer.add_histogram("weights", torch.randn(1000) * 0.98**step, step)
            writer.add_image("samples", torch.full((3, 8, 8), step, dtype=torch.uint8), step)

board = BoardPlotter("./tensorboard")  # or a run: BoardPlotter("26-11-22-061138-k3f9")
print(board.tags())
print("last loss:", round(float(board.scalars("train/loss").values[-1]), 3))
print("pixels:", board.images("samples")[0].pixels.shape)
for path in board.save("./figures", formats=("pdf", "csv"), smooth=0.6):
    print(path)

steps = range(100)
curves = {f"lr={lr}": (steps, [(1 - lr) ** step for step in steps]) for lr in (0.01, 0.03, 0.1)}
print(*Plotter("./figures", formats="svg", width="double").curves("distance", curves))
