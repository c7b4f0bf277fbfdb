"""Two processes train one model, here on the CPU; on GPUs only `params.device` is another.

`train_batch` is that of one device: it calls backward and step itself, and the gradients of both
processes are averaged in between. Lightning runs this script again for the second process, so what
trains stands below ``if __name__ == "__main__"``.
"""

import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from thexp_pl import AvgMeter, Meter, Params, Trainer
from thexp_pl.demo import load_digits


class TwoDevices(Trainer):
    def initial_trainer(self, params: Params):
        torch.set_num_threads(1)  # two processes share the machine
        train_set, held_out = load_digits()
        self.model = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10)
        )
        self.optim = SGD(self.model.parameters(), lr=params.lr, momentum=0.9)
        self.regist_databundler(
            # 16 images a process: 32 a step
            train=DataLoader(train_set, batch_size=16, shuffle=True, drop_last=True),
            eval=DataLoader(held_out, batch_size=360),
        )

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        meter = self.measure(*batch_data)
        meter.loss.backward()  # here the gradients become those of both processes
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optim.step()
        self.optim.zero_grad()
        return meter

    def test_eval_logic(self, dataloader, params):
        average = AvgMeter()
        for images, labels in dataloader:
            average.update(self.measure(images, labels), weight=len(images))
        return average

    def measure(self, images, labels):
        meter = Meter()
        logits = self.model(images)
        meter.loss = nn.functional.cross_entropy(logits, labels)
        meter.acc = (logits.argmax(1) == labels).float().mean()
        return meter


if __name__ == "__main__":
    params = Params()
    params.epoch = 3
    params.device = "cpu"
    params.lr = 0.05

    trainer = TwoDevices(params, devices=2)
    trainer.initial_exp("./experiment")
    trainer.train()

    path = trainer.save_keypoint()  # in every process: it returns the same path in all
    values = trainer.evaluate("eval")  # in every process too
    if trainer.lightning_trainer.is_global_zero:
        print(f"{trainer.lightning_trainer.world_size} processes, {params.global_step + 1} steps")
        print(f"accuracy on held-out digits: {values['eval_acc']:.3f}")
        print(f"kept: {path.name}")
