"""A Trainer put together from mixins: data, model and loss, each with its own parameters."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl import AvgMeter, Meter, Params, Trainer
from thexp_pl.demo import load_digits


class DigitsParams(Params):
    def __init__(self):
        super().__init__()
        self.batch_size = 32


class DigitsMixin:
    def initial_trainer(self, params: DigitsParams):
        super().initial_trainer(params)
        train, held_out = load_digits()
        self.regist_databundler(
            train=DataLoader(train, params.batch_size, shuffle=True),
            eval=DataLoader(held_out, 120),
        )


class PerceptronParams(Params):
    def __init__(self):
        super().__init__()
        self.arange("width", 32, 1, 1024)
        self.optim_option(lr=0.1, momentum=0.9)


class PerceptronMixin:
    def initial_trainer(self, params: PerceptronParams):
        super().initial_trainer(params)
        self.model = nn.Sequential(
            nn.Flatten(), nn.Linear(64, params.width), nn.ReLU(), nn.Linear(params.width, 10)
        )
        self.optim = SGD(self.model.parameters(), **params.optim)


class SmoothedParams(Params):
    def __init__(self):
        super().__init__()
        self.arange("smoothing", 0.1, 0, 1)


class SmoothedLossMixin:
    def initial_trainer(self, params: SmoothedParams):
        super().initial_trainer(params)
        self.loss = nn.CrossEntropyLoss(label_smoothing=params.smoothing)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        images, labels = batch_data
        meter = Meter()
        meter.loss = self.loss(self.model(images), labels)
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        return meter

    def test_eval_logic(self, dataloader, params):
        average = AvgMeter()
        for images, labels in dataloader:
            right = (self.model(images).argmax(1) == labels).float().mean()
            average.update({"acc": right}, weight=len(images))
        return average


class MyTrainer(DigitsMixin, PerceptronMixin, SmoothedLossMixin, Trainer):
    """All of it; `params_class` has the parameters of the three mixins."""


if __name__ == "__main__":
    torch.manual_seed(0)
    params = MyTrainer.params_class()()
    params.from_args()  # --batch_size, --width, --optim.lr, --smoothing
    params.epoch, params.device = 2, "cpu"
    params.build_exp_name("mixed", "width", "smoothing")
    trainer = MyTrainer(params)
    trainer.initial_exp("./experiment")
    trainer.train()
    print(
        f"{params.get_exp_name()}: {trainer.eval().means()['acc']:.3f} of the held-out digits right"
    )
