"""A plain Lightning script, recorded: the three marked lines are new."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import thexp_pl.callbacks  # new


class LitModel(pl.LightningModule):
    def __init__(self, hidden: int = 32, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def measure(self, batch, prefix=""):
        points, labels = batch
        logits = self.model(points)
        loss = nn.functional.cross_entropy(logits, labels)
        accuracy = (logits.argmax(1) == labels).float().mean()
        values = {f"{prefix}loss": loss, f"{prefix}acc": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.measure(batch)

    def validation_step(self, batch, batch_idx):
        self.measure(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9)


def two_rings():
    points = torch.randn(1000, 2)
    return TensorDataset(points, (points.norm(dim=1) > 1.2).long())


if __name__ == "__main__":
    torch.manual_seed(0)
    train_set, held_out = random_split(two_rings(), [800, 200])
    trainer = pl.Trainer(
        max_epochs=3,
        enable_progress_bar=False,
        logger=thexp_pl.RunLogger("./experiment", "existing"),  # new: records the run
        callbacks=[thexp_pl.callbacks.SaverCallback(max_to_keep=3)],  # new: saves checkpoints
    )
    trainer.fit(LitModel(), DataLoader(train_set, 32, shuffle=True), DataLoader(held_out, 200))
