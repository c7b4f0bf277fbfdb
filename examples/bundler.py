"""Two loaders at once, as semi-supervised training wants them; the place in both is one state."""

import torch
from torch.utils.data import TensorDataset

from thexp_pl import DataBundler
from thexp_pl.data import ExactDataLoader

labelled = ExactDataLoader(TensorDataset(torch.arange(6)), batch_size=3, shuffle=True, seed=1)
unlabelled = ExactDataLoader(
    TensorDataset(torch.arange(100, 116)), batch_size=4, shuffle=True, seed=2
)

bundler = DataBundler().cycle(labelled, "labelled").add(unlabelled, "unlabelled").zip_mode()
print(len(bundler), bundler.len_dict())

batches = iter(bundler)
for _ in range(2):
    (xs,), (us,) = next(batches)
    print(xs.tolist(), us.tolist())
state = bundler.state_dict()  # goes into a checkpoint, with RndCallback

print("the rest, again and again:")
for _ in range(2):
    bundler.load_state_dict(state)
    print([us.tolist() for _, (us,) in bundler])
