"""A plain Lightning script, recorded: of the Trainer's arguments the three marked ones are new."""

import pytorch_lightning as pl
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl import Meter, RunLogger
from thexp_pl.callbacks import MeterCallback, SaverCallback
from thexp_pl.demo import load_digits


class LitDigits(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.cross = nn.CrossEntropyLoss()

    def measure(self, batch):
        images, labels = batch
        logits = self.model(images)
        meter = Meter()
        meter.loss = self.cross(logits, labels)
        meter.acc = (logits.argmax(1) == labels).float().mean()
        return meter

    def training_step(self, batch, batch_idx):
        meter = self.measure(batch)
        return {"loss": meter.loss, "meter": meter}  # the means need no self.log

    def validation_step(self, batch, batch_idx):
        self.log("val_acc", self.measure(batch).acc, batch_size=len(batch[0]))

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=0.05, momentum=0.9)


if __name__ == "__main__":
    train_set, held_out = load_digits()
    trainer = pl.Trainer(
        logger=RunLogger("./experiment", "existing"),  # new: records the run
        callbacks=[
            SaverCallback(max_to_keep=3),  # new: rotating checkpoints and the final model
            MeterCallback(),  # new: epoch means of what training_step measures
        ],
        max_epochs=3,
        enable_progress_bar=False,
    )
    trainer.fit(LitDigits(), DataLoader(train_set, 32, shuffle=True), DataLoader(held_out, 360))
