"""A whole training: a model, a trainer, parameters, and a run recorded in ./experiment."""

import torch.nn as nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl import Meter, Params, Trainer
from thexp_pl.demo import load_digits


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8 * 8, 10)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        return self.fc(x)


class MyTrainer(Trainer):
    def initial_trainer(self, params: Params):  # models, optimizers and data
        self.model = MyModel()
        self.optim = SGD(self.model.parameters(), lr=params.lr)
        train_set, held_out = load_digits()
        train_loader = DataLoader(train_set, shuffle=True, batch_size=32, drop_last=True)
        eval_loader = test_loader = DataLoader(held_out, batch_size=32)

        self.regist_databundler(
            train=train_loader,
            test=test_loader,
            eval=eval_loader,
        )
        self.cross = nn.CrossEntropyLoss()

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        optim, cross = self.optim, self.cross
        meter = Meter()
        xs, ys = batch_data

        logits = self.model(xs)
        meter.loss = cross(logits, ys)

        meter.loss.backward()
        optim.step()
        optim.zero_grad()

        return meter


if __name__ == "__main__":
    params = Params()
    params.epoch = 3
    params.lr = 0.01
    params.build_exp_name("mytrainer", "lr")

    trainer = MyTrainer(params)
    trainer.initial_exp("./experiment")

    trainer.train()
