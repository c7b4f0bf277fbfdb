"""A callback in thexp's style beside the shipped ones: it skips batches of which no loss is finite.

Every fourth batch is spoilt on purpose; the training goes on without it.
"""

import math

from callbacks import CallbackTrainer

from thexp_pl import Params
from thexp_pl.callbacks import (
    AutoReport,
    BoardCallback,
    CUDAErrorHold,
    KeyErrorSave,
    ModelCheckpoint,
    TimingCheckpoint,
    TrainCallback,
)


class SkipSpoilt(TrainCallback):
    """Swallows a FloatingPointError in a batch, and counts."""

    priority = -1  # told before the others

    def __init__(self):
        self.skipped = 0

    def on_train_epoch_end(self, trainer, func, params, meter, *args, **kwargs):
        trainer.logger.info(f"epoch {params.eidx}: {self.skipped} batches skipped so far")

    def on_exception(self, trainer, func, params, e, *args, **kwargs):
        if func.__name__ == "train_batch" and isinstance(e, FloatingPointError):
            self.skipped += 1
            return True  # swallowed: the batch counts as done
        return False


class CarefulTrainer(CallbackTrainer):
    def initial_callback(self):
        super().initial_callback()  # the evaluation and the line on the console
        SkipSpoilt().hook(self)
        ModelCheckpoint("eval_acc", mode="max").hook(self)  # keeps the best epoch's checkpoint
        TimingCheckpoint(2).hook(self)  # and a keypoint every second epoch
        BoardCallback(10).watch_scalar("loss").hook(self)  # every tenth batch in TensorBoard
        KeyErrorSave().hook(self)  # Ctrl-C: a keypoint, and the question whether to go on
        CUDAErrorHold().hook(self)  # CUDA fails: wait, then try the batch again or skip it
        AutoReport().hook(self)  # plot/report.md

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        xs, ys = batch_data
        if idx % 4 == 3:
            xs = xs * math.nan
        loss = self.cross(self.model(xs), ys)
        if not loss.isfinite():
            raise FloatingPointError(f"batch {idx} has no finite loss")
        return super().train_batch(eidx, idx, global_step, (xs, ys), params, device)


if __name__ == "__main__":
    params = Params()
    params.epoch = 3
    params.lr = 0.01

    trainer = CarefulTrainer(params)
    trainer.initial_exp("./experiment")
    trainer.train()

    info = trainer.load_checkpoint("best")
    print(f"best epoch {info['eidx']}: accuracy {info['eval_acc']:.3f}")
    print(trainer.experiment.path / "plot" / "report.md")
