"""Weights that rise and rates that fall: ramps as numbers, and as schedulers of torch's."""

import torch
from torch.optim import SGD

from thexp_pl.calculate import CosineRamp, LinearRamp, SigmoidRamp, accuracy

weight = SigmoidRamp(steps=10)  # of a loss on unlabelled data, say
momentum = LinearRamp(steps=10, start=0.9, end=0.99)
for epoch in (0, 5, 10, 20):
    print(f"epoch {epoch}: weight {weight(epoch):.4f}, momentum {momentum(epoch):.3f}")

optim = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
scheduler = CosineRamp(steps=4, start=1.0, end=0.0).lr_scheduler(optim)  # an attribute of a Trainer
for step in range(5):
    print(f"step {step}: lr {optim.param_groups[0]['lr']:.4f}")
    optim.step()
    scheduler.step()

logits = torch.tensor([[0.1, 0.7, 0.2], [0.3, 0.1, 0.6], [0.5, 0.4, 0.1]])
top1, top2 = accuracy(logits, torch.tensor([1, 0, 2]), topk=(1, 2))
print(f"top-1 {top1:.2f}, top-2 {top2:.2f}")
