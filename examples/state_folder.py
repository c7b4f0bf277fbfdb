"""A folder of files as a state: each value is read from the disk when it is asked for."""

import torch
from torch import nn

from thexp_pl import StateFolder

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
folder = StateFolder("./weights")
folder.load_state_dict(model.state_dict())  # the folder takes up the state: one file a tensor

state = folder.state_dict()
print(list(state))
print("only this one is read:", tuple(state["2.bias"].shape))

other = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
other.load_state_dict(state)
print("the same:", torch.equal(model[2].bias, other[2].bias))
