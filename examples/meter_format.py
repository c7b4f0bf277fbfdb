"""A value printed as a percentage; `m.float` and `m.int` format likewise."""

from thexp_pl import Meter

m = Meter()
m.a = 0.236
m.percent(m.a_)  # m.a_ is the name "a", which an editor completes
print(m)
