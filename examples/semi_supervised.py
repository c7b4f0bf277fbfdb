"""Digits with few labels: labelled and unlabelled batches side by side, and an EMA teacher."""

import copy

import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, Subset

from thexp_pl import AvgMeter, DataBundler, Meter, Params, Trainer
from thexp_pl.calculate import SigmoidRamp, accuracy
from thexp_pl.demo import load_digits

LABELS = 50


class MeanTeacher(Trainer):
    def initial_trainer(self, params: Params):
        torch.manual_seed(1)
        digits, held_out = load_digits()
        labelled = DataLoader(Subset(digits, range(LABELS)), 25, shuffle=True)
        unlabelled = DataLoader(digits, 64, shuffle=True, drop_last=True)
        bundler = DataBundler().cycle(labelled, "labelled").add(unlabelled, "unlabelled")
        self.regist_databundler(train=bundler.zip_mode(), eval=DataLoader(held_out, 360))
        self.model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Dropout(0.2), nn.Linear(16 * 4 * 4, 10),
        )  # fmt: skip
        self.teacher = copy.deepcopy(self.model).requires_grad_(False)
        self.optim = SGD(self.model.parameters(), lr=params.lr, momentum=0.9)
        self.weight = SigmoidRamp(steps=params.rampup, end=params.weight)

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        (xs, ys), (us, _) = batch_data  # the labels of the second are not looked at
        meter = Meter()
        meter.loss_labelled = nn.functional.cross_entropy(self.model(xs), ys)
        with torch.no_grad():
            wanted = self.teacher(us).softmax(1)
        found = self.model(us + 0.05 * torch.randn_like(us)).softmax(1)
        meter.loss_unlabelled = (found - wanted).square().sum(1).mean()
        meter.weight = self.weight(eidx - 1)
        meter.loss = meter.loss_labelled + meter.weight * meter.loss_unlabelled
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        self.update_teacher(min(1 - 1 / (global_step + 1), params.decay))
        return meter

    @torch.no_grad()
    def update_teacher(self, decay):
        for mean, one in zip(self.teacher.parameters(), self.model.parameters(), strict=True):
            mean.mul_(decay).add_(one, alpha=1 - decay)

    def test_eval_logic(self, dataloader, params):
        average = AvgMeter()
        for xs, ys in dataloader:
            meter = Meter()
            (meter.acc,) = accuracy(self.model(xs), ys)
            (meter.acc_teacher,) = accuracy(self.teacher(xs), ys)
            average.update(meter, weight=len(xs))
        return average


if __name__ == "__main__":
    params = Params()
    params.epoch, params.lr = 20, 0.05
    params.rampup, params.weight, params.decay = 15, 10.0, 0.95
    params.from_args()  # --weight=0 for the labels alone

    trainer = MeanTeacher(params)
    trainer.initial_exp("./experiment")
    trainer.train()
    values = trainer.eval()
    print(
        f"with {LABELS} of 1437 labels: {values.acc:.1%} of 360 held-out digits are read right, "
        f"{values.acc_teacher:.1%} by the teacher"
    )
