"""A Params class of one's own: its defaults are set in `__init__`."""

from thexp_pl import Params


class BaseParams(Params):
    def __init__(self):
        super().__init__()
        self.batch_size = 50
        self.topk = (1, 2, 3, 4)
        self.optim_option(lr=0.009, moment=0.9)
        # the same, for editors that complete names:
        # self.optim = self.optim_option(lr=0.009, moment=0.9)


params = BaseParams()
print(params)
