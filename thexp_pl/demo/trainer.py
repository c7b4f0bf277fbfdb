"""A facade Trainer as one writes it: what ``thexp-pl fit`` trains when nothing else is named."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl.demo.digits import load_digits
from thexp_pl.meter import AvgMeter, Meter
from thexp_pl.params import Params
from thexp_pl.trainer import Trainer

__all__ = ["DigitsParams", "DigitsTrainer"]


class DigitsParams(Params):
    """The demo's parameters.

    Args:
        batch_size: Images in a batch.
        width: Channels of the convolution.
        optim: Options of the optimizer, torch.optim.SGD.
    """

    def __init__(self):
        super().__init__()
        self.epoch = 10
        self.batch_size = 32
        self.width = 32
        self.optim_option(lr=0.05, momentum=0.9)


class DigitsTrainer(Trainer):
    """Trains a small network to read 8x8 images of handwritten digits."""

    def initial_trainer(self, params: DigitsParams):
        """Make the data, the model and the optimizer."""
        train_set, held_out = load_digits()
        train = DataLoader(train_set, params.batch_size, shuffle=True, drop_last=True)
        evaluation = DataLoader(held_out, batch_size=360)
        self.regist_databundler(train=train, eval=evaluation, test=evaluation)
        convolution = nn.Conv2d(1, params.width, 3, padding=1)
        classifier = nn.Linear(params.width * 4 * 4, 10)
        self.model = nn.Sequential(
            convolution, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), classifier
        )
        self.optim = SGD(self.model.parameters(), **params.optim)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        """Train on one batch."""
        meter = self.measure(*batch_data)
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return meter

    def test_eval_logic(self, dataloader, params):
        """Average loss and accuracy over all batches."""
        average = AvgMeter()
        for images, labels in dataloader:
            average.update(self.measure(images, labels), weight=len(images))
        return average

    def measure(self, images, labels):
        """Give loss and accuracy of one batch."""
        meter = Meter()
        logits = self.model(images)
        meter.loss = nn.functional.cross_entropy(logits, labels)
        meter.acc = (logits.argmax(1) == labels).float().mean()
        meter.percent(meter.acc_)
        return meter

    def predict(self, batch_data):
        """Give the digits that the network reads."""
        return self.model(batch_data[0]).argmax(1)
