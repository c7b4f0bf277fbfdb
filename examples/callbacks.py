"""Callbacks are hooked in `initial_callback`; these two are what it does by default."""

from train_digits import MyTrainer

from thexp_pl import AvgMeter, Meter, Params
from thexp_pl.callbacks import EvalCallback, LoggerCallback


class CallbackTrainer(MyTrainer):
    def initial_callback(self):
        ec = EvalCallback(1, 5)  # evaluate every epoch, test every fifth
        ec.hook(self)

        lc = LoggerCallback()  # the line on the console and in the log file
        lc.hook(self)

    def test_eval_logic(self, dataloader, params):
        average = AvgMeter()
        for xs, ys in dataloader:
            meter = Meter()
            logits = self.model(xs)
            meter.loss = self.cross(logits, ys)
            meter.acc = (logits.argmax(1) == ys).float().mean()
            meter.percent(meter.acc_)
            average.update(meter, weight=len(ys))
        return average


if __name__ == "__main__":
    params = Params()
    params.epoch = 3
    params.lr = 0.01

    trainer = CallbackTrainer(params)
    trainer.initial_exp("./experiment")

    trainer.train()
