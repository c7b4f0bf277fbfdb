"""Two rounds that start from the same random state train to the same parameters."""

import torch
import torch.nn as nn
from torch.optim import SGD

from thexp_pl import rnd

state = rnd.get_state()
rounds = []
for _ in range(2):
    data = torch.rand(5, 2)
    y = torch.tensor([0, 0, 0, 0, 0])
    model = nn.Linear(2, 2)

    sgd = SGD(model.parameters(), lr=0.01)
    logits = model(data)
    loss = nn.CrossEntropyLoss()(logits, y)
    loss.backward()
    sgd.step()
    sgd.zero_grad()

    print(list(model.parameters()))
    rounds.append(model.state_dict())
    rnd.set_state(state)

first, second = rounds
assert all(torch.equal(first[name], second[name]) for name in first)
print("both rounds are equal")
