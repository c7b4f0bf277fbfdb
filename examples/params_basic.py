"""Parameters with what a training run has anyway, changed and extended by attribute."""

from thexp_pl import Params

params = Params()
params.epoch = 400
params.batch_size = 25
print(params)
