"""A Lightning training that is stopped in the midst of an epoch and ends with the same weights."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from thexp_pl import RunLogger, checkpoint_path
from thexp_pl.callbacks import RndCallback, SaverCallback
from thexp_pl.data import exact


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.2), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        return nn.functional.mse_loss(self.layers(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class GoesDown(pl.Callback):
    """A machine that goes down in the midst of the second epoch."""

    def on_train_batch_start(self, trainer, *args):
        if trainer.fit_loop.total_batch_idx == 10:
            raise SystemError("the power is gone")


def train(name, *more, ckpt_path=None):
    torch.manual_seed(1)
    points = torch.randn(64, 2)
    data = TensorDataset(points, points.sum(1, keepdim=True))
    loader = exact(DataLoader(data, batch_size=8, shuffle=True))
    model = Model()
    trainer = pl.Trainer(
        max_epochs=3,
        logger=RunLogger("./experiment", name),
        callbacks=[RndCallback(), SaverCallback(every_n_batches=1), *more],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, loader, ckpt_path=ckpt_path)
    return model.state_dict()


through = train("at_once")

try:
    train("in_two", GoesDown())
except SystemError as error:
    print(error)
newest = checkpoint_path("last", experiment="in_two", root="./experiment")
print("going on from", newest.name)
resumed = train("in_two", ckpt_path=newest)

print("the same bits:", all(torch.equal(through[name], resumed[name]) for name in through))
