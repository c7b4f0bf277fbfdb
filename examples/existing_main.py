"""An own main.py: LightningCLI's flags, the Params' flags, and a recorded run.

python existing_main.py fit --optim.lr=0.01 --trainer.max_steps=100
"""

import sys

import pytorch_lightning as pl
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl import Params, ThexpCLI
from thexp_pl.demo import load_digits


class DigitsParams(Params):
    """Parameters.

    Args:
        batch_size: Images in a batch.
    """

    def __init__(self):
        super().__init__()
        self.epoch = 2
        self.batch_size = 32
        self.optim_option(lr=0.05, momentum=0.9)


class LitDigits(pl.LightningModule):
    def __init__(self, params: DigitsParams):
        super().__init__()
        self.params = params
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.cross = nn.CrossEntropyLoss()

    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = self.cross(self.model(images), labels)
        self.log("loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return SGD(self.model.parameters(), **self.params.optim)

    def train_dataloader(self):
        train, _ = load_digits()
        return DataLoader(train, self.params.batch_size, shuffle=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.argv.append("fit")
    ThexpCLI(LitDigits)
