"""Any value under any name; only the printed form is formatted."""

import torch

from thexp_pl import Meter

m = Meter()
m.a = 1
m.b = "2"
m.c = torch.rand(1)[0]

m.c1 = torch.rand(1)
m.c2 = torch.rand(2)
m.c3 = torch.rand(4, 4)  # prints its first line only
print(m)
