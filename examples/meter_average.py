"""Each value as it was last, with its mean over all steps beside it."""

import torch

from thexp_pl import AvgMeter, Meter

am = AvgMeter()
for _ in range(5):
    for _ in range(100):
        m = Meter()
        m.percent(m.c_)
        m.a = 1
        m.b = "2"
        m.c = torch.rand(1)[0]

        m.c1 = torch.rand(1)
        m.c2 = torch.rand(2)
        m.c3 = torch.rand(4, 4)
        m.d = [4]
        m.e = {5: "6"}
        am.update(m)
    print(am)
