"""A GAN: two optimizers in one train_batch, each stepped by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.optim import Adam
from torch.utils.data import DataLoader

from thexp_pl import Meter, Params, Trainer
from thexp_pl.demo import load_digits


class GanParams(Params):
    def __init__(self):
        super().__init__()
        self.epoch = 12
        self.device = "cpu"
        self.noise = 16
        self.optim_option(lr=1e-3, betas=(0.5, 0.999))


class GanTrainer(Trainer):
    def initial_callback(self):
        """Show nothing but the line at the end."""

    def initial_trainer(self, params: GanParams):
        self.generator = nn.Sequential(
            nn.Linear(params.noise, 128), nn.ReLU(), nn.Linear(128, 64), nn.Sigmoid()
        )
        self.critic = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))
        self.generator_optim = Adam(self.generator.parameters(), **params.optim)
        self.critic_optim = Adam(self.critic.parameters(), **params.optim)
        images, _ = load_digits()
        self.regist_databundler(train=DataLoader(images, 64, shuffle=True, drop_last=True))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        real = batch_data[0].flatten(1)
        fake = self.generator(torch.randn(len(real), params.noise, device=device))
        ones, zeros = (
            torch.ones(len(real), 1, device=device),
            torch.zeros(len(real), 1, device=device),
        )

        meter = Meter()
        meter.critic_loss = cross_entropy(self.critic(real), ones) + cross_entropy(
            self.critic(fake.detach()), zeros
        )
        self.critic_optim.zero_grad()  # of what the generator's loss has left in it
        meter.critic_loss.backward()
        self.critic_optim.step()

        meter.generator_loss = cross_entropy(self.critic(fake), ones)
        self.generator_optim.zero_grad()
        meter.generator_loss.backward()
        self.generator_optim.step()
        return meter

    @torch.no_grad()
    def distance(self, images):
        """Say how far the mean of made images is from that of real ones, a root mean square."""
        made = self.generator(torch.randn(1000, self.params.noise, device=self.device))
        return (made.mean(0) - images.flatten(1).mean(0)).square().mean().sqrt().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    _, held_out = load_digits()
    trainer = GanTrainer()
    trainer.initial_exp("./experiment")
    before = trainer.distance(held_out.tensors[0])
    trainer.train()
    after = trainer.distance(held_out.tensors[0])
    steps = trainer.lightning_trainer.global_step
    print(
        f"{steps} batches, two steps each: distance to the mean digit {before:.3f} -> {after:.3f}"
    )
